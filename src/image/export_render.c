/* SPDX-License-Identifier: Apache-2.0
 *
 * The documents of an exported image.
 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "image/export.h"

void zl_exported_done(struct zl_exported *exported)
{
  zl_buf_done(&exported->manifest);
  zl_buf_done(&exported->config);
  zl_freep(&exported->media_type);
}

static const char *diff_id_of(const struct zl_export_layer *layer)
{
  return layer->kept ? layer->original_diff_id : layer->diff_id;
}

/* ---- The configuration ----------------------------------------------------------------------- */

static bool has_same_diff_ids(const struct zl_export *x)
{
  for (size_t i = 0; i < x->n_layers; i++)
    if (strcmp(diff_id_of(&x->layers[i]), x->layers[i].original_diff_id) != 0)
      return false;
  return true;
}

static int put_json(struct zl_buf *to, const json_t *json, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = zl_json_render(json, &text, err);

  return r < 0 ? r : zl_buf_puts(to, text, err);
}

static int render_config(const struct zl_export *x, struct zl_buf *ret, struct zl_error *err)
{
  zl_autojson *config = NULL;
  json_t *ids;
  int r;

  if (has_same_diff_ids(x))
    return zl_buf_append(ret, x->config_text.data, x->config_text.len, err);
  r = zl_json_parse(x->config_text.data, x->config_text.len, "the image's configuration", &config,
                    err);
  if (r < 0)
    return r;
  ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
  for (size_t i = 0; i < x->n_layers; i++)
    if (json_array_set_new(ids, i, json_string(diff_id_of(&x->layers[i]))) < 0)
      return zl_fail_nomem(err, "a configuration");
  return put_json(ret, config, err);
}

/* ---- The manifest ---------------------------------------------------------------------------- */

/* A manifest speaks one language; the two have a word for each kind. */
static const char *layer_type(enum zl_compression compression)
{
  switch (compression) {
  case ZL_COMPRESSION_ZSTD:
    return ZL_MT_OCI_LAYER "+zstd";
  case ZL_COMPRESSION_NONE:
    return ZL_MT_OCI_LAYER;
  default:
    return ZL_MT_OCI_LAYER "+gzip";
  }
}

static const char *original_type(const char *type)
{
  if (strcmp(type, "application/vnd.docker.image.rootfs.diff.tar") == 0)
    return layer_type(ZL_COMPRESSION_NONE);
  if (strcmp(type, "application/vnd.docker.image.rootfs.diff.tar.gzip") == 0)
    return layer_type(ZL_COMPRESSION_GZIP);
  if (strcmp(type, "application/vnd.docker.image.rootfs.diff.tar.zstd") == 0)
    return layer_type(ZL_COMPRESSION_ZSTD);
  return type;
}

static json_t *descriptor(const char *type, const char *digest, uint64_t size)
{
  return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
                   (json_int_t)size);
}

static json_t *layer_descriptor(const struct zl_export_layer *layer)
{
  return layer->kept ? descriptor(original_type(layer->original->media_type),
                                  layer->original->digest, layer->original->size)
                     : descriptor(layer_type(layer->compression), layer->digest, layer->size);
}

static int render_manifest(const struct zl_export *x, struct zl_exported *ret, struct zl_error *err)
{
  zl_autojson *layers = json_array();
  zl_autojson *manifest = NULL, *pulled = NULL;
  json_t *annotations;
  int r = zl_json_parse(x->manifest_text.data, x->manifest_text.len, "the image's manifest",
                        &pulled, err);

  if (r < 0)
    return r;
  for (size_t i = 0; i < x->n_layers; i++)
    if (json_array_append_new(layers, layer_descriptor(&x->layers[i])) < 0)
      return zl_fail_nomem(err, "a manifest");
  manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", ZL_MT_OCI_MANIFEST,
                       "config", descriptor(ZL_MT_OCI_CONFIG, ret->config_digest, ret->config.len),
                       "layers", layers);
  annotations = json_object_get(pulled, "annotations");
  if (manifest == NULL ||
      (annotations != NULL && json_object_set(manifest, "annotations", annotations) < 0))
    return zl_fail_nomem(err, "a manifest");
  return put_json(&ret->manifest, manifest, err);
}

static bool is_whole(const struct zl_export *x)
{
  for (size_t i = 0; i < x->n_layers; i++)
    if (!x->layers[i].kept)
      return false;
  return true;
}

int zl_export_render(const struct zl_export *x, struct zl_exported *ret, struct zl_error *err)
{
  const bool whole = is_whole(x);
  int r = render_config(x, &ret->config, err);

  if (r == 0)
    r = zl_digest_of(ZL_SHA256, ret->config.data, ret->config.len, ret->config_digest, err);
  if (r == 0)
    r = whole ? zl_buf_append(&ret->manifest, x->manifest_text.data, x->manifest_text.len, err)
              : render_manifest(x, ret, err);
  if (r == 0)
    r = zl_digest_of(ZL_SHA256, ret->manifest.data, ret->manifest.len, ret->manifest_digest, err);
  if (r < 0)
    return r;
  if (whole) { /* by whatever algorithm they were named */
    memcpy(ret->manifest_digest, x->digest, sizeof(ret->manifest_digest));
    memcpy(ret->config_digest, x->manifest.config.digest, sizeof(ret->config_digest));
  }
  ret->media_type = strdup(whole ? x->manifest.media_type : ZL_MT_OCI_MANIFEST);
  return ret->media_type != NULL ? 0 : zl_fail_nomem(err, "a manifest");
}
