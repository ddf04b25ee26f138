/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving about in the tree that is being made.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "image/layer/sink_dir_internal.h"

enum {
  DIR_FLAGS = O_RDONLY | O_DIRECTORY,
  IMPLICIT_MODE = 0755
};

int zl__sink_dir_look(int dirfd, const char *name, struct stat *ret, struct zl_error *err)
{
  if (fstatat(dirfd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
    return 1;
  return errno == ENOENT ? 0 : zl_fail_errno(err, "looking at an entry");
}

int zl__sink_dir_settle(struct zl_sink_dir *s, struct zl_error *err)
{
  return s->writer != NULL ? zl_file_writer_drain(s->writer, err) : 0;
}

int zl__sink_dir_claim(struct zl_sink_dir *s, const char *name, bool *ret_free,
                       struct zl_error *err)
{
  enum zl_name_state state;
  int r = 0;

  if (zl_fresh_names_is_full(&s->names)) {
    r = zl__sink_dir_settle(s, err);
    zl_fresh_names_forget(&s->names);
  }
  state = zl_fresh_names_take(&s->names, s->dir.live->st.st_ino, name);
  *ret_free = state == ZL_NAME_FREE;
  return r == 0 && state == ZL_NAME_TAKEN ? zl__sink_dir_settle(s, err) : r;
}

int zl__sink_dir_leave(struct zl_sink_dir *s, struct zl_error *err)
{
  struct zl_live_dir *live = zl_steal_ptr(&s->dir.live);
  int r;

  s->dir.fd = -1;
  if (live == NULL)
    return 0;
  r = zl_live_dir_put(&s->live, live);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "setting the time of a directory") : 0;
}

/* What the kernel says when a path leads nowhere good. */
static int refuse_parent(const struct zl_sink_dir *s, int os_error, struct zl_error *err)
{
  switch (os_error) {
  case ENOENT:
  case ENOTDIR:
    return zl__sink_dir_refuse(s, err, "a parent is not a directory");
  case ELOOP:
  case EXDEV:
    return zl__sink_dir_refuse(s, err, "a parent is a symbolic link that may not be followed");
  default:
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, os_error, "opening its parent");
  }
}

static int open_dir(const struct zl_sink_dir *s, const char *path)
{
  return zl_path_open_in_root(s->options.root_fd, *path != '\0' ? path : ".", DIR_FLAGS, 0);
}

/* Makes the last name of `path`, which is in the current directory, a directory. Only nothing at
 * all and a whiteout give way: it then also hides what the whiteout hid. A set-group-ID parent
 * hands its group down, and the time is fixed so that equal archives make equal layers. */
static int make_implicit(struct zl_sink_dir *s, const char *path, struct zl_error *err)
{
  const char *name = zl_layer_path_name(path);
  bool is_free;
  struct stat st;
  int r = zl__sink_dir_claim(s, name, &is_free, err);

  if (r == 0)
    r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  if (r < 0)
    return r;
  if (r > 0 && !zl_is_whiteout(&st))
    return zl__sink_dir_refuse(s, err, "a parent is not a directory");
  if (r > 0) {
    r = zl__sink_dir_vacate(s, name, err);
    if (r == 0)
      r = zl_path_set_add(&s->opaque, path, err);
    if (r < 0)
      return r;
  }
  if (mkdirat(s->dir.fd, name, IMPLICIT_MODE) < 0 ||
      fchownat(s->dir.fd, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
      fchmodat(s->dir.fd, name, IMPLICIT_MODE, 0) < 0 ||
      utimensat(s->dir.fd, name, (const struct timespec[2]){ 0 }, AT_SYMLINK_NOFOLLOW) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making its parent");
  return zl_path_set_add(&s->implicit, path, err);
}

/* Takes over the opened directory. The one before is put right first: it may be the same. */
static int make_current(struct zl_sink_dir *s, const char *path, int fd, struct zl_error *err)
{
  zl_autofd owned = fd;
  int r = zl__sink_dir_leave(s, err);

  if (r == 0)
    r = zl_live_dir_take(&s->live, zl_steal_fd(&owned), &s->dir.live, err);
  if (r < 0)
    return r;
  s->dir.fd = s->dir.live->fd;
  memcpy(s->dir.path, path, strlen(path) + 1);
  return 0;
}

/* A path that does not exist yet: from the root down, so that each directory on the way keeps its
 * time although something is made in it. */
static int make_way(struct zl_sink_dir *s, const char *path, struct zl_error *err)
{
  char prefix[ZL_LAYER_PATH] = "";
  size_t len = 0;

  for (;;) {
    int fd = open_dir(s, prefix);
    bool missing = *prefix != '\0' && (fd == -ENOENT || fd == -ENOTDIR);
    int r = 0;

    if (missing) {
      r = make_implicit(s, prefix, err);
      fd = r == 0 ? open_dir(s, prefix) : fd;
    }
    if (r == 0)
      r = fd < 0 ? refuse_parent(s, -fd, err) : make_current(s, prefix, fd, err);
    if (r == 0 && missing)
      zl_fresh_names_add_dir(&s->names, s->dir.live->st.st_ino);
    if (r < 0 || path[len] == '\0')
      return r;
    len += path[len] == '/';
    len += strcspn(path + len, "/");
    memcpy(prefix, path, len);
    prefix[len] = '\0';
  }
}

/* Whiteouts must not act through a link that the same archive planted. */
static int check_no_links(const struct zl_sink_dir *s, const char *path, struct zl_error *err)
{
  zl_autofd fd = -1;

  if (*path == '\0')
    return 0;
  fd = zl_path_open_beneath(s->options.root_fd, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0) {
    int r = fd;

    fd = -1;
    return refuse_parent(s, -r, err);
  }
  return 0;
}

int zl__sink_dir_enter(struct zl_sink_dir *s, const char *path, size_t len, bool strict,
                       struct zl_error *err)
{
  char dir[ZL_LAYER_PATH];
  int r = 0;

  memcpy(dir, path, len);
  dir[len] = '\0';
  if (s->dir.live == NULL || strcmp(s->dir.path, dir) != 0) {
    int fd = open_dir(s, dir);

    if (fd == -ENOENT || fd == -ENOTDIR)
      r = make_way(s, dir, err);
    else
      r = fd < 0 ? refuse_parent(s, -fd, err) : make_current(s, dir, fd, err);
  }
  return r == 0 && strict ? check_no_links(s, dir, err) : r;
}

/* A whole tree may stand there; the current directory is never part of it, being its parent. The
 * writer may be busy in it, and what is made next may get the number of a directory that goes. */
int zl__sink_dir_vacate(struct zl_sink_dir *s, const char *name, struct zl_error *err)
{
  int r = zl__sink_dir_settle(s, err);

  if (r < 0)
    return r;
  zl_fresh_names_forget(&s->names);
  r = zl_path_remove_tree(s->dir.fd, name);
  return r == 0 ? 0 : zl__sink_dir_fail(s, err, ZL_E_SYSTEM, -r, "replacing an earlier entry");
}
