/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests and indexes, OCI's and docker's schema 2, read strictly: a document that two readers
 * could take for two things is refused (CVE-2021-41190).
 */
#ifndef ZL_IMAGE_MANIFEST_H
#define ZL_IMAGE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "image/layer/unpack.h"
#include "image/platform.h"

#define ZL_MT_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define ZL_MT_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define ZL_MT_OCI_LAYER       "application/vnd.oci.image.layer.v1.tar"
#define ZL_MT_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define ZL_MT_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define ZL_MT_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define ZL_MT_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"

enum {
  ZL_MAX_BLOB_URLS = 5,  /* of a foreign layer */
  ZL_MAX_INDEX_DEPTH = 2 /* an index in an index */
};

struct zl_descriptor {
  char *media_type;
  char digest[ZL_DIGEST_TEXT]; /* checked: fit for a file name */
  uint64_t size;
  struct zl_image_platform platform; /* of an index's entry */
  char *ref_name;                    /* annotation org.opencontainers.image.ref.name, or NULL */
  char *image_name;                  /* annotation io.containerd.image.name, or NULL */
  char **urls;                       /* of a foreign layer */
};

enum zl_manifest_kind {
  ZL_MANIFEST_IMAGE,
  ZL_MANIFEST_INDEX
};

struct zl_manifest {
  enum zl_manifest_kind kind;
  char *media_type;
  struct zl_descriptor config; /* of an image */
  struct zl_descriptor *items; /* layers, base first; or an index's manifests */
  size_t n_items;
};

/* `content_type` is what the transport or the descriptor says, may have parameters, and may be NULL
 * (a file). `what` names the document in messages. Free with zl_manifest_done.
 * ZL_E_CORRUPT: malformed, ambiguous, or the two types disagree. ZL_E_UNSUPPORTED: schema 1, or an
 * artifact that is no image. ZL_E_LIMIT: more layers or entries than allowed. */
int zl_manifest_parse(const char *text, size_t len, const char *content_type, const char *what,
                      struct zl_manifest *ret, struct zl_error *err);
void zl_manifest_done(struct zl_manifest *manifest);
#define zl_automanifest ZL_CLEANUP(zl_manifest_done) struct zl_manifest

void zl_descriptor_done(struct zl_descriptor *descriptor);

/* The compression that a layer's media type promises. Docker's types have always been used loosely,
 * there the first bytes decide. ZL_E_UNSUPPORTED: no layer type. */
int zl_layer_compression(const struct zl_descriptor *layer, enum zl_compression *ret,
                         struct zl_error *err);

/* Whether an index's entry is a manifest or one more index by its type; others are no images. */
bool zl_descriptor_is_manifest(const struct zl_descriptor *item);
/* The entry of an index that suits `node` best; NULL in *ret: none. Entries without a platform
 * suit when the index holds nothing else. Pure. */
const struct zl_descriptor *zl_index_select(const struct zl_manifest *index,
                                            const struct zl_image_platform *node);

#endif
