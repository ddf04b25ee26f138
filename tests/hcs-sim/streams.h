/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of BackupWrite, taken apart and applied to a file. What Wine's files cannot hold
 * (security descriptors, attributes, reparse points, alternate streams) is kept in
 * HCS_SIM_DIR\streams, by the file's identity.
 */
#ifndef HCS_SIM_STREAMS_H
#define HCS_SIM_STREAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

enum {
  STREAM_DATA = 1,
  STREAM_EA = 2,
  STREAM_SECURITY = 3,
  STREAM_ALTERNATE = 4,
  STREAM_REPARSE = 8,
  STREAM_SPARSE = 9,
  STREAM_LAST = 10,
  STREAM_HEADER = 20,
  STREAM_MAX_NAME = 1024
};

struct stream_writer {
  HANDLE file, side; /* side: opened with the first stream of another kind */
  bool security;     /* security descriptors are taken */
  bool dropped;      /* there was one, and it was not taken */
  uint8_t head[STREAM_HEADER + STREAM_MAX_NAME];
  size_t filled;
  uint32_t id, name_size;
  uint64_t left;        /* of the stream's data */
  uint64_t offset_left; /* of a sparse block's offset */
  uint8_t offset[8];
  bool started;
};

/* The identity of an open file: 0 for none. */
uint64_t stream_identity(HANDLE file);
/* malloc: where a file's other streams are kept. */
char *stream_place(HANDLE file);
void stream_writer_init(struct stream_writer *writer, HANDLE file, bool security);
/* False: this is no such stream, or it could not be written; GetLastError tells. */
bool stream_writer_feed(struct stream_writer *writer, const uint8_t *data, size_t len);
/* Between two streams: nothing is missing. */
bool stream_writer_is_whole(const struct stream_writer *writer);
void stream_writer_done(struct stream_writer *writer);

#endif
