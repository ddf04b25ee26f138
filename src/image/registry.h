/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry client: OCI distribution 1.1 and docker's v2, pull only. Tries mirrors, follows
 * redirects by hand, authenticates, retries what may pass, and resumes broken downloads.
 */
#ifndef ZL_IMAGE_REGISTRY_H
#define ZL_IMAGE_REGISTRY_H

#include <stdint.h>
#include <zlayer/error.h>

#include "image/registry_config.h"
#include "image/source.h"
#include "spec/imageref.h"

/* How patient a pull is. */
struct zl_patience {
  uint32_t connect_ms;  /* name, TCP and TLS of one connection */
  uint32_t stall_ms;    /* less than 1 KiB per second for that long ends a transfer */
  uint32_t small_ms;    /* the whole of a manifest or token */
  uint32_t backoff_ms;  /* before the second try; doubles */
  uint32_t wait_max_ms; /* of one back-off, and of a server's Retry-After */
  unsigned tries;       /* without progress between them */
};
extern const struct zl_patience zl_patience_default;

struct zl_registry_options {
  const struct zl_image_ref *ref;         /* of kind registry; borrowed */
  const struct zl_registries *registries; /* borrowed */
  const char *username, *password;        /* for the reference's registry only; may be NULL */
  const struct zl_patience *patience;     /* borrowed */
  int cancel_fd;                          /* readable: ZL_E_CANCELLED */
};

/* Opens no connection. ZL_E_UNSUPPORTED: no libcurl. Errors of the source's operations:
 * ZL_E_NOT_FOUND, ZL_E_AUTH, ZL_E_REMOTE, ZL_E_TIMEOUT, ZL_E_CORRUPT, ZL_E_LIMIT, ZL_E_CANCELLED.
 */
int zl_registry_open(const struct zl_registry_options *options, struct zl_source **ret,
                     struct zl_error *err);

#endif
