/* SPDX-License-Identifier: Apache-2.0
 *
 * Completes small files of a directory in a thread of its own: content, owner, mode, time. Making a
 * file under its name is about half of what it costs, and has to be done in the order of the
 * archive; the rest concerns nothing but the open file.
 */
#ifndef ZL_IMAGE_LAYER_FILE_WRITER_H
#define ZL_IMAGE_LAYER_FILE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/layer_path.h"

enum {
  ZL_SMALL_FILE = 32 << 10, /* the most content that is handed over */
  ZL_SMALL_FILES = 32       /* that wait: descriptors, and 1 MiB of content */
};

struct zl_small_file {
  int fd; /* the thread closes it */
  bool set_owner, set_mode;
  uint32_t uid, gid, mode;
  struct timespec times[2];
  size_t len;
  char path[ZL_LAYER_PATH]; /* for messages */
  uint8_t data[ZL_SMALL_FILE];
};

struct zl_file_writer;

/* Starts the thread. */
int zl_file_writer_new(struct zl_file_writer **ret, struct zl_error *err);

/* The next file, to be filled by the caller; blocks while as many as may wait do. Or the thread's
 * first error. */
int zl_file_writer_reserve(struct zl_file_writer *writer, struct zl_small_file **ret,
                           struct zl_error *err);
/* Hands the reserved file over. Without this the same one is reserved again. */
void zl_file_writer_commit(struct zl_file_writer *writer);
/* Waits until all are complete. */
int zl_file_writer_drain(struct zl_file_writer *writer, struct zl_error *err);

/* Ends the thread; what waits is completed before. Accepts NULL. */
void zl_file_writer_free(struct zl_file_writer *writer);
ZL_DEFINE_CLEANUP(struct zl_file_writer, zl_file_writer_free)

#endif
