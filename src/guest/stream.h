/* SPDX-License-Identifier: Apache-2.0
 *
 * One standard stream of a process, between its pipe or terminal and a stream of the mux. Output is
 * read only as far as the host takes it, so that a slow reader holds up the process and nothing
 * else; of input at most one window is kept.
 */
#ifndef ZL_GUEST_STREAM_H
#define ZL_GUEST_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  STREAM_IN,
  STREAM_OUT,
  STREAM_ERR,
  STREAM_COUNT
};

struct agent;
struct process;

struct stream {
  struct agent *agent;
  struct process *process;
  uint32_t key;  /* of its events */
  int fd;        /* owned, non-blocking; -1: at its end or never there */
  uint32_t port; /* 0: not connected */
  bool is_input;
  bool is_watched;
  bool is_settled;    /* output: nothing is left of what was written before the process ended */
  bool has_eof;       /* input: closed when `held` is written */
  struct zl_buf held; /* input that the process has not taken */
};

void stream_init(struct stream *stream, struct agent *agent, struct process *process, uint32_t key,
                 bool is_input);
/* Takes over `fd` and makes it non-blocking. */
void stream_open(struct stream *stream, int fd);
/* Connects it to the host at `port`, and begins to copy. 0: what comes is dropped, and there is no
 * input. After an error it is closed. */
int stream_connect(struct stream *stream, uint32_t port, struct zl_error *err);
/* Ends it in every direction; the host hears of it. Idempotent. */
void stream_close(struct stream *stream);

/* An event of its descriptor. */
void stream_ready(struct stream *stream, uint32_t events);
/* From the host. */
void stream_data(struct stream *stream, const void *data, size_t len);
void stream_eof(struct stream *stream);
void stream_writable(struct stream *stream);
void stream_reset(struct stream *stream);

/* The process has ended: passes on what it has written, as far as the host takes it now. */
void stream_settle(struct stream *stream);
/* Whether nothing of the ended process's output is still to come. What its own children write to
 * the same pipe later goes on being copied, but nobody waits for it. */
bool stream_is_settled(const struct stream *stream);

#endif
