/* SPDX-License-Identifier: Apache-2.0 */
#include "image/export.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/compress.h"
#include "image/config.h"
#include "image/layer/tar_tree.h"
#include "image/layer_store.h"
#include "store/store.h"

void zl_export_free(struct zl_export *x)
{
  if (x == NULL)
    return;
  for (size_t i = 0; i < x->n_layers; i++) {
    zl_fd_closep(&x->layers[i].blob_fd);
    zl_fd_closep(&x->layers[i].hold_fd);
  }
  free(x->layers);
  free(x->reference);
  zl_strv_freep(&x->diff_ids);
  zl_manifest_done(&x->manifest);
  zl_buf_done(&x->manifest_text);
  zl_buf_done(&x->config_text);
  free(x);
}

/* ---- What is stored -------------------------------------------------------------------------- */

static int take_documents(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct zl_export *x = ctx;
  size_t len;
  const void *text = zl_row_blob(row, 0, &len);
  int r = zl_buf_append(&x->manifest_text, text, len, err);

  if (r == 0) {
    text = zl_row_blob(row, 1, &len);
    r = zl_buf_append(&x->config_text, text, len, err);
  }
  return r < 0 ? r
               : zl_manifest_parse(x->manifest_text.data, x->manifest_text.len, zl_row_text(row, 2),
                                   "the image's manifest", &x->manifest, err);
}

static int take_key(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct zl_export *x = ctx;
  struct zl_export_layer *layer = &x->layers[x->n_layers];

  if (x->n_layers >= x->manifest.n_items)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the database names more layers than the manifest");
  *layer = (struct zl_export_layer){ .original = &x->manifest.items[x->n_layers],
                                     .original_diff_id = x->diff_ids[x->n_layers],
                                     .hold_fd = -1,
                                     .blob_fd = -1 };
  (void)snprintf(layer->key, sizeof(layer->key), "%s", zl_row_text(row, 0));
  x->n_layers++;
  return zl_layer_hold(x->store->layers_fd, layer->key, &layer->hold_fd, err);
}

static int read_layers(struct zl_export *x, struct zl_error *err)
{
  zl_autoimage image = { 0 };
  int r = zl_image_config_parse(x->config_text.data, x->config_text.len,
                                "the image's configuration", &image, &x->diff_ids, err);

  if (r < 0)
    return r;
  (void)snprintf(x->platform.os, sizeof(x->platform.os), "%s", image.os);
  (void)snprintf(x->platform.arch, sizeof(x->platform.arch), "%s", image.arch);
  (void)snprintf(x->platform.variant, sizeof(x->platform.variant), "%s",
                 image.variant != NULL ? image.variant : "");
  x->layers = calloc(x->manifest.n_items + 1, sizeof(*x->layers));
  if (x->layers == NULL)
    return zl_fail_nomem(err, "the layers of an image");
  if (zl_strv_len((const char *const *)x->diff_ids) != x->manifest.n_items)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the stored manifest and configuration do not agree");
  r = zl_store_query(x->store->store, take_key, x, err,
                     "SELECT key FROM manifest_layers WHERE digest = ? ORDER BY position", "s",
                     x->digest);
  if (r == 0 && x->n_layers != x->manifest.n_items)
    r = zl_fail(err, ZL_E_NOT_FOUND, 0, "layers of it are missing: pull the image again");
  return r;
}

int zl_export_new(struct zl_image_store *store, const char *image, struct zl_export **ret,
                  struct zl_error *err)
{
  ZL_CLEANUP(zl_export_freep) struct zl_export *x = calloc(1, sizeof(*x));
  int r;

  if (x == NULL)
    return zl_fail_nomem(err, "an image");
  x->store = store;
  x->manifest_text.max = x->config_text.max = ZL_MAX_JSON;
  r = zl_catalog_look_up(store, image, x->digest, &x->reference, err);
  if (r == 0)
    r = zl_store_query(store->store, take_documents, x, err,
                       "SELECT manifest, config, media_type FROM manifests WHERE digest = ?", "s",
                       x->digest);
  if (r == 0 && x->manifest_text.len == 0)
    r = zl_fail(err, ZL_E_NOT_FOUND, 0, "no image '%s' is stored", image);
  if (r == 0)
    r = read_layers(x, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&x);
  return 0;
}

