/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving disk space back, and saying where it went.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/rand.h"
#include "base/strv.h"
#include "runtime/node.h"

/* ---- Containers ---- */

static int prune_container(struct zl_runtime *rt, const struct zl_record *record, char ***ended,
                           bool dry_run, struct zl_prune_result *sum, struct zl_error *err)
{
  struct zl_observation seen;
  uint64_t bytes = 0, files = 0;
  zl_autofd lock = -1;
  int r = zl_observe(rt, record, &seen, err);

  if (r < 0 || !zl_has_ended(&seen))
    return r;
  (void)zl_path_tree_usage(rt->containers_fd, record->id, &bytes, &files);
  if (dry_run) {
    r = zl_strv_push(ended, record->id, err);
    if (r < 0)
      return r;
  } else {
    if (!zl_node_try_lock_of(rt, record, &lock))
      return 0;
    r = zl_dismantle(rt, record->id, record->backend, err);
    if (r < 0)
      return r;
    zl_event_emit(rt, "container", "remove", record->id, NULL);
    zl_node_forget_lock(rt, record->id);
  }
  sum->containers++;
  sum->container_bytes += bytes;
  return 0;
}

static int prune_containers(struct zl_runtime *rt, char ***ended, bool dry_run,
                            struct zl_prune_result *sum, struct zl_error *err)
{
  struct zl_record *records = NULL;
  size_t n = 0;
  int r = zl_record_list(rt, &records, &n, err);

  for (size_t i = 0; r == 0 && i < n; i++)
    r = prune_container(rt, &records[i], ended, dry_run, sum, err);
  zl_records_free(records, n);
  return r;
}

/* ---- Images ---- */

static int prune_images(struct zl_runtime *rt, bool all, bool dry_run, struct zl_prune_result *sum,
                        struct zl_error *err)
{
  struct zl_image_gc_options options = { .images = all, .partials = all, .dry_run = dry_run };
  struct zl_image_gc_result found = { 0 };
  struct zl_backend_usage disks = { 0 };
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_gc(images, &options, &found, err);
  if (r == 0)
    r = zl_backends_collect(rt, dry_run, &disks, err);
  if (r < 0)
    return r;
  sum->images += found.images;
  sum->layers += found.layers;
  sum->leftovers += found.staging;
  sum->layer_bytes += found.bytes;
  sum->leftover_bytes += found.staging_bytes;
  sum->machine_bytes += disks.bytes;
  return 0;
}

/* ---- Volumes ---- */

static int add_name(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  return zl_strv_push(ctx, zl_row_text(row, 0), err);
}

#define UNUSED_VOLUME "name NOT IN (SELECT name FROM volume_users)"

/* The row goes and the directory is renamed in one transaction: a container that is being created
 * has either entered itself before, or gets a new volume. */
static int forget_volume(struct zl_runtime *rt, int dir_fd, const char *name, const char *aside,
                         bool *ret_gone, struct zl_error *err)
{
  int r = zl_store_begin(rt->store, err);

  if (r < 0)
    return r;
  r = zl_store_run(rt->store, err, "DELETE FROM volumes WHERE name = ? AND " UNUSED_VOLUME, "s",
                   name);
  *ret_gone = r == 0 && zl_store_changes(rt->store) > 0;
  if (*ret_gone && renameat(dir_fd, name, dir_fd, aside) < 0 && errno != ENOENT)
    r = zl_fail_errno(err, "setting volume '%s' aside", name);
  if (r == 0)
    return zl_store_commit(rt->store, err);
  zl_store_rollback(rt->store);
  return r;
}

static int prune_volume(struct zl_runtime *rt, int dir_fd, const char *name, bool dry_run,
                        struct zl_prune_result *sum, struct zl_error *err)
{
  uint64_t bytes = 0, files = 0;
  char token[9], aside[96];
  bool gone = true;
  int r = 0;

  (void)zl_path_tree_usage(dir_fd, name, &bytes, &files);
  if (!dry_run) {
    r = zl_rand_hex(token, sizeof(token), err);
    (void)snprintf(aside, sizeof(aside), ".gone-%s-%s", name, token);
    if (r == 0)
      r = forget_volume(rt, dir_fd, name, aside, &gone, err);
    if (r == 0 && gone && zl_path_remove_tree(dir_fd, aside) < 0)
      r = zl_fail(err, ZL_E_SYSTEM, 0, "removing volume '%s' (now '%s')", name, aside);
  }
  if (r < 0 || !gone)
    return r;
  sum->volumes++;
  sum->volume_bytes += bytes;
  return 0;
}

static int prune_volumes(struct zl_runtime *rt, bool dry_run, struct zl_prune_result *sum,
                         struct zl_error *err)
{
  zl_autostrv names = NULL;
  struct zl_store *store = NULL;
  zl_autofd dir = -1;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_store_query(store, add_name, &names, err,
                       "SELECT name FROM volumes WHERE " UNUSED_VOLUME " ORDER BY name", "");
  if (r < 0 || names == NULL)
    return r;
  dir = zl_path_open_dir(rt->root_fd, "volumes", 0700);
  if (dir < 0) {
    int os_error = -dir;

    dir = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening directory 'volumes'");
  }
  for (size_t i = 0; r == 0 && names[i] != NULL; i++)
    r = prune_volume(rt, dir, names[i], dry_run, sum, err);
  return r;
}

/* ---- All of it ---- */

/* For a dry run: the rows are gone until the transaction is taken back, so that what only these
 * containers hold counts as unused. */
static int forget_ended(struct zl_store *store, char *const *ended, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; ended != NULL && ended[i] != NULL && r == 0; i++) {
    r = zl_store_run(store, err, "DELETE FROM containers WHERE id = ?", "s", ended[i]);
    if (r == 0)
      r = zl_store_run(store, err, "DELETE FROM volume_users WHERE container = ?", "s", ended[i]);
  }
  return r;
}

static int prune_rest(struct zl_runtime *rt, const struct zl_prune_options *options,
                      struct zl_prune_result *sum, struct zl_error *err)
{
  int r = prune_images(rt, options->images, options->dry_run, sum, err);

  if (r == 0 && options->volumes)
    r = prune_volumes(rt, options->dry_run, sum, err);
  return r;
}

static int count_rest(struct zl_runtime *rt, const struct zl_prune_options *options,
                      char *const *ended, struct zl_prune_result *sum, struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  struct zl_store *store = NULL;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_node_images(rt, &images, err);
  if (r == 0)
    r = zl_store_begin(store, err);
  if (r < 0)
    return r;
  r = forget_ended(store, ended, err);
  if (r == 0)
    r = prune_rest(rt, options, sum, err);
  zl_store_rollback(store);
  return r;
}

int zl_prune(struct zl_runtime *rt, const struct zl_prune_options *options,
             struct zl_prune_result *ret, struct zl_error *err)
{
  struct zl_prune_result sum = { 0 };
  zl_autostrv ended = NULL;
  int r = 0;

  /* Containers first: they hold images and volumes. */
  if (options->containers)
    r = prune_containers(rt, &ended, options->dry_run, &sum, err);
  if (r == 0)
    r = options->dry_run ? count_rest(rt, options, ended, &sum, err)
                         : prune_rest(rt, options, &sum, err);
  if (r < 0)
    return r;
  sum.bytes = sum.container_bytes + sum.layer_bytes + sum.volume_bytes + sum.leftover_bytes +
              sum.machine_bytes;
  *ret = sum;
  return 0;
}
