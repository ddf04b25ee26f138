/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests of what is no image (signatures), and lists of what refers to a manifest.
 */
#ifndef ZL_IMAGE_ARTIFACT_H
#define ZL_IMAGE_ARTIFACT_H

#include <jansson.h>
#include <zlayer/error.h>

#include "image/manifest.h"

struct zl_artifact_blob {
  struct zl_descriptor blob;
  const json_t *annotations; /* borrowed from the artifact; NULL: none */
};

struct zl_artifact {
  json_t *root;
  char subject[ZL_DIGEST_TEXT]; /* the manifest that it refers to; "": none */
  struct zl_artifact_blob *blobs;
  size_t n_blobs;
};

/* An OCI manifest with any configuration. ZL_E_CORRUPT: it is none; ZL_E_LIMIT. Free with
 * zl_artifact_done, also what is left after a failure. */
int zl_artifact_parse(const char *text, size_t len, struct zl_artifact *ret, struct zl_error *err);
void zl_artifact_done(struct zl_artifact *artifact);
#define zl_autoartifact ZL_CLEANUP(zl_artifact_done) struct zl_artifact

/* The manifests of an index that are of `artifact_type`, or do not say; others are left out.
 * NULL: all. At most ZL_MAX_INDEX. Same errors; free with zl_artifact_done. */
int zl_referrers_parse(const char *text, size_t len, const char *artifact_type,
                       struct zl_artifact *ret, struct zl_error *err);

/* The name of the tag that stands for what is attached to a digest: "sha256-<hex>" + suffix. A new
 * string; NULL when out of memory. */
char *zl_attached_tag(const char *digest, const char *suffix);

#endif
