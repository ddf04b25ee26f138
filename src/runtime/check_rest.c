/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/check.h"

/* ---- containers/.gone-<id>-<token> ---- */

#define GONE ".gone-"

/* A removal that goes on still holds the lock of its container. */
static bool is_being_removed(struct zl_runtime *rt, const char *name)
{
  char id[ZL_ID_TEXT];
  const char *start = name + strlen(GONE), *token = strrchr(name, '-');
  size_t len = token > start ? (size_t)(token - start) : 0;

  if (len == 0 || len >= sizeof(id))
    return false;
  memcpy(id, start, len);
  id[len] = '\0';
  return zl_node_is_locked(rt, id);
}

int zl_check_directories(struct zl_check *check, struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(check->rt->containers_fd, ".");
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return zl_fail_errno(err, "reading directory 'containers'");
  while (r == 0 && (e = readdir(dir)) != NULL) {
    bool repaired;

    if (!zl_has_prefix(e->d_name, GONE) || is_being_removed(check->rt, e->d_name))
      continue;
    repaired = check->repair && zl_path_remove_tree(check->rt->containers_fd, e->d_name) == 0;
    r = zl_check_report(check, "directory", e->d_name, "left by an interrupted removal", repaired);
  }
  return r;
}

/* ---- Rows whose container has none ---- */

struct alone {
  char **ids;
};

static int add_id(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct alone *alone = ctx;

  return zl_strv_push(&alone->ids, zl_row_text(row, 0), err);
}

static int check_table(struct zl_check *check, const char *kind, const char *sql,
                       struct zl_error *err)
{
  struct alone alone = { 0 };
  struct zl_store *store = NULL;
  int r = zl_node_store(check->rt, &store, err);

  if (r == 0)
    r = zl_store_query(store, add_id, &alone, err, sql, "");
  for (size_t i = 0; r == 0 && alone.ids != NULL && alone.ids[i] != NULL; i++) {
    zl_autofd lock = -1;
    bool repaired = check->repair && zl_node_try_lock(check->rt, alone.ids[i], &lock) &&
                    zl_dismantle(check->rt, alone.ids[i], NULL, NULL) == 0;

    if (repaired)
      zl_node_forget_lock(check->rt, alone.ids[i]);
    r = zl_check_report(check, kind, alone.ids[i], "its container does not exist", repaired);
  }
  zl_strv_free(alone.ids);
  return r;
}

#define WITHOUT_CONTAINER " WHERE container NOT IN (SELECT id FROM containers)"

int zl_check_rows_alone(struct zl_check *check, struct zl_error *err)
{
  int r = check_table(check, "container",
                      "SELECT DISTINCT container FROM journal" WITHOUT_CONTAINER, err);

  if (r == 0)
    r = check_table(check, "lease", "SELECT container FROM leases" WITHOUT_CONTAINER, err);
  if (r == 0)
    r = check_table(check, "ports", "SELECT DISTINCT container FROM ports" WITHOUT_CONTAINER, err);
  return r;
}

/* ---- Locks ---- */

/* Other names are the node's own locks, which stay. */
int zl_check_locks(struct zl_check *check, struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(check->rt->locks_fd, ".");
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return zl_fail_errno(err, "reading directory 'locks'");
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (zl_path_is_name(e->d_name, ZL_ID_TEXT - 1) &&
        zl_node_is_stale_lock(check->rt, e->d_name, check->repair))
      r = zl_check_report(check, "lock", e->d_name, "left by an operation that was killed",
                          check->repair);
  return r;
}

/* ---- Layers ---- */

static bool may_be_used(void *ctx, const char *key)
{
  const struct zl_check *check = ctx;

  (void)key;
  return check->strangers;
}

int zl_check_layers(struct zl_check *check, struct zl_error *err)
{
  struct zl_image_gc_options options = { .dry_run = !check->repair,
                                         .is_used = may_be_used,
                                         .ctx = check };
  struct zl_image_gc_result found = { 0 };
  struct zl_image_store *images = NULL;
  char detail[96];
  int r = zl_node_images(check->rt, &images, err);

  if (r == 0 && check->repair)
    r = zl_image_flush(images, err);
  if (r == 0)
    r = zl_image_gc(images, &options, &found, err);
  if (r < 0 || found.layers + found.staging == 0)
    return r;
  (void)snprintf(detail, sizeof(detail), "%zu layers without an image, %zu interrupted pulls",
                 found.layers, found.staging);
  return zl_check_report(check, "layer", "layers", detail, check->repair);
}
