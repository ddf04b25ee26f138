/* SPDX-License-Identifier: Apache-2.0
 *
 * A stored image for others: its documents as they were pulled, and its layers as blobs that are
 * written anew from the trees in the store (docs/decisions/0018). A blob waits in a file without a
 * name, so a process that dies leaves nothing.
 */
#ifndef ZL_IMAGE_EXPORT_H
#define ZL_IMAGE_EXPORT_H

#include <stdbool.h>
#include <zlayer/error.h>
#include <zlayer/image.h>

#include "base/buf.h"
#include "image/layer/compression.h"
#include "image/layer_store.h"
#include "image/manifest.h"
#include "image/store_internal.h"

struct zl_export_layer {
  const struct zl_descriptor *original; /* of the manifest, as pulled */
  const char *original_diff_id;
  char key[ZL_LAYER_KEY];
  int hold_fd; /* keeps the collector away */
  bool kept;   /* the export names the original blob */

  /* Written by zl_export_pack. */
  int blob_fd; /* -1: not packed, or let go */
  char digest[ZL_DIGEST_TEXT], diff_id[ZL_DIGEST_TEXT];
  uint64_t size;
  enum zl_compression compression;
};

struct zl_export {
  struct zl_image_store *store;
  char digest[ZL_DIGEST_TEXT]; /* of the manifest as pulled */
  char *reference;             /* canonical; NULL: looked up by digest */
  struct zl_buf manifest_text, config_text;
  struct zl_manifest manifest;
  char **diff_ids;
  struct zl_image_platform platform;
  struct zl_export_layer *layers; /* base first */
  size_t n_layers;
};

/* What zl_export_render makes. */
struct zl_exported {
  struct zl_buf manifest, config;
  char *media_type;
  char manifest_digest[ZL_DIGEST_TEXT], config_digest[ZL_DIGEST_TEXT];
};
void zl_exported_done(struct zl_exported *exported);
#define ZL_EXPORTED_INIT                                                                     \
  {                                                                                          \
    .manifest = ZL_BUF_INIT((size_t)ZL_MAX_JSON), .config = ZL_BUF_INIT((size_t)ZL_MAX_JSON) \
  }
#define zl_autoexported ZL_CLEANUP(zl_exported_done) struct zl_exported

/* Finds the image and holds its layers. ZL_E_NOT_FOUND, ZL_E_INVALID, ZL_E_CONFLICT as
 * zl_image_resolve. Free with zl_export_free. */
int zl_export_new(struct zl_image_store *store, const char *image, struct zl_export **ret,
                  struct zl_error *err);
void zl_export_free(struct zl_export *export);
ZL_DEFINE_CLEANUP(struct zl_export, zl_export_free)

enum zl_compression zl_export_compression(enum zl_image_compression wanted);

/* Told every now and then while a layer is packed; < 0 ends it with that code. */
typedef int (*zl_pack_fn)(void *ctx, uint64_t packed, struct zl_error *err);

/* Writes layer `i` as a blob. ZL_E_UNSUPPORTED: it may not be redistributed, or no library for the
 * compression. ZL_E_SYSTEM: also a full disk. */
int zl_export_pack(struct zl_export *export, size_t i, enum zl_compression how, zl_pack_fn fn,
                   void *ctx, struct zl_error *err);
/* Gives back the disk space of a packed layer; digests and size stay. */
void zl_export_drop(struct zl_export *export, size_t i);

/* Manifest and configuration for the layers as they are now, each kept or packed: the pulled bytes
 * when all are kept; else an OCI manifest, and a configuration that differs from the pulled one in
 * the diff ids that differ and in nothing else. */
int zl_export_render(const struct zl_export *export, struct zl_exported *ret, struct zl_error *err);

#endif
