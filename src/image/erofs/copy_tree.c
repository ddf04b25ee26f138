/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/copy_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/path.h"
#include "image/erofs/disk.h"
#include "image/erofs/link_map.h"
#include "image/erofs/writer.h"
#include "image/erofs/xattr.h"

enum {
  COPY = 256 << 10,
  NAMES = 64 << 10 /* XATTR_LIST_MAX */
};

struct copying {
  struct zl_erofs *image;
  struct zl_erofs_tree *tree;
  dev_t dev; /* of the tree */
  uint8_t *data;
  char *names, *value;
  struct zl_buf xattrs;
  struct zl_link_map links; /* inode of the image, + 1 */
};

static void copying_done(struct copying *c)
{
  zl_erofs_free(c->image);
  free(c->data);
  free(c->names);
  free(c->value);
  zl_link_map_done(&c->links);
  zl_buf_done(&c->xattrs);
}

/* ---- Attributes and content ------------------------------------------------------------------ */

static struct zl_erofs_attrs attrs_of(const struct copying *c, const struct stat *st)
{
  return (struct zl_erofs_attrs){ .mode = st->st_mode,
                                  .uid = st->st_uid,
                                  .gid = st->st_gid,
                                  .mtime_s = st->st_mtim.tv_sec,
                                  .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
                                  .xattrs = c->xattrs.data,
                                  .xattrs_len = c->xattrs.len };
}

/* Into c->xattrs. */
static int read_xattrs(struct copying *c, int fd, struct zl_error *err)
{
  ssize_t len = flistxattr(fd, c->names, NAMES);
  int r = 0;

  zl_buf_clear(&c->xattrs);
  if (len < 0)
    return errno == EOPNOTSUPP ? 0 : zl_fail_errno(err, "listing extended attributes");
  for (const char *name = c->names; name < c->names + len && r == 0; name += strlen(name) + 1) {
    ssize_t n = fgetxattr(fd, name, c->value, ZL_MAX_XATTR_VALUE);

    r = n < 0 ? zl_fail_errno(err, "reading the extended attribute '%s'", name)
              : zl_xattrs_add(&c->xattrs, name, c->value, (size_t)n, err);
  }
  return r;
}

static bool is_zero(const uint8_t *p, size_t len)
{
  return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* In blocks, so that those of zeros can be left out. */
static int put_data(struct copying *c, uint64_t at, size_t len, struct zl_error *err)
{
  int r = 0;

  for (size_t done = 0; done < len && r == 0;) {
    size_t n = 0;

    while (done + n < len) {
      size_t block = len - done - n < ZL_EROFS_BLOCK ? len - done - n : ZL_EROFS_BLOCK;

      if (is_zero(c->data + done + n, block))
        break;
      n += block;
    }
    r = zl_erofs_file_data(c->image, at + done, c->data + done, n, err);
    done += n > 0 ? n : ZL_EROFS_BLOCK;
  }
  return r;
}

static int copy_file(struct copying *c, int fd, const struct stat *st, uint64_t *ret_nid,
                     struct zl_error *err)
{
  struct zl_erofs_attrs attrs;
  uint64_t size = (uint64_t)st->st_size, at = 0;
  int r = read_xattrs(c, fd, err);

  if (r < 0)
    return r;
  attrs = attrs_of(c, st);
  r = zl_erofs_file(c->image, &attrs, size, ret_nid, err);
  while (r == 0 && at < size) {
    ssize_t n = pread(fd, c->data, COPY, (off_t)at);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "reading a file");
    if ((uint64_t)n > size - at)
      n = (ssize_t)(size - at);
    r = put_data(c, at, (size_t)n, err);
    at += (uint64_t)n;
  }
  return r;
}

static int open_entry(int dir, const char *name, int flags, struct zl_error *err)
{
  int fd = zl_path_open_in_root(dir, name, O_RDONLY | O_NOFOLLOW | flags, 0);

  return fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -fd, "opening '%s'", name) : fd;
}

/* Writes what is not a directory. */
static int copy_node(struct copying *c, int dir, const char *name, const struct stat *st,
                     uint64_t *ret_nid, char *text, struct zl_error *err)
{
  struct zl_erofs_attrs attrs;
  zl_autofd fd = -1;
  ssize_t n;

  zl_buf_clear(&c->xattrs);
  attrs = attrs_of(c, st);
  if (S_ISREG(st->st_mode)) {
    int r = open_entry(dir, name, 0, err);

    if (r < 0)
      return r;
    fd = r;
    return copy_file(c, fd, st, ret_nid, err);
  }
  if (!S_ISLNK(st->st_mode))
    return zl_erofs_special(c->image, &attrs, major(st->st_rdev), minor(st->st_rdev), ret_nid, err);
  n = readlinkat(dir, name, text, ZL_MAX_LAYER_PATH);
  if (n < 0)
    return zl_fail_errno(err, "reading a link");
  text[n] = '\0';
  return zl_erofs_symlink(c->image, &attrs, text, ret_nid, err);
}

