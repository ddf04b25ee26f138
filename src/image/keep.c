/* SPDX-License-Identifier: Apache-2.0
 *
 * Listing, removing, inspecting, measuring.
 */
#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/partial.h"
#include "image/store_internal.h"
#include "store/store.h"

/* ---- List ------------------------------------------------------------------------------------ */

struct list {
  struct zl_image_info *items;
  size_t count;
};

static int take_info(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct list *list = ctx;
  struct zl_image_info *items = realloc(list->items, (list->count + 1) * sizeof(*items));
  struct zl_image_info *info;

  if (items == NULL)
    return zl_fail_nomem(err, "the list of images");
  list->items = items;
  info = &items[list->count++];
  *info = (struct zl_image_info){ .reference = strdup(zl_row_text(row, 0)),
                                  .digest = strdup(zl_row_text(row, 1)),
                                  .os = strdup(zl_row_text(row, 2)),
                                  .arch = strdup(zl_row_text(row, 3)),
                                  .pulled_at_ns = zl_row_u64(row, 4),
                                  .size = zl_row_u64(row, 5),
                                  .layers = (size_t)zl_row_int(row, 6),
                                  .containers = (size_t)zl_row_int(row, 7) };
  if (info->reference == NULL || info->digest == NULL || info->os == NULL || info->arch == NULL)
    return zl_fail_nomem(err, "the list of images");
  return 0;
}

int zl_image_list(struct zl_image_store *store, struct zl_image_info **ret, size_t *ret_count,
                  struct zl_error *err)
{
  struct list list = { 0 };
  int r =
      zl_store_query(store->store, take_info, &list, err,
                     "SELECT i.reference, i.digest, m.os, m.arch, i.pulled_at,"
                     " (SELECT coalesce(sum(bytes), 0) FROM layers WHERE key IN"
                     "   (SELECT key FROM manifest_layers WHERE digest = i.digest)),"
                     " (SELECT count(*) FROM manifest_layers WHERE digest = i.digest),"
                     " (SELECT count(*) FROM containers WHERE image_digest = i.digest)"
                     " FROM images i JOIN manifests m ON m.digest = i.digest ORDER BY i.reference",
                     "");

  if (r < 0) {
    zl_image_list_free(list.items, list.count);
    return r;
  }
  *ret = list.items;
  *ret_count = list.count;
  return 0;
}

void zl_image_list_free(struct zl_image_info *images, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    free(images[i].reference);
    free(images[i].digest);
    free(images[i].os);
    free(images[i].arch);
  }
  free(images);
}

/* ---- Remove ---------------------------------------------------------------------------------- */

static int take_text(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  char **ret = ctx;

  *ret = strdup(zl_row_text(row, 0));
  return *ret != NULL ? 1 : zl_fail_nomem(err, "a name");
}

/* A container holds the reference it was made from and, when that reference or the last one of its
 * image goes, the image. */
static int check_unused(struct zl_image_store *store, const char *digest, const char *reference,
                        struct zl_error *err)
{
  zl_autofree char *container = NULL;
  int r = zl_store_query(store->store, take_text, &container, err,
                         "SELECT id FROM containers WHERE image_digest = ?1 AND (?2 IS NULL"
                         " OR image = ?2 OR NOT EXISTS (SELECT 1 FROM images"
                         "   WHERE digest = ?1 AND reference <> ?2)) LIMIT 1",
                         "ss", digest, reference);

  if (r == 0 && container != NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' uses it", container);
  return r;
}

static int forget(struct zl_image_store *store, const char *image, bool force, struct zl_error *err)
{
  zl_autofree char *reference = NULL;
  char digest[ZL_DIGEST_TEXT];
  int r = zl_catalog_look_up(store, image, digest, &reference, err);

  if (r == 0 && !force)
    r = check_unused(store, digest, reference, err);
  if (r < 0)
    return r;
  return zl_store_run(store->store, err,
                      "DELETE FROM images WHERE digest = ?1 AND (?2 IS NULL OR reference = ?2)",
                      "ss", digest, reference);
}

int zl_image_remove(struct zl_image_store *store, const char *image, bool force,
                    struct zl_error *err)
{
  struct zl_image_gc_result ignored;
  struct zl_error local = { 0 };
  int r;

