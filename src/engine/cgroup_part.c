/* SPDX-License-Identifier: Apache-2.0
 *
 * Cgroups that somebody else has made: below a container's, and for a container.
 */
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "engine/cgroup_private.h"

/* ---- Below a container's ------------------------------------------------------------------- */

/* -1: there is none of this name that `whole` is in. */
static int find_tree(const struct zl_cgroup *whole, const char *name, size_t len)
{
  for (int tree = 0; tree < ZL_TREE_COUNT; tree++) {
    const char *dir = zl_cgroup_tree_dir(whole->root, (enum zl_cgroup_tree)tree);

    if (zl_cgroup_has(whole, (enum zl_cgroup_tree)tree) && strncmp(dir, name, len) == 0 &&
        dir[len] == '/')
      return tree;
  }
  return -1;
}

/* "cpu,cpuacct" up to `end`. */
static int choose_trees(const struct zl_cgroup *whole, const char *names, const char *end,
                        unsigned *ret, struct zl_error *err)
{
  *ret = 0;
  while (names < end) {
    size_t len = strcspn(names, ",:");
    int tree = len > 0 ? find_tree(whole, names, len) : -1;

    if (tree < 0)
      return zl_fail(err, ZL_E_INVALID, 0, "unknown controller %.*s", (int)len, names);
    *ret |= ZL_TREE_BIT(tree);
    names += len + (names[len] == ',');
  }
  return *ret != 0 ? 0 : zl_fail(err, ZL_E_INVALID, 0, "no controller before the ':'");
}

static bool leads_out(const char *path)
{
  for (; *path != '\0'; path += strcspn(path, "/")) {
    path += strspn(path, "/");
    if (strcspn(path, "/") == 2 && path[0] == '.' && path[1] == '.')
      return true;
  }
  return false;
}

/* `all`: each tree was named. Otherwise those count that have the path. */
static int check_trees(struct zl_cgroup *part, bool all, struct zl_error *err)
{
  unsigned found = 0;
  int missing = ZL_TREE_UNIFIED;

  for (int tree = 0; tree < ZL_TREE_COUNT; tree++) {
    if (!zl_cgroup_has(part, (enum zl_cgroup_tree)tree))
      continue;
    if (zl_cgroup_file_exists(part, (enum zl_cgroup_tree)tree, "cgroup.procs"))
      found |= ZL_TREE_BIT(tree);
    else
      missing = tree;
  }
  if (found != part->trees && (all || found == 0))
    return zl_fail(err, ZL_E_NOT_FOUND, 0,
                   "adding pid of the new process: %s%s/cgroup.procs: no such file or directory",
                   zl_cgroup_tree_dir(part->root, (enum zl_cgroup_tree)missing), part->path);
  part->trees = found;
  return 0;
}

int zl_cgroup_open_part(const struct zl_cgroup *whole, const char *text, struct zl_cgroup *ret,
                        struct zl_error *err)
{
  const char *colon = strchr(text, ':'), *path = colon != NULL ? colon + 1 : text;
  struct zl_cgroup part = *whole;
  size_t len = strlen(whole->path), more;
  int r = 0;

  if (leads_out(path))
    return zl_fail(err, ZL_E_INVALID, 0, "%.100s is not a sub cgroup path", path);
  path += strspn(path, "/");
  more = strlen(path);
  if (len + 1 + more >= sizeof(part.path))
    return zl_fail(err, ZL_E_LIMIT, 0, "'%.100s' is too long", path);
  if (more > 0)
    (void)stpcpy(stpcpy(part.path + len, "/"), path);
  if (colon != NULL)
    r = choose_trees(whole, text, colon, &part.trees, err);
  if (r == 0)
    r = check_trees(&part, colon != NULL, err);
  part.unified_fd = -1;
  if (r == 0)
    r = zl_cgroup_open_unified(&part, err);
  if (r == 0)
    *ret = part;
  return r;
}

/* ---- For a container ----------------------------------------------------------------------- */

static int stop_at_first(void *payload, pid_t pid, struct zl_error *err)
{
  (void)payload;
  (void)pid;
  (void)err;
  return 1;
}

static bool asks_to_freeze(const struct zl_cgroup *cg, enum zl_cgroup_tree tree)
{
  const bool v2 = tree == ZL_TREE_UNIFIED;
  zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);

  if (!v2 && tree != ZL_TREE_FREEZER)
    return false;
  return zl_cgroup_read(cg, tree, v2 ? "cgroup.freeze" : "freezer.state", &buf, NULL) == 0 &&
         buf.data != NULL && (v2 ? *buf.data == '1' : strcmp(buf.data, "THAWED\n") != 0);
}

static int check_free(const struct zl_cgroup *cg, struct zl_error *err)
{
  for (int tree = 0; tree < ZL_TREE_COUNT; tree++) {
    int r;

    if (!zl_cgroup_has(cg, (enum zl_cgroup_tree)tree))
      continue;
    if (asks_to_freeze(cg, (enum zl_cgroup_tree)tree))
      return zl_fail(err, ZL_E_CONFLICT, 0, "container's cgroup unexpectedly frozen: '%s%s'",
                     zl_cgroup_tree_dir(cg->root, (enum zl_cgroup_tree)tree), cg->path);
    r = zl_cgroup_each_pid(cg, (enum zl_cgroup_tree)tree, stop_at_first, NULL, err);
    if (r < 0)
      return r;
    if (r > 0)
      return zl_fail(err, ZL_E_CONFLICT, 0, "container's cgroup is not empty: '%s%s'",
                     zl_cgroup_tree_dir(cg->root, (enum zl_cgroup_tree)tree), cg->path);
  }
  return 0;
}

int zl_cgroup_take(const struct zl_cgroup_root *root, const char *path,
                   const struct zl_resources *res, struct zl_cgroup *ret, struct zl_error *err)
{
  struct zl_cgroup found = { .unified_fd = -1 };
  struct zl_error why = { 0 };
  int r = zl_cgroup_open(root, path, &found, &why);

  if (r == -ZL_E_NOT_FOUND)
    return zl_cgroup_create(root, path, res, ret, err);
  if (r < 0) {
    if (err != NULL)
      *err = why;
    return r;
  }
  r = check_free(&found, err);
  zl_cgroup_close(&found);
  return r == 0 ? zl_cgroup_create_in(root, path, res, true, ret, err) : r;
}
