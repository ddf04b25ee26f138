/* SPDX-License-Identifier: Apache-2.0
 *
 * An output stream of the workload: read by the shim, written to the log, copied to every attached
 * client. A client that does not keep up stops the reading, so that the workload waits and nothing
 * is dropped or gathered in memory.
 */
#ifndef ZL_SHIM_STREAM_H
#define ZL_SHIM_STREAM_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/limits.h"
#include "shim/log.h"
#include "shim/loop.h"

struct stream;

struct sink {
  struct source source;
  struct stream *stream;
  int fd;                     /* owned; -1: free slot */
  size_t done;                /* bytes of stream->held that it has got */
  void *client;               /* whose it is */
  struct sink_thread *thread; /* a system's own (win32/stream.c) */
};

struct stream {
  struct source source;
  struct loop *loop;
  struct log *log;
  enum stream_id id;
  int fd;             /* owned; -1: at its end */
  bool ended;         /* nothing more will be read */
  struct zl_buf held; /* what some sink still has to get */
  struct sink sinks[ZL_MAX_ATTACH];
  /* Called when a sink has gone or, after the end, has got everything. May detach. */
  void (*settled)(struct stream *stream, void *client);
  /* Nothing is held any more; NULL: nobody wants to know. */
  void (*drained)(struct stream *stream);
  void *feeder; /* whose stream_feed it is, for `drained` */
};

/* An empty stream: nothing is read, clients may attach. */
void stream_init(struct stream *stream, struct loop *loop, struct log *log, enum stream_id id,
                 void (*settled)(struct stream *stream, void *client));

/* Takes over `fd` (non-blocking) on success and begins to copy it. */
int stream_open(struct stream *stream, int fd, struct zl_error *err);

/* Output that comes from elsewhere than a descriptor of the stream's own: passes it on like bytes
 * read. Who feeds it waits for `drained` while too much is held (stream->held.len): beyond a
 * mebibyte the clients that lag are dropped. */
void stream_feed(struct stream *stream, const char *data, size_t len);

/* Copies what comes from now on to `fd` too, the write end of a pipe or a socket, which is taken
 * over on success. ZL_E_LIMIT: too many clients. */
int stream_attach(struct stream *stream, int fd, void *client, struct zl_error *err);
/* Drops the client's sink, whatever it has not got. */
void stream_detach(struct stream *stream, void *client);
/* Whether the client still has something to get. */
bool stream_is_pending(const struct stream *stream, const void *client);

/* After the last writer has gone: takes what is left in the pipe, which is at most its capacity,
 * without waiting for slow clients, and ends the stream. */
void stream_finish(struct stream *stream);
void stream_close(struct stream *stream);

#endif
