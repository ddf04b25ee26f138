/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the cgroup*.c files: the trees, and files in them.
 */
#ifndef ZL_ENGINE_CGROUP_PRIVATE_H
#define ZL_ENGINE_CGROUP_PRIVATE_H

#include "base/buf.h"
#include "engine/cgroup.h"

enum zl_cgroup_tree {
  ZL_TREE_UNIFIED, /* the v2 tree, of both layouts that have one */
  ZL_TREE_PIDS,
  ZL_TREE_MEMORY,
  ZL_TREE_CPU,
  ZL_TREE_CPUACCT,
  ZL_TREE_DEVICES,
  ZL_TREE_FREEZER,
  ZL_TREE_CPUSET,
  ZL_TREE_BLKIO,
  ZL_TREE_HUGETLB,
  ZL_TREE_RDMA,
  ZL_TREE_NET_CLS,
  ZL_TREE_NET_PRIO,
  ZL_TREE_SYSTEMD, /* a hierarchy without controllers, by which systemd knows processes */
  ZL_TREE_COUNT
};

enum {
  ZL_CGROUP_FILE = ZL_MAX_CGROUP_PATH + 64, /* tree, path and file name */
  ZL_CGROUP_LINE = 256,                     /* what is written at once, or read of one value */
  ZL_CGROUP_DEPTH = 32                      /* cgroups below one of ours */
};

#define ZL_TREE_BIT(tree) (1u << (tree))

static inline bool zl_cgroup_has(const struct zl_cgroup *cg, enum zl_cgroup_tree tree)
{
  return (cg->trees & ZL_TREE_BIT(tree)) != 0;
}

/* The tree's directory below the root: "memory/", "unified/", "". */
const char *zl_cgroup_tree_dir(const struct zl_cgroup_root *root, enum zl_cgroup_tree tree);

/* One write. ZL_E_UNSUPPORTED when there is no such file. */
int zl_cgroup_write(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                    const char *text, struct zl_error *err);
int zl_cgroup_writef(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, struct zl_error *err,
                     const char *file, const char *fmt, ...) ZL_PRINTF(5, 6);
bool zl_cgroup_file_exists(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file);
/* The whole file, appended. */
int zl_cgroup_read(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                   struct zl_buf *buf, struct zl_error *err);
/* A file with one number; "max", and on v1 anything near 2^63, is UINT64_MAX. */
int zl_cgroup_read_number(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                          uint64_t *ret, struct zl_error *err);
/* The number after `key` at the start of a line of `text`; false without such a line. */
bool zl_cgroup_find_key(const char *text, const char *key, uint64_t *ret);
/* "key value" from a file; a missing key is 0. */
int zl_cgroup_read_key(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                       const char *key, uint64_t *ret, struct zl_error *err);

/* zl_cgroup_create; `is_taken`: what exists is kept instead of made anew. */
int zl_cgroup_create_in(const struct zl_cgroup_root *root, const char *path,
                        const struct zl_resources *res, bool is_taken, struct zl_cgroup *ret,
                        struct zl_error *err);
/* Opens cg->unified_fd when it is in the v2 tree. */
int zl_cgroup_open_unified(struct zl_cgroup *cg, struct zl_error *err);
/* Makes the cgroup in one more tree, with its parents. */
int zl_cgroup_join_tree(struct zl_cgroup *cg, enum zl_cgroup_tree tree, struct zl_error *err);

/* Every process below the cgroup in one tree (those of deeper cgroups too). */
int zl_cgroup_each_pid(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, zl_cgroup_pid_fn fn,
                       void *payload, struct zl_error *err);
/* The tree that knows the processes: the v2 tree or any v1 tree it is in. */
enum zl_cgroup_tree zl_cgroup_main_tree(const struct zl_cgroup *cg);
/* Calls `fn` with the name of each directory in (dirfd, path). ENOENT is success. */
int zl_cgroup_each_dir(int dirfd, const char *path, zl_cgroup_fn fn, void *payload,
                       struct zl_error *err);

/* The two halves of zl_cgroup_apply. */
int zl_cgroup_apply_v1(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err);
int zl_cgroup_apply_v2(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err);
/* What v1 and v2 have under one name. */
int zl_cgroup_apply_rdma(const struct zl_cgroup *cg, enum zl_cgroup_tree tree,
                         const struct zl_resources *res, struct zl_error *err);
/* checkBeforeUpdate: ZL_E_INVALID when `file` says that more than the new limit is in use. */
int zl_cgroup_check_memory(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                           const struct zl_resources *res, struct zl_error *err);
/* Trees of a v1 host that `res` needs besides the usual ones. */
unsigned zl_cgroup_trees_for(const struct zl_cgroup_root *root, const struct zl_resources *res);
/* A fresh v1 cpuset has no processors and no memory, and takes no process until it has: each level
 * without inherits from above. */
int zl_cgroup_inherit_cpuset(const struct zl_cgroup *cg, struct zl_error *err);

#endif
