/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/cgroup_private.h"

#define REMOVE_WAIT_NS (2 * ZL_NS_PER_S)

/* 1: (dir_fd, path) is the v2 tree; 0: it is something else, or nothing; negative: -errno. */
static int is_cgroup2(int dir_fd, const char *path)
{
  zl_autofd fd = zl_fd_open(dir_fd, path, O_PATH | O_DIRECTORY, 0);
  struct statfs fs;

  if (fd < 0)
    return fd == -ENOENT ? 0 : fd;
  return fstatfs(fd, &fs) < 0 ? -errno : fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int find_mode(int root_fd, enum zl_cgroup_mode *ret, struct zl_error *err)
{
  int whole = is_cgroup2(root_fd, "."), beside = whole == 0 ? is_cgroup2(root_fd, "unified") : 0;

  /* A tree that cannot be looked at is not one that is missing. */
  if (whole < 0 || beside < 0)
    return zl_fail(err, ZL_E_SYSTEM, whole < 0 ? -whole : -beside, "looking for the v2 cgroups");
  *ret = whole > 0 ? ZL_CGROUP_V2 : beside > 0 ? ZL_CGROUP_HYBRID : ZL_CGROUP_V1;
  return 0;
}

/* Every distribution, container and Kubernetes node has its trees here; asking /proc/self/mountinfo
 * instead takes as long as making two cgroups and grows with the number of mounts. */
int zl_cgroup_root_open(struct zl_cgroup_root *ret, struct zl_error *err)
{
  static const char path[] = "/sys/fs/cgroup";
  enum zl_cgroup_mode mode = ZL_CGROUP_V1;
  int r;
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, -zl_steal_fd(&fd), "control groups are not mounted at %s",
                   path);
  r = find_mode(fd, &mode, err);
  if (r < 0)
    return r;
  if (mode == ZL_CGROUP_V1 && faccessat(fd, "memory/cgroup.procs", F_OK, 0) < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "no control groups below %s", path);
  ret->mode = mode;
  ret->fd = zl_steal_fd(&fd);
  return 0;
}

void zl_cgroup_root_close(struct zl_cgroup_root *root)
{
  zl_fd_closep(&root->fd);
}

static int set_path(struct zl_cgroup *cg, const struct zl_cgroup_root *root, const char *path,
                    struct zl_error *err)
{
  const char *relative = path + strspn(path, "/");

  if (*relative == '\0' || strlen(relative) > ZL_MAX_CGROUP_PATH)
    return zl_fail(err, ZL_E_INVALID, 0, "cgroup path '%.100s': empty or longer than %d bytes",
                   path, ZL_MAX_CGROUP_PATH);
  *cg = (struct zl_cgroup){ .root = root, .unified_fd = -1 };
  (void)stpcpy(cg->path, relative);
  return 0;
}

static bool has_word(const char *text, const char *word)
{
  const size_t len = strlen(word);

  for (const char *at = text; *(at += strspn(at, " \n")) != '\0'; at += strcspn(at, " \n"))
    if (strcspn(at, " \n") == len && memcmp(at, word, len) == 0)
      return true;
  return false;
}

/* The words of `dir`'s file `name`; empty when it cannot be read. */
static const char *read_words(const struct zl_cgroup_root *root, const char *dir, const char *name,
                              struct zl_buf *buf)
{
  char path[ZL_CGROUP_FILE];

  (void)snprintf(path, sizeof(path), "%s%s%s", dir, *dir != '\0' ? "/" : "", name);
  return zl_file_read(root->fd, path, buf, NULL) == 0 && buf->data != NULL ? buf->data : "";
}

/* Controllers are handed down from the root of the v2 tree level by level; one that the host does
 * not have, or has given to a v1 tree, is missed when its file is to be written. */
static void enable_controllers(const struct zl_cgroup_root *root, const char *parent)
{
  static const char *const wanted[] = { "+cpu",    "+memory",  "+pids", "+io",
                                        "+cpuset", "+hugetlb", "+rdma", "+misc" };
  zl_autobuf there = ZL_BUF_INIT(ZL_CGROUP_LINE), enabled = ZL_BUF_INIT(ZL_CGROUP_LINE);
  const char *controllers = read_words(root, parent, "cgroup.controllers", &there);
  const char *passed_on = read_words(root, parent, "cgroup.subtree_control", &enabled);
  char path[ZL_CGROUP_FILE];

  (void)snprintf(path, sizeof(path), "%s%scgroup.subtree_control", parent,
                 *parent != '\0' ? "/" : "");
  for (size_t i = 0; i < ZL_COUNT(wanted); i++)
    if (has_word(controllers, wanted[i] + 1) && !has_word(passed_on, wanted[i] + 1))
      (void)zl_file_poke(root->fd, path, wanted[i], NULL);
}

