/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of an image that is being written: what stands where, and of directories their
 * attributes. Everything else about a file is in the image by the time it has a name here.
 */
#ifndef ZL_IMAGE_EROFS_TREE_H
#define ZL_IMAGE_EROFS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_EROFS_NONE = 0, /* no name */
  ZL_EROFS_ROOT = 1  /* the root's name */
};

/* Something that has attributes; several names may be of one. */
struct zl_erofs_inode {
  uint64_t nid;   /* of a directory: when the image is sealed */
  uint32_t mode;  /* type, permissions */
  uint32_t extra; /* of a directory its attributes, of a link its text; an index */
  uint32_t nlink; /* counted when the image is sealed */
};

struct zl_erofs_dir {
  uint32_t uid, gid;
  int64_t mtime_s;
  uint32_t mtime_ns;
  uint32_t xattrs_len;
  char *xattrs; /* packed (xattr.h); NULL: none */
};

struct zl_erofs_name {
  uint32_t parent; /* of the root: itself */
  uint32_t inode;
  uint32_t text; /* in `texts` */
  uint32_t hash, next;
  uint8_t len;
  bool gone;
};

struct zl_erofs_tree {
  struct zl_erofs_name *names; /* [0] is unused; a name comes after that of its directory */
  struct zl_erofs_inode *inodes;
  struct zl_erofs_dir *dirs;
  uint32_t n_names, n_inodes, n_dirs;
  uint32_t cap_names, cap_inodes, cap_dirs;
  struct zl_buf texts; /* each ends with a NUL */
  size_t xattr_bytes;
  uint32_t *slots;
  uint32_t n_slots;
  uint64_t seed[2]; /* so that nobody can choose names that share a slot */
};

/* A tree of an empty root with mode 0755. */
int zl_erofs_tree_init(struct zl_erofs_tree *tree, struct zl_error *err);
void zl_erofs_tree_done(struct zl_erofs_tree *tree);

/* ZL_EROFS_NONE when there is no such name. */
uint32_t zl_erofs_find(const struct zl_erofs_tree *tree, uint32_t dir, const char *name,
                       size_t len);
/* `text`: of a symbolic link. ZL_E_LIMIT: too many, or too much text. */
int zl_erofs_add_inode(struct zl_erofs_tree *tree, uint32_t mode, uint64_t nid, const char *text,
                       uint32_t *ret_inode, struct zl_error *err);
/* A directory's inode, owned by 0:0 and of the beginning of time. */
int zl_erofs_add_dir_inode(struct zl_erofs_tree *tree, uint32_t mode, uint32_t *ret_inode,
                           struct zl_error *err);
/* The name must be free and at most 255 bytes. */
int zl_erofs_add_name(struct zl_erofs_tree *tree, uint32_t dir, const char *name, size_t len,
                      uint32_t inode, uint32_t *ret_name, struct zl_error *err);
/* With all that is below. Nobody finds it any more. */
void zl_erofs_remove_name(struct zl_erofs_tree *tree, uint32_t name);
/* Replaces the attributes of a directory; `xattrs` is copied. */
int zl_erofs_set_dir_xattrs(struct zl_erofs_tree *tree, uint32_t inode, const char *xattrs,
                            size_t len, struct zl_error *err);

static inline struct zl_erofs_inode *zl_erofs_inode_of(const struct zl_erofs_tree *tree,
                                                       uint32_t name)
{
  return &tree->inodes[tree->names[name].inode];
}

static inline const char *zl_erofs_text(const struct zl_erofs_tree *tree, uint32_t at)
{
  return tree->texts.data + at;
}

#endif
