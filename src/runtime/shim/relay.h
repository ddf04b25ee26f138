/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying between a caller's streams and a process's, until the shim says that it has ended.
 */
#ifndef ZL_RUNTIME_SHIM_RELAY_H
#define ZL_RUNTIME_SHIM_RELAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

enum {
  ZL_RELAY_BUFFER = 64 << 10 /* what a pipe holds */
};

/* One direction. */
struct zl_shimclient_channel {
  int from, to;   /* -1 `from`: at its end; -1 `to`: what comes is dropped */
  bool close_to;  /* `to` is ours: it is closed after the last byte, so that the reader sees the end
                   */
  size_t at, len; /* of what was read and not yet written */
  char *buffer;   /* ZL_RELAY_BUFFER bytes */
};

struct zl_shimclient_relay {
  struct zl_shimclient_channel in, out, err;     /* seen from the caller */
  int control_fd;                                /* the shim, which sends the exit event */
  int cancel_fd;                                 /* -1: none */
  int (*woken)(void *ctx, struct zl_error *err); /* cancel_fd is readable; NULL: that is the end */
  void *ctx;
};

/* Runs until the process has ended and its output is written; *ret is the exit record of the event,
 * which the caller releases. ZL_E_CANCELLED; ZL_E_REMOTE: the shim died; other errors: of `woken`.
 * Of the channels only those descriptors are closed that close_to says. */
int zl_shimclient_relay_run(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err);

#endif