/* ---- Packing --------------------------------------------------------------------------------- */

struct packing {
  struct zl_compressor *compressor;
  struct zl_hash *diff, *blob; /* of what goes in and of what comes out */
  int fd;
  uint64_t in, size;
  zl_pack_fn fn;
  void *ctx;
};

static int on_compressed(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct packing *p = ctx;
  int r = zl_fd_write_full(p->fd, data, len);

  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "writing a layer for others");
  zl_hash_update(p->blob, data, len);
  p->size += len;
  return 0;
}

static int on_tar(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct packing *p = ctx;
  int r = p->fn != NULL ? p->fn(p->ctx, p->in, err) : 0;

  if (r < 0)
    return r;
  zl_hash_update(p->diff, data, len);
  p->in += len;
  return zl_compressor_write(p->compressor, data, len, err);
}

static int pack_tree(struct packing *p, int tree_fd, struct zl_export_layer *layer,
                     struct zl_error *err)
{
  const struct zl_byte_sink in = { .write = on_tar, .ctx = p };
  int r = zl_tar_put_tree(tree_fd, &in, err);

  if (r == 0)
    r = zl_compressor_finish(p->compressor, err);
  if (r == 0)
    r = zl_hash_final(p->diff, layer->diff_id, err);
  if (r == 0)
    r = zl_hash_final(p->blob, layer->digest, err);
  return r;
}

static int pack(struct zl_export *x, struct zl_export_layer *layer, enum zl_compression how,
                zl_pack_fn fn, void *ctx, struct zl_error *err)
{
  struct packing p = { .fd = layer->blob_fd, .fn = fn, .ctx = ctx };
  const struct zl_byte_sink out = { .write = on_compressed, .ctx = &p };
  ZL_CLEANUP(zl_compressor_freep) struct zl_compressor *compressor = NULL;
  zl_autohash diff = NULL;
  zl_autohash blob = NULL;
  zl_autofd tree = -1;
  int r = zl_layer_open(x->store->layers_fd, layer->key, &tree, err);

  if (r == 0)
    r = zl_compressor_new(how, &out, &compressor, err);
  if (r == 0)
    r = zl_hash_new(ZL_SHA256, &diff, err);
  if (r == 0)
    r = zl_hash_new(ZL_SHA256, &blob, err);
  if (r < 0)
    return r;
  p.compressor = compressor;
  p.diff = diff;
  p.blob = blob;
  r = pack_tree(&p, tree, layer, err);
  layer->size = p.size;
  layer->compression = how;
  return r;
}

enum zl_compression zl_export_compression(enum zl_image_compression wanted)
{
  switch (wanted) {
  case ZL_IMAGE_ZSTD:
    return ZL_COMPRESSION_ZSTD;
  case ZL_IMAGE_PLAIN:
    return ZL_COMPRESSION_NONE;
  case ZL_IMAGE_GZIP:
    break;
  }
  return ZL_COMPRESSION_GZIP;
}

/* The author said that it shall be got elsewhere only. */
static bool is_foreign(const struct zl_descriptor *layer)
{
  return layer->urls != NULL || strstr(layer->media_type, "nondistributable") != NULL ||
         strstr(layer->media_type, "foreign") != NULL;
}

int zl_export_pack(struct zl_export *x, size_t i, enum zl_compression how, zl_pack_fn fn, void *ctx,
                   struct zl_error *err)
{
  struct zl_export_layer *layer = &x->layers[i];
  int r;

  if (is_foreign(layer->original))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "layer %s may not be redistributed",
                   layer->original->digest);
  zl_export_drop(x, i);
  r = zl_fd_open(x->store->layers_fd, ".", O_RDWR | O_TMPFILE, 0600);
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "making a file without a name in '%s/layers'",
                   x->store->root);
  layer->blob_fd = r;
  r = pack(x, layer, how, fn, ctx, err);
  if (r == 0)
    return 0;
  zl_export_drop(x, i);
  return zl_wrap(err, "layer %s", layer->key);
}

void zl_export_drop(struct zl_export *x, size_t i)
{
  zl_fd_closep(&x->layers[i].blob_fd);
}
