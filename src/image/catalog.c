/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows that make images out of layers.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/config.h"
#include "image/layer_flush.h"
#include "image/layer_store.h"
#include "image/store_internal.h"
#include "spec/imageref.h"
#include "store/store.h"

enum {
  MIN_PREFIX = 6 /* hex digits of a digest that may stand for it */
};

/* ---- Writing --------------------------------------------------------------------------------- */

static int write_layers(struct zl_image_store *store, const struct zl_selection *selection,
                        const struct zl_layer_fetch *fetch, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < selection->manifest.n_items; i++) {
    const char *key = zl_layer_fetch_key(fetch, i);
    struct zl_layer_meta meta;

    r = zl_layer_meta_read(store->layers_fd, key, &meta, err);
    if (r == 0)
      r = zl_store_run(store->store, err,
                       "INSERT OR REPLACE INTO layers (key, diff_id, bytes, files)"
                       " VALUES (?, ?, ?, ?)",
                       "ssuu", key, meta.diff_id, meta.bytes, meta.files);
    if (r == 0)
      r = zl_store_run(store->store, err,
                       "INSERT OR REPLACE INTO manifest_layers (digest, position, key)"
                       " VALUES (?, ?, ?)",
                       "sis", selection->document.digest, (int64_t)i, key);
  }
  return r;
}

static int write_rows(struct zl_image_store *store, const char *reference,
                      const struct zl_selection *s, const struct zl_layer_fetch *fetch,
                      struct zl_error *err)
{
  int r =
      zl_store_run(store->store, err,
                   "INSERT OR REPLACE INTO manifests"
                   " (digest, media_type, manifest, config, os, arch) VALUES (?, ?, ?, ?, ?, ?)",
                   "ssbbss", s->document.digest, s->manifest.media_type, s->document.text.data,
                   s->document.text.len, s->config.data, s->config.len, s->image.os, s->image.arch);

  if (r == 0)
    r = write_layers(store, s, fetch, err);
  if (r == 0)
    r = zl_store_run(store->store, err,
                     "INSERT OR REPLACE INTO images (reference, digest, source_digest, pulled_at)"
                     " VALUES (?, ?, ?, ?)",
                     "sssu", reference, s->document.digest, s->source_digest, zl_time_wall());
  return r;
}

int zl_catalog_commit(struct zl_image_store *store, const char *reference,
                      const struct zl_selection *selection, const struct zl_layer_fetch *fetch,
                      struct zl_error *err)
{
  int r = zl_store_begin(store->store, err);

  if (r < 0)
    return r;
  r = write_rows(store, reference, selection, fetch, err);
  if (r < 0) {
    zl_store_rollback(store->store);
    return r;
  }
  return zl_store_commit(store->store, err);
}

int zl_catalog_set_verified(struct zl_image_store *store, const char *reference, const char *digest,
                            const char *print, uint64_t until, struct zl_error *err)
{
  return zl_store_run(store->store, err,
                      "INSERT OR REPLACE INTO verified (reference, digest, policy, until)"
                      " VALUES (?, ?, ?, ?)",
                      "sssu", reference, digest, print, until < INT64_MAX ? until : INT64_MAX);
}

/* ---- Finding --------------------------------------------------------------------------------- */

struct pair {
  char *first, *second; /* ZL_DIGEST_TEXT each, or NULL */
  size_t rows;
};

static int take_pair(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct pair *pair = ctx;

  (void)err;
  if (pair->rows++ > 0)
    return 0;
  (void)snprintf(pair->first, ZL_DIGEST_TEXT, "%s", zl_row_text(row, 0));
  if (pair->second != NULL)
    (void)snprintf(pair->second, ZL_DIGEST_TEXT, "%s", zl_row_text(row, 1));
  return 0;
}

