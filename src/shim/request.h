/* SPDX-License-Identifier: Apache-2.0
 *
 * One request of a client, checked: a known operation, the members and descriptors that belong to
 * it, and nothing else.
 */
#ifndef ZL_SHIM_REQUEST_H
#define ZL_SHIM_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/limits.h"

enum op {
  OP_START,
  OP_STATE,
  OP_KILL,
  OP_STOP,
  OP_WAIT,
  OP_PAUSE,
  OP_RESUME,
  OP_STATS,
  OP_ATTACH,
  OP_EXEC,
  OP_RESIZE,
  OP_SIGNAL,
  OP_COUNT
};

struct request {
  enum op op;
  int signal;          /* OP_KILL, OP_STOP, OP_SIGNAL */
  uint64_t grace_ms;   /* OP_STOP */
  unsigned rows, cols; /* OP_RESIZE */
  json_t *process;     /* OP_EXEC; borrowed from `json` */
  bool bound;          /* OP_EXEC: killed when its connection ends */
  json_t *json;
  int fds[ZL_MAX_CONTROL_FDS]; /* owned; -1 once taken */
  size_t n_fds;
};

/* Parses `len` bytes into *request, whose fds the caller has filled. ZL_E_INVALID names what is
 * wrong. */
int request_parse(const char *text, size_t len, struct request *request, struct zl_error *err);

/* Frees the document and closes the descriptors that nobody took. */
void request_done(struct request *request);
#define autorequest ZL_CLEANUP(request_done) struct request

#endif
