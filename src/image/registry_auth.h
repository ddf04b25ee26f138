/* SPDX-License-Identifier: Apache-2.0
 *
 * Authentication of one pull: Basic and Bearer. A credential or token is bound to the host that it
 * was found for or that asked for it, and goes nowhere else (CVE-2020-15157).
 */
#ifndef ZL_IMAGE_REGISTRY_AUTH_H
#define ZL_IMAGE_REGISTRY_AUTH_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/http.h"
#include "image/registry_config.h"

struct zl_auth; /* thread-safe */

struct zl_auth_options {
  const char *host; /* `username` and `password` are for this host only; all are copied */
  const char *username, *password;
  const struct zl_registries *registries; /* borrowed */
  uint32_t timeout_ms;                    /* of one exchange with a token server */
  int cancel_fd;
};

int zl_auth_new(const struct zl_auth_options *options, struct zl_auth **ret, struct zl_error *err);
void zl_auth_free(struct zl_auth *auth);
ZL_DEFINE_CLEANUP(struct zl_auth, zl_auth_free)

/* Whom a request goes to. */
struct zl_auth_target {
  const char *host;         /* as in references and configuration */
  const char *repository;   /* "library/busybox": scope repository:…:pull */
  bool insecure;            /* this registry is configured so: its realm may be plain HTTP */
  const struct zl_tls *tls; /* of the registry: its token server is reached the same way, unless
                               config.yaml has an entry for that */
  bool push;                /* scope repository:…:pull,push */
  const char *source;       /* also scope repository:SOURCE:pull: a blob is mounted; may be NULL */
};

/* "Authorization: …" as known so far for the target, a new string; NULL in *ret: send none. */
int zl_auth_header(struct zl_auth *auth, const struct zl_auth_target *target, char **ret,
                   struct zl_error *err);

/* The target answered 401 with this WWW-Authenticate (may be NULL) to a request that carried
 * `sent` (the header above, or NULL): gets what it wants, so that zl_auth_header gives something
 * else than `sent`. Blocks on the network. ZL_E_AUTH: refused, or credentials are missing. */
int zl_auth_respond(struct zl_auth *auth, struct zl_http *http, const struct zl_auth_target *target,
                    const char *www_authenticate, const char *sent, struct zl_error *err);

#endif
