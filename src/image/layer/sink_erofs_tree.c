/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving about in the tree of names.
 */
#include <errno.h>
#include <string.h>

#include "image/layer/sink_erofs_internal.h"

enum {
  MAX_LINKS = 40, /* of one resolution, as in the kernel */
  IMPLICIT_MODE = 0755
};

static uint32_t mode_of(const struct zl_sink_erofs *s, uint32_t name)
{
  return zl_erofs_inode_of(s->tree, name)->mode;
}

/* One component after the other, from `at`. */
static int walk(const struct zl_sink_erofs *s, uint32_t at, const char *path, unsigned *links,
                uint32_t *ret)
{
  while (*path != '\0') {
    size_t len = strcspn(path, "/");
    uint32_t next = at;

    if (len > 0 && !S_ISDIR(mode_of(s, at)))
      return -ENOTDIR;
    if (len == 2 && path[0] == '.' && path[1] == '.') {
      next = s->tree->names[at].parent;
    } else if (len > 0 && !(len == 1 && path[0] == '.')) {
      next = zl_erofs_find(s->tree, at, path, len);
      if (next == ZL_EROFS_NONE)
        return -ENOENT;
    }
    if (S_ISLNK(mode_of(s, next))) {
      const char *target = zl_erofs_text(s->tree, zl_erofs_inode_of(s->tree, next)->extra);
      int r = ++*links > MAX_LINKS
                  ? -ELOOP
                  : walk(s, *target == '/' ? ZL_EROFS_ROOT : at, target, links, &next);

      if (r < 0)
        return r;
    }
    at = next;
    path += len + (path[len] == '/');
  }
  *ret = at;
  return 0;
}

int zl__sink_erofs_resolve(const struct zl_sink_erofs *s, const char *path, uint32_t *ret_name)
{
  unsigned links = 0;
  int r = walk(s, ZL_EROFS_ROOT, path, &links, ret_name);

  return r == 0 && !S_ISDIR(mode_of(s, *ret_name)) ? -ENOTDIR : r;
}

bool zl__sink_erofs_is_dir(const struct zl_sink_erofs *s, const char *path, uint32_t *ret_name)
{
  uint32_t at = ZL_EROFS_ROOT;

  while (*path != '\0') {
    size_t len = strcspn(path, "/");

    at = zl_erofs_find(s->tree, at, path, len);
    if (at == ZL_EROFS_NONE || !S_ISDIR(mode_of(s, at)))
      return false;
    path += len + (path[len] == '/');
  }
  *ret_name = at;
  return true;
}

uint32_t zl__sink_erofs_look(const struct zl_sink_erofs *s, const char *name)
{
  return zl_erofs_find(s->tree, s->dir.name, name, strlen(name));
}

bool zl__sink_erofs_is_whiteout(const struct zl_sink_erofs *s, uint32_t name)
{
  return s->has_whiteout && s->tree->names[name].inode == s->whiteout;
}

int zl__sink_erofs_put(struct zl_sink_erofs *s, const char *name, uint32_t inode,
                       struct zl_error *err)
{
  uint32_t there = zl__sink_erofs_look(s, name);

  if (there != ZL_EROFS_NONE)
    zl_erofs_remove_name(s->tree, there);
  return zl_erofs_add_name(s->tree, s->dir.name, name, strlen(name), inode, &there, err);
}

static int refuse_parent(const struct zl_sink_erofs *s, int os_error, struct zl_error *err)
{
  if (os_error == ELOOP)
    return zl__sink_erofs_refuse(s, err, "a parent is a symbolic link that may not be followed");
  return zl__sink_erofs_refuse(s, err, "a parent is not a directory");
}

/* Makes the last name of `path`, which is in the current directory, a directory. Only nothing at
 * all and a whiteout give way: it then also hides what the whiteout hid. */
static int make_implicit(struct zl_sink_erofs *s, const char *path, struct zl_error *err)
{
  const char *name = zl_layer_path_name(path);
  uint32_t there = zl__sink_erofs_look(s, name), inode;
  int r = 0;

  if (there != ZL_EROFS_NONE) {
    if (!zl__sink_erofs_is_whiteout(s, there))
      return zl__sink_erofs_refuse(s, err, "a parent is not a directory");
    r = zl_path_set_add(&s->opaque, path, err);
  }
  if (r == 0)
    r = zl_erofs_add_dir_inode(s->tree, S_IFDIR | IMPLICIT_MODE, &inode, err);
  if (r == 0)
    r = zl__sink_erofs_put(s, name, inode, err);
  return r < 0 ? r : zl_path_set_add(&s->implicit, path, err);
}

static void make_current(struct zl_sink_erofs *s, const char *path, uint32_t name)
{
  memcpy(s->dir.path, path, strlen(path) + 1);
  s->dir.name = name;
}

/* A path that does not exist yet: from the root down. */
static int make_way(struct zl_sink_erofs *s, const char *path, struct zl_error *err)
{
  char prefix[ZL_LAYER_PATH] = "";
  size_t len = 0;

  for (;;) {
    uint32_t name = ZL_EROFS_NONE;
    int os_error = -zl__sink_erofs_resolve(s, prefix, &name), r = 0;

    if (os_error == ENOENT || os_error == ENOTDIR) {
      r = make_implicit(s, prefix, err);
      os_error = r == 0 ? -zl__sink_erofs_resolve(s, prefix, &name) : os_error;
    }
    if (r == 0 && os_error != 0)
      r = refuse_parent(s, os_error, err);
    if (r < 0)
      return r;
    make_current(s, prefix, name);
    if (path[len] == '\0')
      return 0;
    len += path[len] == '/';
    len += strcspn(path + len, "/");
    memcpy(prefix, path, len);
    prefix[len] = '\0';
  }
}

/* Whiteouts must not act through a link that the same archive planted. */
static int check_no_links(const struct zl_sink_erofs *s, const char *path, struct zl_error *err)
{
  uint32_t name;

  return zl__sink_erofs_is_dir(s, path, &name) ? 0 : refuse_parent(s, ELOOP, err);
}

int zl__sink_erofs_enter(struct zl_sink_erofs *s, const char *path, size_t len, bool strict,
                         struct zl_error *err)
{
  char dir[ZL_LAYER_PATH];
  int r = 0;

  memcpy(dir, path, len);
  dir[len] = '\0';
  if (s->dir.name == ZL_EROFS_NONE || strcmp(s->dir.path, dir) != 0) {
    uint32_t name = ZL_EROFS_NONE;
    int os_error = -zl__sink_erofs_resolve(s, dir, &name);

    if (os_error == 0)
      make_current(s, dir, name);
    else if (os_error == ENOENT || os_error == ENOTDIR)
      r = make_way(s, dir, err);
    else
      r = refuse_parent(s, os_error, err);
  }
  return r == 0 && strict ? check_no_links(s, dir, err) : r;
}
