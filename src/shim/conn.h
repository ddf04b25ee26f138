/* SPDX-License-Identifier: Apache-2.0
 *
 * Control connections: one request or event per message.
 */
#ifndef ZL_SHIM_CONN_H
#define ZL_SHIM_CONN_H

#include <jansson.h>

#include "shim/shim.h"

/* Requests whose answer comes when something that is under way is over. */
enum owed {
  OWED_START,
  OWED_PAUSE,
  OWED_COUNT
};

struct conn {
  struct source source;
  struct shim *shim;
  struct conn *next;
  int fd;                     /* owned */
  uint64_t serial;            /* never used twice: for whoever answers later (conn_find) */
  unsigned exit_waits;        /* answers owed when the container ends */
  unsigned owed[OWED_COUNT];  /* answers owed when a start or a pause is over */
  bool attached;              /* an exit event is owed after the last byte */
  bool has_session;           /* an exec runs: one at a time */
  bool broken;                /* to be closed by whoever is using it now */
  struct conn_reader *reader; /* a system's own (win32/conn_io.c) */
};

/* Opens the control socket `control` in the container directory (0600) and accepts from now on. */
int conn_listen(struct shim *shim, struct zl_error *err);
/* Unlinks the socket and stops accepting; connections live on. */
void conn_unlisten(struct shim *shim);

/* Serves a connected socket, which is taken over on success. */
int conn_open(struct shim *shim, int fd, struct conn **ret, struct zl_error *err);
void conn_close(struct conn *conn);
/* NULL: it has gone. */
struct conn *conn_find(const struct shim *shim, uint64_t serial);

/* Send one message; a client that does not read loses its connection (later, when the caller has
 * returned to the loop). `json` is released, NULL counts as out of memory. */
void conn_send(struct conn *conn, json_t *json, const int *fds, size_t n_fds);
/* {"ok":true} and {"ok":false,…}. */
void conn_ok(struct conn *conn);
void conn_fail(struct conn *conn, const struct zl_error *failure);

/* It is over, with success (NULL) or not: answers everybody who waits for it. */
void conn_announce(struct shim *shim, enum owed what, const struct zl_error *failure);
/* The container has ended: answers everybody who waits for it. */
void conn_announce_exit(struct shim *shim);
/* The exit event of an attached client, once it is due. */
void conn_settle(struct conn *conn);

#endif