/* ---- The tree -------------------------------------------------------------------------------- */

static int add_node(struct copying *c, int dir, const char *name, const struct stat *st,
                    uint32_t *ret_inode, struct zl_error *err)
{
  char text[ZL_MAX_LAYER_PATH + 1];
  uint32_t *seen = NULL;
  uint64_t nid = 0;
  int r = st->st_nlink > 1 ? zl_link_map_find(&c->links, st, &seen, err) : 0;

  if (r < 0)
    return r;
  if (seen != NULL && *seen != 0) {
    *ret_inode = *seen - 1;
    return 0;
  }
  r = copy_node(c, dir, name, st, &nid, text, err);
  if (r == 0)
    r = zl_erofs_add_inode(c->tree, st->st_mode, nid, NULL, ret_inode, err);
  if (r == 0 && seen != NULL)
    *seen = *ret_inode + 1;
  return r;
}

static int set_dir(struct copying *c, uint32_t inode, int fd, struct zl_error *err)
{
  struct zl_erofs_dir *dir = &c->tree->dirs[c->tree->inodes[inode].extra];
  struct stat st;
  int r = read_xattrs(c, fd, err);

  if (r < 0)
    return r;
  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  c->tree->inodes[inode].mode = st.st_mode;
  dir->uid = st.st_uid;
  dir->gid = st.st_gid;
  dir->mtime_s = st.st_mtim.tv_sec;
  dir->mtime_ns = (uint32_t)st.st_mtim.tv_nsec;
  return zl_erofs_set_dir_xattrs(c->tree, inode, c->xattrs.data, c->xattrs.len, err);
}

static int copy_dir(struct copying *c, int fd, uint32_t at, unsigned depth, struct zl_error *err);

static int copy_entry(struct copying *c, int dir, uint32_t at, const char *name, unsigned depth,
                      struct zl_error *err)
{
  uint32_t inode = 0, added = 0;
  zl_autofd sub = -1;
  struct stat st;
  int r;

  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "looking at '%s'", name);
  if (!S_ISDIR(st.st_mode)) {
    r = add_node(c, dir, name, &st, &inode, err);
    return r < 0 ? r : zl_erofs_add_name(c->tree, at, name, strlen(name), inode, &added, err);
  }
  if (depth > ZL_MAX_LAYER_DEPTH)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d directories in one another",
                   ZL_MAX_LAYER_DEPTH);
  if (st.st_dev != c->dev)
    return 0;
  r = open_entry(dir, name, O_DIRECTORY, err);
  if (r < 0)
    return r;
  sub = r;
  r = zl_erofs_add_dir_inode(c->tree, S_IFDIR, &inode, err);
  if (r == 0)
    r = zl_erofs_add_name(c->tree, at, name, strlen(name), inode, &added, err);
  return r < 0 ? r : copy_dir(c, sub, added, depth + 1, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int n)
{
  for (int i = 0; i < n; i++)
    free(entries[i]);
  free(entries);
}

/* In the order of their names, so that the same tree makes the same image. */
static int copy_dir(struct copying *c, int fd, uint32_t at, unsigned depth, struct zl_error *err)
{
  struct dirent **entries = NULL;
  int n = scandirat(fd, ".", &entries, NULL, by_name);
  int r = n < 0 ? zl_fail_errno(err, "listing a directory")
                : set_dir(c, c->tree->names[at].inode, fd, err);

  for (int i = 0; i < n && r == 0; i++)
    if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) {
      r = copy_entry(c, fd, at, entries[i]->d_name, depth, err);
      if (r < 0)
        (void)zl_wrap(err, "%.100s", entries[i]->d_name);
    }
  free_entries(entries, n);
  return r;
}

int zl_erofs_copy_tree(int dir_fd, int out_fd, uint64_t reserve_bytes, struct zl_error *err)
{
  const struct zl_erofs_options options = { .fd = out_fd, .reserve_bytes = reserve_bytes };
  ZL_CLEANUP(copying_done) struct copying c = { .xattrs.max = (size_t)2 * ZL_MAX_TAR_EXTENSION };
  zl_autofd fd = zl_path_open_in_root(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  struct stat st;
  int r;

  if (fd < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -fd, "opening the tree");
    fd = -1;
    return r;
  }
  c.data = malloc(COPY);
  c.names = malloc(NAMES);
  c.value = malloc(ZL_MAX_XATTR_VALUE);
  if (c.data == NULL || c.names == NULL || c.value == NULL)
    return zl_fail_nomem(err, "copying a tree");
  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "looking at the tree");
  c.dev = st.st_dev;
  r = zl_erofs_new(&options, &c.image, err);
  if (r < 0)
    return r;
  c.tree = zl_erofs_get_tree(c.image);
  r = copy_dir(&c, fd, ZL_EROFS_ROOT, 0, err);
  return r < 0 ? r : zl_erofs_seal(c.image, err);
}
