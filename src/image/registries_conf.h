/* SPDX-License-Identifier: Apache-2.0
 *
 * podman's registries.conf, version 2, with its directory registries.conf.d.
 *
 * Of it act: [[registry]] with prefix, location, insecure, blocked, mirror-by-digest-only, and
 * their [[registry.mirror]] with location, insecure and pull-from-mirror. What concerns short names
 * (unqualified-search-registries, short-name-mode, [aliases]) is not used: "busybox" is
 * docker.io/library/busybox on every node, so that a deployment means one image and no search can
 * find another one. credential-helpers neither: helpers are named in auth.json.
 */
#ifndef ZL_IMAGE_REGISTRIES_CONF_H
#define ZL_IMAGE_REGISTRIES_CONF_H

#include <zlayer/error.h>

#include "image/route.h"

struct zl_conf_mirror {
  char *location; /* "host[:port][/path]" */
  bool insecure;
  bool for_tags, for_digests; /* references of that kind are asked for there */
};

struct zl_conf_registry {
  char *prefix; /* "host[:port][/path[:tag]]", or "*.domain" */
  char *location;
  char *file; /* where it stands, for messages */
  unsigned line;
  bool insecure, blocked;
  struct zl_conf_mirror *mirrors;
  size_t n_mirrors;
};

struct zl_conf {
  struct zl_conf_registry *items;
  size_t count;
};
void zl_conf_done(struct zl_conf *conf);
#define zl_autoconf ZL_CLEANUP(zl_conf_done) struct zl_conf

/* Adds one file's tables; one with a prefix that is there already takes its place. Unknown keys are
 * ignored with a warning, as podman ignores them. ZL_E_INVALID names file, line and key;
 * ZL_E_UNSUPPORTED: version 1. */
int zl_conf_parse(const char *text, size_t len, const char *file, struct zl_conf *conf,
                  struct zl_error *err);
/* `path`, and the files *.conf of the directory `path`.d in the order of their names. Missing ones
 * are empty. */
int zl_conf_load(const char *path, struct zl_conf *ret, struct zl_error *err);

/* The table for a reference: the longest prefix that it begins with, up to a separator; of two that
 * match as much, the one without a wildcard. NULL: none. Pure. *ret_len gets the length of what
 * matched. */
const struct zl_conf_registry *zl_conf_find(const struct zl_conf *conf,
                                            const struct zl_image_ref *ref, size_t *ret_len);
/* The stops of a reference: those mirrors that serve references of its kind, then the location.
 * ZL_E_PERMISSION: blocked. */
int zl_conf_route(const struct zl_conf_registry *registry, size_t matched,
                  const struct zl_image_ref *ref, struct zl_route *ret, struct zl_error *err);

#endif