int zl_catalog_find(struct zl_image_store *store, const char *reference, char *ret_digest,
                    char *ret_source_digest, struct zl_error *err)
{
  struct pair pair = { ret_digest, ret_source_digest, 0 };
  int r = zl_store_query(store->store, take_pair, &pair, err,
                         "SELECT digest, source_digest FROM images WHERE reference = ?", "s",
                         reference);

  if (r == 0 && pair.rows == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no image '%s' is stored", reference);
  return r;
}

static int count_row(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  (void)row;
  (void)err;
  *(bool *)ctx = true;
  return 0;
}

int zl_catalog_is_verified(struct zl_image_store *store, const char *reference, const char *digest,
                           const char *print, bool *ret, struct zl_error *err)
{
  *ret = false;
  return zl_store_query(store->store, count_row, ret, err,
                        "SELECT 1 FROM verified"
                        " WHERE reference = ? AND digest = ? AND policy = ? AND until > ?",
                        "sssu", reference, digest, print, zl_time_wall() / ZL_NS_PER_S);
}

/* "sha256:" + hex, or hex alone; a whole digest or a part of it. */
static bool is_digest_prefix(const char *text, char ret[ZL_DIGEST_TEXT])
{
  const bool named = zl_has_prefix(text, "sha256:") || zl_has_prefix(text, "sha512:");
  const char *hex = named ? text + 7 : text;
  size_t len = strlen(hex);

  if (len < MIN_PREFIX || len > 128 || strspn(hex, "0123456789abcdef") != len)
    return false;
  (void)snprintf(ret, ZL_DIGEST_TEXT, "%s%s", named ? "" : "sha256:", text);
  return true;
}

/* 'g' follows 'f', so the texts between prefix and prefix + "g" are those that begin with it. */
static int find_by_prefix(struct zl_image_store *store, const char *prefix,
                          char ret_digest[ZL_DIGEST_TEXT], struct zl_error *err)
{
  zl_autofree char *end = zl_asprintf("%sg", prefix);
  char digest[ZL_DIGEST_TEXT];
  struct pair pair = { digest, NULL, 0 };
  int r;

  if (end == NULL)
    return zl_fail_nomem(err, "a digest");
  r = zl_store_query(store->store, take_pair, &pair, err,
                     "SELECT digest FROM manifests WHERE digest >= ? AND digest < ?"
                     " UNION SELECT digest FROM images"
                     " WHERE source_digest >= ? AND source_digest < ? LIMIT 2",
                     "ssss", prefix, end, prefix, end);
  if (r < 0)
    return r;
  if (pair.rows == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no image '%s' is stored", prefix);
  if (pair.rows > 1)
    return zl_fail(err, ZL_E_CONFLICT, 0, "several images begin with '%s': give more digits",
                   prefix);
  memcpy(ret_digest, digest, ZL_DIGEST_TEXT);
  return 0;
}

int zl_catalog_look_up(struct zl_image_store *store, const char *image,
                       char ret_digest[ZL_DIGEST_TEXT], char **ret_reference, struct zl_error *err)
{
  zl_auto_image_ref ref = { 0 };
  char prefix[ZL_DIGEST_TEXT];
  const bool digest = is_digest_prefix(image, prefix);
  int r = zl_image_ref_parse(image, &ref, err);

  if (r == 0)
    r = zl_catalog_find(store, ref.canonical, ret_digest, NULL, err);
  if (r == 0) {
    *ret_reference = zl_steal_ptr(&ref.canonical);
    return 0;
  }
  *ret_reference = NULL;
  return digest && (r == -ZL_E_NOT_FOUND || r == -ZL_E_INVALID)
             ? find_by_prefix(store, prefix, ret_digest, err)
             : r;
}

/* ---- Resolving ------------------------------------------------------------------------------- */

struct resolution {
  struct zl_image *image;
  const struct zl_image_store *store;
  size_t rows;
  bool pending; /* a layer of it is not flushed */
};

static int take_manifest(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct resolution *res = ctx;
  zl_autostrv diff_ids = NULL;
  size_t len;
  const char *config = zl_row_blob(row, 0, &len);

  res->rows++;
  return zl_image_config_parse(config != NULL ? config : "", len, "the image's configuration",
                               res->image, &diff_ids, err);
}

/* Rows come top first, as overlayfs wants its lower directories. */
static int take_layer(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct resolution *res = ctx;
  const char *key = zl_row_text(row, 0);
  zl_autofree char *path = NULL;
  enum zl_layer_kind kind;
  bool pending = false;

  if (zl_layer_find_kind(res->store->layers_fd, key, &kind, &pending, err) < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "layer %s is not on disk any more: pull the image again",
                   key);
  res->pending = res->pending || pending;
  path = zl_layer_path(res->store->root, key, kind);
  if (path == NULL)
    return zl_fail_nomem(err, "the layers of an image");
  return zl_strv_push(&res->image->layers, path, err);
}

static int take_reference(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  char **ret = ctx;

  *ret = strdup(zl_row_text(row, 0));
  return *ret != NULL ? 1 : zl_fail_nomem(err, "a reference");
}

static int set_reference(struct zl_image_store *store, const char *digest, char **reference,
                         struct zl_image *image, struct zl_error *err)
{
  int r = 0;

  image->reference = zl_steal_ptr(reference);
  if (image->reference == NULL)
    r = zl_store_query(store->store, take_reference, &image->reference, err,
                       "SELECT reference FROM images WHERE digest = ? ORDER BY reference LIMIT 1",
                       "s", digest);
  if (r == 0 && image->reference == NULL)
    image->reference = strdup(digest);
  image->digest = strdup(digest);
  if (r == 0 && (image->reference == NULL || image->digest == NULL))
    r = zl_fail_nomem(err, "an image");
  return r;
}

int zl_image_resolve(struct zl_image_store *store, const char *image, struct zl_image *ret,
                     struct zl_error *err)
{
  zl_autoimage found = { 0 };
  zl_autofree char *reference = NULL;
  struct resolution res = { .image = &found, .store = store };
  char digest[ZL_DIGEST_TEXT];
  int r = zl_catalog_look_up(store, image, digest, &reference, err);

  if (r == 0)
    r = zl_store_query(store->store, take_manifest, &res, err,
                       "SELECT config FROM manifests WHERE digest = ?", "s", digest);
  if (r == 0 && res.rows == 0)
    r = zl_fail(err, ZL_E_NOT_FOUND, 0, "no image '%s' is stored", image);
  if (r == 0)
    r = zl_store_query(store->store, take_layer, &res, err,
                       "SELECT key FROM manifest_layers WHERE digest = ? ORDER BY position DESC",
                       "s", digest);
  if (r == 0)
    r = set_reference(store, digest, &reference, &found, err);
  if (r < 0)
    return r;
  if (res.pending)
    zl_flusher_rescue(store->helper, store->layers_fd);
  *ret = found;
  found = (struct zl_image){ 0 };
  return 0;
}
