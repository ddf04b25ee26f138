/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of the registry client share: documents (registry.c) and blobs
 * (registry_blob.c).
 */
#ifndef ZL_IMAGE_REGISTRY_INTERNAL_H
#define ZL_IMAGE_REGISTRY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "image/registry_call.h"
#include "image/source.h"

struct registry {
  struct zl_source base;
  struct zl_caller caller;
  const struct zl_image_ref *ref;
  struct zl_route route;
  struct zl_endpoint *endpoints; /* of stops that pull: mirrors first; then of those that do not */
  size_t n_endpoints;            /* that pull */
  size_t n_all;
  size_t *by_stop; /* the endpoint of each stop of the route */
};

bool zl__registry_is_last(const struct registry *reg, size_t i);
/* Whether the next endpoint is asked after `i` failed: a mirror's failure is not the user's. A
 * cancelled pull asks nobody. */
bool zl__registry_try_next(const struct registry *reg, size_t i, const struct zl_error *err);

/* The operations blob and part of zl_source_ops. */
int zl__registry_blob(struct zl_source *source, const struct zl_descriptor *descriptor,
                      zl_blob_fn fn, void *ctx, struct zl_error *err);
int zl__registry_part(struct zl_source *source, const struct zl_descriptor *descriptor,
                      struct zl_blob_part *part, zl_blob_fn fn, void *ctx, struct zl_error *err);

#endif
