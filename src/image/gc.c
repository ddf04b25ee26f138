/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector. A layer goes when no row needs it and nobody holds its lock, in this order: row
 * and name in one transaction, then the tree. A crash in between leaves staging, which the next
 * run removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/layer_store.h"
#include "image/partial.h"
#include "image/store_internal.h"
#include "store/store.h"

struct gc {
  struct zl_image_store *store;
  const struct zl_image_gc_options *options;
  struct zl_image_gc_result *result;
  struct zl_error first; /* every step is attempted; this is what is reported */
};

static void note(struct gc *gc, const struct zl_error *err)
{
  if (gc->first.code == ZL_OK)
    gc->first = *err;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static int count_row(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  size_t *count = ctx;

  (void)row;
  (void)err;
  (*count)++;
  return 0;
}

#define UNUSED_IMAGES "FROM images WHERE digest NOT IN (SELECT image_digest FROM containers)"

static int delete_rows(struct gc *gc, struct zl_error *err)
{
  struct zl_store *store = gc->store->store;
  int r = 0;

  if (gc->options->images)
    r = zl_store_run(store, err, "DELETE " UNUSED_IMAGES, "");
  if (r == 0)
    r = zl_store_run(store, err,
                     "DELETE FROM manifests WHERE digest NOT IN (SELECT digest FROM images)"
                     " AND digest NOT IN (SELECT image_digest FROM containers)",
                     "");
  if (r == 0)
    r = zl_store_run(
        store, err,
        "DELETE FROM manifest_layers WHERE digest NOT IN (SELECT digest FROM manifests)"
        " AND digest NOT IN (SELECT image_digest FROM containers)",
        "");
  return r;
}

static int forget_images(struct gc *gc, struct zl_error *err)
{
  struct zl_store *store = gc->store->store;
  int r = 0;

  if (gc->options->images)
    r = zl_store_query(store, count_row, &gc->result->images, err, "SELECT 1 " UNUSED_IMAGES, "");
  if (r < 0 || gc->options->dry_run)
    return r;
  r = zl_store_begin(store, err);
  if (r < 0)
    return r;
  r = delete_rows(gc, err);
  if (r < 0) {
    zl_store_rollback(store);
    return r;
  }
  return zl_store_commit(store, err);
}

/* Whether a container needs the layer, or (unless `by_containers` asks for these alone) a stored
 * image, one that will stay. */
static int is_needed(struct gc *gc, const char *key, bool by_containers, bool *ret,
                     struct zl_error *err)
{
  size_t rows = 0;
  int r = zl_store_query(gc->store->store, count_row, &rows, err,
                         "SELECT 1 FROM manifest_layers WHERE key = ? AND (digest IN"
                         " (SELECT image_digest FROM containers) OR (? = 0 AND digest IN"
                         " (SELECT digest FROM images))) LIMIT 1",
                         "si", key, (int64_t)(by_containers || gc->options->images));

  *ret = rows > 0;
  return r;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

/* Inside one write transaction no pull can commit an image that needs the layer. */
static int retire(struct gc *gc, const char *key, struct zl_staging *ret, struct zl_error *err)
{
  struct zl_store *store = gc->store->store;
  bool needed = true;
  int r = zl_store_begin(store, err);

  if (r < 0)
    return r;
  r = is_needed(gc, key, false, &needed, err);
  if (r == 0 && !needed)
    r = zl_store_run(store, err, "DELETE FROM layers WHERE key = ?", "s", key);
  if (r == 0 && !needed)
    r = zl_layer_retire(gc->store->layers_fd, key, ret, err);
  if (r < 0) {
    zl_store_rollback(store);
    return r;
  }
  return zl_store_commit(store, err);
}

static int collect_locked(struct gc *gc, const char *key, struct zl_error *err)
{
  const int layers_fd = gc->store->layers_fd;
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_layer_meta meta = { .bytes = 0 };
  bool gone;
  int r;

  (void)zl_layer_meta_read(layers_fd, key, &meta, NULL);
  r = gc->options->dry_run ? 0 : retire(gc, key, &staging, err);
  gone = r == 0 && (gc->options->dry_run || staging.name[0] != '\0');
  zl_staging_remove(layers_fd, &staging); /* also of a row that could not be committed */
  if (!gone)
    return r;
  gc->result->layers++;
  gc->result->bytes += meta.bytes;
  return 0;
}

static int collect(struct gc *gc, const char *key, struct zl_error *err)
{
  zl_autofd lock = -1;
  bool needed = true;
  int r = is_needed(gc, key, false, &needed, err);

  if (r < 0 || needed)
    return r;
  if (gc->options->is_used != NULL && gc->options->is_used(gc->options->ctx, key))
    return 0;
  r = zl_layer_try_lock(gc->store->layers_fd, key, &lock);
  if (r <= 0)
    return r == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, -r, "locking layer %s", key);
  if (faccessat(gc->store->layers_fd, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return collect_locked(gc, key, err);
  zl_layer_unlink_lock(gc->store->layers_fd, key); /* another collector was faster */
  return 0;
}

/* ---- Left-overs ------------------------------------------------------------------------------ */

static int sweep_staging(struct gc *gc, const char *name, struct zl_error *err)
{
  uint64_t bytes = 0, files = 0;
  int r;

  (void)zl_path_tree_usage(gc->store->layers_fd, name, &bytes, &files);
  r = gc->options->dry_run ? zl_staging_is_left(gc->store->layers_fd, name)
                           : zl_staging_sweep(gc->store->layers_fd, name, err);
  if (r > 0) {
    gc->result->staging++;
    gc->result->staging_bytes += bytes;
  }
  return r < 0 ? r : 0;
}

/* Another layer has its place; only a container may still run on it. */
static int sweep_aside(struct gc *gc, const char *name, struct zl_error *err)
{
  const char *key = zl_layer_aside_key(name);
  uint64_t bytes = 0, files = 0;
  bool needed = true;
  int r = is_needed(gc, key, true, &needed, err);

  if (r < 0 || needed ||
      (gc->options->is_used != NULL && gc->options->is_used(gc->options->ctx, key)))
    return r;
  (void)zl_path_tree_usage(gc->store->layers_fd, name, &bytes, &files);
  if (!gc->options->dry_run)
    r = zl_path_remove_tree(gc->store->layers_fd, name);
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "removing '%s'", name);
  gc->result->staging++;
  gc->result->staging_bytes += bytes;
  return 0;
}

/* A lock file whose layer does not exist, left by a maker that died. */
static int sweep_lock(struct gc *gc, const char *key, struct zl_error *err)
{
  const int layers_fd = gc->store->layers_fd;
  zl_autofd lock = -1;

  (void)err;
  if (!gc->options->dry_run && !zl_layer_is_published(layers_fd, key) &&
      zl_layer_try_lock(layers_fd, key, &lock) > 0 && !zl_layer_is_published(layers_fd, key))
    zl_layer_unlink_lock(layers_fd, key);
  return 0;
}

/* Downloads that nobody continues. */
static void sweep_partials(struct gc *gc)
{
  zl_autofd dir = zl_partial_open_dir(gc->store->root_fd, false);
  struct zl_partial_swept swept = { 0 };
  struct zl_error err = { 0 };
  int r = 0;

  if (dir < 0 && dir != -ENOENT)
    r = zl_fail(&err, ZL_E_SYSTEM, -dir, "opening the interrupted downloads");
  if (dir < 0)
    dir = -1;
  else
    r = zl_partial_sweep(dir, gc->options->partials, gc->options->dry_run, &swept, &err);
  gc->result->staging += swept.files;
  gc->result->staging_bytes += swept.bytes;
  if (r < 0)
    note(gc, &err);
}

static void sweep_entry(struct gc *gc, const char *name)
{
  struct zl_error err = { 0 };
  int r;

  if (name[0] == '.')
    return;
  if (zl_layer_aside_key(name) != NULL)
    r = sweep_aside(gc, name, &err);
  else if (zl_staging_is_one(gc->store->layers_fd, name))
    r = sweep_staging(gc, name, &err);
  else if (zl_has_prefix(name, "lock-"))
    r = sweep_lock(gc, name + strlen("lock-"), &err);
  else if (strlen(name) < ZL_LAYER_KEY)
    r = collect(gc, name, &err);
  else
    return;
  if (r < 0)
    note(gc, &err);
}

static void sweep(struct gc *gc)
{
  struct zl_error err = { 0 };
  zl_autodir *dir = zl_dir_open(gc->store->layers_fd, ".");
  const struct dirent *entry;

  if (dir == NULL) {
    (void)zl_fail_errno(&err, "listing the layers");
    note(gc, &err);
    return;
  }
  while ((entry = readdir(dir)) != NULL)
    sweep_entry(gc, entry->d_name);
  /* Rows of layers that somebody deleted by hand and that nothing needs. */
  if (!gc->options->dry_run &&
      zl_store_run(gc->store->store, &err,
                   "DELETE FROM layers WHERE key NOT IN (SELECT key FROM manifest_layers)", "") < 0)
    note(gc, &err);
}

int zl_image_gc(struct zl_image_store *store, const struct zl_image_gc_options *options,
                struct zl_image_gc_result *ret, struct zl_error *err)
{
  static const struct zl_image_gc_options defaults = { 0 };
  struct zl_image_gc_result result = { 0 };
  struct gc gc = { .store = store,
                   .options = options != NULL ? options : &defaults,
                   .result = &result };
  struct zl_error step = { 0 };

  if (forget_images(&gc, &step) < 0)
    note(&gc, &step);
  sweep(&gc);
  sweep_partials(&gc);
  if (ret != NULL)
    *ret = result;
  if (gc.first.code == ZL_OK)
    return 0;
  return zl_fail(err, gc.first.code, 0, "%s", gc.first.msg);
}
