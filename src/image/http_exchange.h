/* SPDX-License-Identifier: Apache-2.0
 *
 * What both HTTP clients (http_curl.c, http_winhttp.c) do alike with one exchange: what comes is
 * bounded and handed on, what goes is read as the network takes it, and who sends almost nothing is
 * not waited for. For those two files only.
 */
#ifndef ZL_IMAGE_HTTP_EXCHANGE_H
#define ZL_IMAGE_HTTP_EXCHANGE_H

#include "image/http.h"

struct zl_exchange {
  const struct zl_http_request *req;
  struct zl_http_reply *reply;
  struct zl_error *err;
  uint64_t sent;                   /* bytes of the upload */
  uint64_t waited_ns;              /* spent waiting for the network */
  uint64_t window_ns, window_from; /* since the last stall check, and the bytes it began with */
};

/* Clears the reply. */
void zl_exchange_begin(struct zl_exchange *x);
/* One line of the head, its end included. A status line begins the head anew. */
int zl_exchange_take_line(struct zl_exchange *x, const char *line, size_t len);
/* A piece of the body. Before the first one the announced length is checked. Returns what the
 * request's `body` returned, or a failure. */
int zl_exchange_take_body(struct zl_exchange *x, const void *data, size_t len);
/* The next piece of the upload; *ret is 0 at its end. */
int zl_exchange_send(struct zl_exchange *x, void *data, size_t max, size_t *ret);
/* So long was waited for the network. ZL_E_TIMEOUT: it stalled, or the whole took too long. */
int zl_exchange_waited(struct zl_exchange *x, uint64_t waited_ns);

#endif
