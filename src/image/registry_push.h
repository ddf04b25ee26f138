/* SPDX-License-Identifier: Apache-2.0
 *
 * The other direction of a registry client: OCI distribution 1.1, uploads. Mirrors are not asked.
 */
#ifndef ZL_IMAGE_REGISTRY_PUSH_H
#define ZL_IMAGE_REGISTRY_PUSH_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/registry.h"

struct zl_pusher; /* one thread at a time */

/* Opens no connection; options as of zl_registry_open. Errors of what follows: ZL_E_AUTH,
 * ZL_E_REMOTE, ZL_E_TIMEOUT, ZL_E_NOT_FOUND, ZL_E_CANCELLED. */
int zl_pusher_open(const struct zl_registry_options *options, struct zl_pusher **ret,
                   struct zl_error *err);
void zl_pusher_free(struct zl_pusher *pusher);
ZL_DEFINE_CLEANUP(struct zl_pusher, zl_pusher_free)

/* Whether the repository has this blob. */
int zl_pusher_has(struct zl_pusher *pusher, const char *digest, uint64_t size, bool *ret,
                  struct zl_error *err);
/* Makes a blob of the registry's repository `from` one of ours. *ret: it is there now. A registry
 * that cannot or must not is no failure. */
int zl_pusher_mount(struct zl_pusher *pusher, const char *digest, const char *from, bool *ret,
                    struct zl_error *err);

struct zl_push_blob {
  const char *digest;
  uint64_t size;
  const void *data; /* NULL: the first `size` bytes of fd */
  int fd;
  /* Told how much is sent, less after a failure that is made good; < 0 ends it. May be NULL. */
  int (*sent)(void *ctx, uint64_t sent, struct zl_error *err);
  void *ctx;
};

/* In one piece, or in pieces when the registry refuses that (status 413). What may pass is tried
 * again. */
int zl_pusher_put(struct zl_pusher *pusher, const struct zl_push_blob *blob, struct zl_error *err);
/* `name` is a tag or the digest. ZL_E_REMOTE also when the registry made another digest of it. */
int zl_pusher_put_manifest(struct zl_pusher *pusher, const char *name, const char *media_type,
                           const struct zl_buf *text, const char *digest, struct zl_error *err);

#endif