  err = err != NULL ? err : &local;
  r = zl_store_begin(store->store, err);
  if (r < 0)
    return r;
  r = forget(store, image, force, err);
  if (r < 0) {
    zl_store_rollback(store->store);
    return zl_wrap(err, "removing image '%s'", image);
  }
  r = zl_store_commit(store->store, err);
  return r < 0 ? r : zl_image_gc(store, NULL, &ignored, err);
}

/* ---- Inspect --------------------------------------------------------------------------------- */

struct parts {
  json_t *manifest, *config;
};

static int take_parts(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct parts *parts = ctx;
  size_t len;
  const char *text = zl_row_blob(row, 0, &len);
  int r = zl_json_parse(text != NULL ? text : "", len, "manifest", &parts->manifest, err);

  if (r < 0)
    return r;
  text = zl_row_blob(row, 1, &len);
  return zl_json_parse(text != NULL ? text : "", len, "config", &parts->config, err);
}

static int take_reference(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  return json_array_append_new(ctx, json_string(zl_row_text(row, 0))) < 0
             ? zl_fail_nomem(err, "references")
             : 0;
}

static int take_bytes(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  return json_array_append_new(ctx, json_integer(zl_row_int(row, 0))) < 0
             ? zl_fail_nomem(err, "sizes of layers")
             : 0;
}

static json_t *platform_json(const struct zl_image *image)
{
  return json_pack("{s:s, s:s, s:s*, s:s*}", "os", image->os, "architecture", image->arch,
                   "variant", image->variant, "os_version", image->os_version);
}

int zl_image_inspect(struct zl_image_store *store, const char *image, char **ret_json,
                     struct zl_error *err)
{
  zl_autoimage found = { 0 };
  zl_autojson *root = NULL, *references = json_array(), *layers = NULL;
  zl_autojson *bytes = json_array();
  struct parts parts = { 0 };
  int r = zl_image_resolve(store, image, &found, err);

  if (r == 0)
    r = zl_store_query(store->store, take_reference, references, err,
                       "SELECT reference FROM images WHERE digest = ? ORDER BY reference", "s",
                       found.digest);
  if (r == 0)
    r = zl_store_query(store->store, take_parts, &parts, err,
                       "SELECT manifest, config FROM manifests WHERE digest = ?", "s",
                       found.digest);
  if (r == 0)
    r = zl_store_query(store->store, take_bytes, bytes, err,
                       "SELECT coalesce(l.bytes, 0) FROM manifest_layers m"
                       " LEFT JOIN layers l ON l.key = m.key WHERE m.digest = ?"
                       " ORDER BY m.position DESC",
                       "s", found.digest);
  if (r == 0) {
    layers = zl_json_from_strv((const char *const *)found.layers);
    root = json_pack("{s:s, s:s, s:O, s:o, s:O, s:O, s:O, s:O}", "reference", found.reference,
                     "digest", found.digest, "references", references, "platform",
                     platform_json(&found), "layers", layers, "layerBytes", bytes, "manifest",
                     parts.manifest, "config", parts.config);
    r = root != NULL ? zl_json_render(root, ret_json, err) : zl_fail_nomem(err, "inspecting");
  }
  json_decref(parts.manifest);
  json_decref(parts.config);
  return r;
}

/* ---- Usage ----------------------------------------------------------------------------------- */

static int take_usage(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct zl_image_usage *usage = ctx;

  (void)err;
  *usage = (struct zl_image_usage){ .images = (size_t)zl_row_int(row, 0),
                                    .layers = (size_t)zl_row_int(row, 1),
                                    .bytes = zl_row_u64(row, 2),
                                    .reclaimable_bytes = zl_row_u64(row, 3),
                                    .shared_bytes = zl_row_u64(row, 4) };
  return 0;
}

static int add_partials(struct zl_image_store *store, struct zl_image_usage *usage,
                        struct zl_error *err)
{
  zl_autofd dir = zl_partial_open_dir(store->root_fd, false);
  struct zl_partial_swept found = { 0 };
  int r;

  if (dir < 0) {
    dir = -1;
    return 0;
  }
  r = zl_partial_sweep(dir, true, true, &found, err);
  usage->bytes += found.bytes;
  usage->partial_bytes = found.bytes;
  usage->reclaimable_bytes += found.bytes;
  return r;
}

int zl_image_usage(struct zl_image_store *store, struct zl_image_usage *ret, struct zl_error *err)
{
  int r = zl_store_query(
      store->store, take_usage, ret, err,
      "SELECT (SELECT count(*) FROM images), count(*), coalesce(sum(bytes), 0),"
      " coalesce(sum(CASE WHEN key IN (SELECT key FROM manifest_layers WHERE digest IN"
      "   (SELECT image_digest FROM containers)) THEN 0 ELSE bytes END), 0),"
      " coalesce(sum(CASE WHEN (SELECT count(DISTINCT digest) FROM manifest_layers m"
      "   WHERE m.key = layers.key) > 1 THEN bytes ELSE 0 END), 0) FROM layers",
      "");

  return r < 0 ? r : add_partials(store, ret, err);
}
