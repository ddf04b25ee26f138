/* SPDX-License-Identifier: Apache-2.0
 *
 * One request to a registry or mirror, with everything that happens on the way to its answer:
 * redirects, authentication, the choice between TLS and plain HTTP where configuration leaves it.
 */
#ifndef ZL_IMAGE_REGISTRY_CALL_H
#define ZL_IMAGE_REGISTRY_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "image/http.h"
#include "image/registry.h"
#include "image/registry_auth.h"
#include "image/route.h"

enum {
  ZL_MAX_IDLE_CLIENTS = 16,
  ZL_MAX_CALL_HEADERS = 4
};

struct zl_endpoint {
  char *host;           /* as in references and configuration */
  char *repository;     /* on this host, a mirror's prefix included */
  struct zl_url origin; /* path unused */
  bool insecure;
  bool may_fall_back; /* nothing has answered yet: plain HTTP may be tried after TLS */
  bool default_port;
  bool tags;                  /* also asked for tags */
  atomic_bool useless;        /* a mirror that failed to send a blob */
  const struct zl_stop *stop; /* how it is reached: certificates, headers, timeout; borrowed */
  bool push;                  /* tokens have to allow it */
};

/* Shared by all threads of a pull. */
struct zl_caller {
  const struct zl_registries *registries;
  const struct zl_patience *patience;
  struct zl_auth *auth;
  int cancel_fd;
  pthread_mutex_t lock; /* of the idle clients and of the endpoints' origins */
  struct zl_http *idle[ZL_MAX_IDLE_CLIENTS];
  size_t n_idle;
};

int zl_caller_init(struct zl_caller *caller, const struct zl_registry_options *options,
                   struct zl_error *err);
void zl_caller_done(struct zl_caller *caller);

/* A client for this thread, to be given back. */
int zl_caller_take(struct zl_caller *caller, struct zl_http **ret, struct zl_error *err);
void zl_caller_give(struct zl_caller *caller, struct zl_http *http);

int zl_endpoint_init(struct zl_endpoint *endpoint, const struct zl_stop *stop,
                     struct zl_error *err);
void zl_endpoint_done(struct zl_endpoint *endpoint);

struct zl_call {
  const char *method;                  /* as of zl_http_request; not GET: redirects are refused */
  const struct zl_http_upload *upload; /* may be NULL */
  const char *source; /* a repository that the request reads from as well; may be NULL */
  struct zl_endpoint *endpoint;
  const struct zl_url *url; /* instead of the endpoint: a foreign address, never authenticated */
  const char *path;         /* on the endpoint: "/v2/…" */
  const char *headers[ZL_MAX_CALL_HEADERS]; /* NULL-terminated unless full */
  int cancel_fd;                            /* readable: ZL_E_CANCELLED */
  uint64_t max_body;
  uint32_t total_ms;    /* 0: no limit */
  zl_http_body_fn body; /* of a success reply */
  void *ctx;
};

/* One try. Success is a 2xx status. After a failure reply->failure tells whether another try makes
 * sense; the reply's headers are those of the last exchange. */
int zl_call_run(struct zl_caller *caller, struct zl_http *http, const struct zl_call *call,
                struct zl_http_reply *reply, struct zl_error *err);

/* After the failure *err of try number `count` (from 1): waits as the server asked or backs off,
 * and returns 0 when the call may be tried again; else returns the failure, *err kept or replaced.
 */
int zl_call_back_off(const struct zl_caller *caller, const struct zl_call *call,
                     const struct zl_http_reply *reply, unsigned count, struct zl_error *err);

#endif
