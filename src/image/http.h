/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP exchange. No redirect is followed, no credential is looked up, no cookie is kept: the
 * registry client above decides all of that. Implemented by http_curl.c (libcurl, loaded at first
 * use). Proxies come from the environment (https_proxy, http_proxy, no_proxy), never for loopback.
 */
#ifndef ZL_IMAGE_HTTP_H
#define ZL_IMAGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "image/tls.h"
#include "image/url.h"

struct zl_http; /* a client: keeps its connections alive; one thread at a time */

int zl_http_new(struct zl_http **ret, struct zl_error *err); /* ZL_E_UNSUPPORTED: no libcurl */
void zl_http_free(struct zl_http *http);
ZL_DEFINE_CLEANUP(struct zl_http, zl_http_free)

enum zl_http_failure {
  ZL_HTTP_FINAL,     /* another try would end the same way */
  ZL_HTTP_TRANSIENT, /* connection lost or stalled: may work later */
  ZL_HTTP_REFUSED,   /* no connection: may work later */
  ZL_HTTP_NO_TLS     /* the TLS handshake failed: the other end may not speak TLS at all */
};

struct zl_http_reply {
  int status;                   /* 0 until the first header line came */
  struct zl_buf head;           /* the header lines, each "name: value" and a NUL */
  uint64_t received;            /* body bytes so far */
  enum zl_http_failure failure; /* set when the exchange failed */
};
#define ZL_HTTP_REPLY_INIT                           \
  {                                                  \
    .head = ZL_BUF_INIT((size_t)ZL_MAX_HTTP_HEADERS) \
  }
void zl_http_reply_done(struct zl_http_reply *reply);
#define zl_autoreply ZL_CLEANUP(zl_http_reply_done) struct zl_http_reply

/* The value of the first header of that name (any case), NULL when there is none. Borrowed. */
const char *zl_http_header(const struct zl_http_reply *reply, const char *name);

/* Body bytes as they come, all statuses alike. 0: go on; > 0: enough, end the exchange with
 * success; < 0: end it with that code, *err filled. */
typedef int (*zl_http_body_fn)(void *ctx, const struct zl_http_reply *reply, const void *data,
                               size_t len, struct zl_error *err);

/* What is sent along: memory, or a part of a file, which is read as the network takes it. */
struct zl_http_upload {
  const void *data; /* NULL: from fd */
  int fd;
  uint64_t offset, size;
  /* Told how much of this exchange is sent; < 0 ends it with that code. May be NULL. */
  int (*sent)(void *ctx, uint64_t sent, struct zl_error *err);
  void *ctx;
};

struct zl_http_request {
  const char *method; /* "HEAD", "POST", "PUT", "PATCH", "DELETE"; NULL: GET, or POST of a form */
  const struct zl_http_upload *upload; /* POST, PUT and PATCH; NULL: an empty body */
  const struct zl_url *url;
  const char *const *headers; /* "Name: value"; may be NULL */
  const char *form;           /* POST this as application/x-www-form-urlencoded; NULL: GET */
  const struct zl_tls *tls;   /* may be NULL */
  bool skip_verify;           /* do not check the certificate, whatever `tls` says */
  const char *proxy;          /* instead of the environment's, also for loopback; may be NULL */
  uint64_t max_body;          /* ZL_E_LIMIT past this; Content-Length is checked first */
  uint32_t connect_ms;        /* name, TCP and TLS */
  uint32_t stall_ms;          /* give up when less than 1 KiB per second comes that long */
  uint32_t total_ms;          /* 0: no limit; time spent in `body` does not count */
  int cancel_fd;              /* readable: ZL_E_CANCELLED; -1: none */
  zl_http_body_fn body;
  void *ctx;
};

/* Runs the exchange. *reply is cleared first and filled as far as it came, also on failure.
 * ZL_E_REMOTE: no connection, TLS, protocol, or the body ended early. ZL_E_TIMEOUT: stalled.
 * ZL_E_LIMIT, ZL_E_CANCELLED, or what `body` returned. Blocks. Messages name the host. */
int zl_http_run(struct zl_http *http, const struct zl_http_request *request,
                struct zl_http_reply *reply, struct zl_error *err);

#endif