static int make_directory(const struct zl_cgroup *cg, const char *path, struct zl_error *err)
{
  if (mkdirat(cg->root->fd, path, 0755) == 0)
    return 0;
  return errno == EEXIST ? -EEXIST : zl_fail_errno(err, "making cgroup '%s'", path);
}

/* The parents of `path` ("memory/a/b": "memory/a"), which may be there already. */
static int make_parents(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, char *path,
                        struct zl_error *err)
{
  const size_t tree_len = strlen(zl_cgroup_tree_dir(cg->root, tree));

  for (char *slash = strchr(path + tree_len, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    int r;

    *slash = '\0';
    r = make_directory(cg, path, err);
    if (tree == ZL_TREE_UNIFIED)
      enable_controllers(cg->root, path);
    *slash = '/';
    if (r < 0 && r != -EEXIST)
      return r;
  }
  return 0;
}

/* "cpu" and "cpuacct" may be two names of one tree. */
static bool is_made_already(const struct zl_cgroup *cg, const char *path)
{
  char other[ZL_CGROUP_FILE];
  struct stat a, b;

  if (fstatat(cg->root->fd, path, &a, 0) < 0)
    return false;
  for (int tree = 0; tree < ZL_TREE_COUNT; tree++) {
    if (!zl_cgroup_has(cg, (enum zl_cgroup_tree)tree))
      continue;
    (void)snprintf(other, sizeof(other), "%s%s",
                   zl_cgroup_tree_dir(cg->root, (enum zl_cgroup_tree)tree), cg->path);
    if (fstatat(cg->root->fd, other, &b, 0) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
      return true;
  }
  return false;
}

int zl_cgroup_join_tree(struct zl_cgroup *cg, enum zl_cgroup_tree tree, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];
  const char *dir = zl_cgroup_tree_dir(cg->root, tree);
  int r;

  (void)snprintf(path, sizeof(path), "%s%s", dir, cg->path);
  if (tree == ZL_TREE_UNIFIED)
    enable_controllers(cg->root, cg->root->mode == ZL_CGROUP_V2 ? "" : "unified");
  r = make_parents(cg, tree, path, err);
  if (r == 0)
    r = make_directory(cg, path, err);
  /* A left-over has other limits: only a new one is a clean start. */
  if (r == -EEXIST && !cg->is_taken && !is_made_already(cg, path)) {
    if (unlinkat(cg->root->fd, path, AT_REMOVEDIR) < 0)
      return zl_fail(err, ZL_E_CONFLICT, errno, "cgroup '%s' exists and is in use", path);
    r = make_directory(cg, path, err);
  }
  if (r < 0 && r != -EEXIST)
    return r;
  cg->trees |= ZL_TREE_BIT(tree);
  return tree == ZL_TREE_CPUSET && cg->root->mode != ZL_CGROUP_V2
             ? zl_cgroup_inherit_cpuset(cg, err)
             : 0;
}

static unsigned usual_trees(enum zl_cgroup_mode mode)
{
  const unsigned common =
      ZL_TREE_BIT(ZL_TREE_PIDS) | ZL_TREE_BIT(ZL_TREE_MEMORY) | ZL_TREE_BIT(ZL_TREE_CPU);

  switch (mode) {
  case ZL_CGROUP_V2:
    return ZL_TREE_BIT(ZL_TREE_UNIFIED);
  case ZL_CGROUP_HYBRID:
    return common | ZL_TREE_BIT(ZL_TREE_UNIFIED) | ZL_TREE_BIT(ZL_TREE_DEVICES);
  case ZL_CGROUP_V1:
    break;
  }
  return common | ZL_TREE_BIT(ZL_TREE_CPUACCT) | ZL_TREE_BIT(ZL_TREE_DEVICES) |
         ZL_TREE_BIT(ZL_TREE_FREEZER);
}

int zl_cgroup_open_unified(struct zl_cgroup *cg, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];

