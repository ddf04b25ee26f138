/* SPDX-License-Identifier: Apache-2.0
 *
 * The system's half of a control connection, between it and conn.c.
 */
#ifndef ZL_SHIM_CONN_IO_H
#define ZL_SHIM_CONN_IO_H

#include "shim/conn.h"
#include "shim/request.h"

/* Sends one message without waiting for its reader. -1: the client is lost, and its end will be
 * seen. */
int conn_io_send(struct conn *conn, const char *message, size_t len, const int *fds, size_t n_fds);
/* Listens for messages from now on, each of which goes to conn_message, and for the client's end,
 * which is conn_close. On failure conn->fd is still the caller's. */
int conn_io_begin(struct conn *conn, struct zl_error *err);
/* Closes conn->fd. */
void conn_io_end(struct conn *conn);

/* One message with the descriptors in *request: answers it. `err` is empty. */
void conn_message(struct conn *conn, const char *text, size_t len, struct request *request,
                  struct zl_error *err);

#endif