  if (!zl_cgroup_has(cg, ZL_TREE_UNIFIED))
    return 0;
  (void)snprintf(path, sizeof(path), "%s%s", zl_cgroup_tree_dir(cg->root, ZL_TREE_UNIFIED),
                 cg->path);
  cg->unified_fd = zl_fd_open(cg->root->fd, path, O_PATH | O_DIRECTORY, 0);
  if (cg->unified_fd < 0) {
    const int os_error = -cg->unified_fd;

    cg->unified_fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening cgroup '%s'", path);
  }
  return 0;
}

int zl_cgroup_create_in(const struct zl_cgroup_root *root, const char *path,
                        const struct zl_resources *res, bool is_taken, struct zl_cgroup *ret,
                        struct zl_error *err)
{
  struct zl_cgroup cg = { .root = root, .unified_fd = -1 };
  unsigned trees = usual_trees(root->mode);
  int r = set_path(&cg, root, path, err);

  if (r < 0)
    return r;
  cg.is_taken = is_taken;
  if (root->mode != ZL_CGROUP_V2)
    trees |= zl_cgroup_trees_for(root, res);
  for (int tree = 0; r == 0 && tree < ZL_TREE_COUNT; tree++)
    if ((trees & ZL_TREE_BIT(tree)) != 0)
      r = zl_cgroup_join_tree(&cg, (enum zl_cgroup_tree)tree, err);
  if (r == 0)
    r = zl_cgroup_open_unified(&cg, err);
  if (r < 0) {
    struct zl_error ignored = { 0 };

    (void)zl_cgroup_remove(&cg, &ignored);
    return r;
  }
  *ret = cg;
  return 0;
}

int zl_cgroup_create(const struct zl_cgroup_root *root, const char *path,
                     const struct zl_resources *res, struct zl_cgroup *ret, struct zl_error *err)
{
  return zl_cgroup_create_in(root, path, res, false, ret, err);
}

int zl_cgroup_join_all(struct zl_cgroup *cg, struct zl_error *err)
{
  int r = 0;

  if (cg->root->mode == ZL_CGROUP_V2)
    return 0;
  for (int tree = 0; r == 0 && tree < ZL_TREE_COUNT; tree++) {
    char path[ZL_CGROUP_FILE];

    if (tree == ZL_TREE_UNIFIED && cg->root->mode != ZL_CGROUP_HYBRID)
      continue;
    (void)snprintf(path, sizeof(path), "%scgroup.procs",
                   zl_cgroup_tree_dir(cg->root, (enum zl_cgroup_tree)tree));
    if (!zl_cgroup_has(cg, (enum zl_cgroup_tree)tree) &&
        faccessat(cg->root->fd, path, F_OK, 0) == 0)
      r = zl_cgroup_join_tree(cg, (enum zl_cgroup_tree)tree, err);
  }
  return r;
}

int zl_cgroup_open(const struct zl_cgroup_root *root, const char *path, struct zl_cgroup *ret,
                   struct zl_error *err)
{
  struct zl_cgroup cg;
  int r = set_path(&cg, root, path, err);

  if (r < 0)
    return r;
  for (int tree = 0; tree < ZL_TREE_COUNT; tree++)
    if ((root->mode == ZL_CGROUP_V2) == (tree == ZL_TREE_UNIFIED) || root->mode == ZL_CGROUP_HYBRID)
      if (zl_cgroup_file_exists(&cg, (enum zl_cgroup_tree)tree, "cgroup.procs"))
        cg.trees |= ZL_TREE_BIT(tree);
  if (cg.trees == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no cgroup '%s'", cg.path);
  r = zl_cgroup_open_unified(&cg, err);
  if (r == 0)
    *ret = cg;
  return r;
}

int zl_cgroup_adopt(const struct zl_cgroup_root *root, const char *path, struct zl_cgroup *ret,
                    struct zl_error *err)
{
  struct zl_cgroup cg;
  char whole[ZL_CGROUP_FILE];
  int r = zl_cgroup_open(root, path, &cg, err);

  if (r < 0)
    return r;
  if (zl_cgroup_has(&cg, ZL_TREE_UNIFIED)) {
    (void)snprintf(whole, sizeof(whole), "%s%s", zl_cgroup_tree_dir(root, ZL_TREE_UNIFIED),
                   cg.path);
    enable_controllers(root, root->mode == ZL_CGROUP_V2 ? "" : "unified");
    r = make_parents(&cg, ZL_TREE_UNIFIED, whole, err);
  }
  if (r < 0)
    zl_cgroup_close(&cg);
  else
    *ret = cg;
  return r;
}

void zl_cgroup_close(struct zl_cgroup *cg)
{
  zl_fd_closep(&cg->unified_fd);
}

struct subtree {
  const struct zl_cgroup_root *root;
  const char *path;
  int depth;
};

static void remove_below(const struct subtree *at);

static int remove_child(void *payload, const char *name)
{
  const struct subtree *at = payload;
  zl_autofree char *path = zl_asprintf("%s/%s", at->path, name);
  struct subtree child = { .root = at->root, .path = path, .depth = at->depth + 1 };

  if (path != NULL && child.depth < ZL_CGROUP_DEPTH) {
    remove_below(&child);
    (void)unlinkat(at->root->fd, path, AT_REMOVEDIR);
  }
  return 0;
}

/* A workload that may write its cgroup (privileged, delegated) leaves cgroups of its own. */
static void remove_below(const struct subtree *at)
{
  struct subtree copy = *at;

  (void)zl_cgroup_each_dir(at->root->fd, at->path, remove_child, &copy, NULL);
}

/* EBUSY lasts from the last process's death until the kernel has let go of it. */
static int remove_from_tree(struct zl_cgroup *cg, enum zl_cgroup_tree tree, uint64_t deadline,
                            struct zl_error *err)
{
  const struct timespec pause = { .tv_nsec = 500000 };
  char path[ZL_CGROUP_FILE];

  (void)snprintf(path, sizeof(path), "%s%s", zl_cgroup_tree_dir(cg->root, tree), cg->path);
  for (;;) {
    const struct subtree at = { .root = cg->root, .path = path };
    struct zl_error why = { 0 };

    if (unlinkat(cg->root->fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
      cg->trees &= ~ZL_TREE_BIT(tree);
      return 0;
    }
    if (errno != EBUSY && errno != ENOTEMPTY)
      return zl_fail_errno(err, "removing cgroup '%s'", path);
    remove_below(&at);
    if (zl_time_boot() >= deadline)
      return zl_fail(err, ZL_E_CONFLICT, EBUSY, "removing cgroup '%s': still in use", path);
    if (zl_cgroup_wait_empty(cg, deadline - zl_time_boot(), &why) == 0)
      (void)nanosleep(&pause, NULL);
  }
}

int zl_cgroup_remove(struct zl_cgroup *cg, struct zl_error *err)
{
  const uint64_t deadline = zl_time_boot() + REMOVE_WAIT_NS;
  int r = 0;

  /* The v2 tree goes last: it is what the others are waited for with. */
  for (int tree = ZL_TREE_COUNT; tree-- > 0;)
    if (zl_cgroup_has(cg, (enum zl_cgroup_tree)tree)) {
      int failed = remove_from_tree(cg, (enum zl_cgroup_tree)tree, deadline, r == 0 ? err : NULL);

      if (r == 0)
        r = failed;
    }
  return r;
}

struct walk {
  const struct zl_cgroup_root *root;
  const char *prefix;
  int tree;
  zl_cgroup_fn fn;
  void *payload;
};

static bool seen_before(const struct walk *w, const char *name)
{
  char path[ZL_CGROUP_FILE];

  for (int tree = 0; tree < w->tree; tree++) {
    (void)snprintf(path, sizeof(path), "%s%s",
                   zl_cgroup_tree_dir(w->root, (enum zl_cgroup_tree)tree), name);
    if (faccessat(w->root->fd, path, F_OK, 0) == 0)
      return true;
  }
  return false;
}

static int visit(void *payload, const char *name)
{
  const struct walk *w = payload;

  if (!zl_has_prefix(name, w->prefix) || seen_before(w, name))
    return 0;
  return w->fn(w->payload, name);
}

int zl_cgroup_enumerate(const struct zl_cgroup_root *root, const char *prefix, zl_cgroup_fn fn,
                        void *payload, struct zl_error *err)
{
  const int trees = root->mode == ZL_CGROUP_V2 ? 1 : ZL_TREE_COUNT;
  struct walk w = { .root = root, .prefix = prefix, .fn = fn, .payload = payload };
  int r = 0;

  for (w.tree = 0; r == 0 && w.tree < trees; w.tree++) {
    const char *dir = zl_cgroup_tree_dir(root, (enum zl_cgroup_tree)w.tree);

    r = zl_cgroup_each_dir(root->fd, *dir != '\0' ? dir : ".", visit, &w, err);
  }
  return r;
}
