/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/fixup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "image/layer/copy_up.h"
#include "image/layer/hide_lower.h"
#include "image/layer/lower.h"
#include "image/layer/notes.h"

static int open_in_layer(int layer_fd, const char *path, int flags)
{
  return zl_path_open_beneath(layer_fd, *path != '\0' ? path : ".", flags, 0);
}

/* The directory of the layer gets the attributes of the one it is merged with. */
static int fix_directory(const struct zl_lower *lower, const char *path, struct zl_error *err)
{
  zl_autofd to = -1, from = -1;
  int r = zl_lower_find(lower, path, &from, err);

  if (r <= 0)
    return r;
  to = open_in_layer(lower->layer_fd, path, O_RDONLY | O_DIRECTORY);
  if (to < 0) {
    r = to;
    to = -1;
    /* Another note may have had it replaced; then there is nothing to copy to. */
    return r == -ENOENT || r == -ENOTDIR ? 0 : zl_fail(err, ZL_E_SYSTEM, -r, "opening a directory");
  }
  return zl_copy_dir_attrs(from, to, err);
}

static int refuse(const struct zl_note *note, const char *why, struct zl_error *err)
{
  char path[ZL_LAYER_QUOTE], target[ZL_LAYER_QUOTE];

  return zl_fail(err, ZL_E_CORRUPT, 0, "hard link '%s' to '%s': %s",
                 zl_layer_quote(note->path, path), zl_layer_quote(note->target, target), why);
}

/* Makes `path`, whose parent is open as `dir`, like the directory of that path below. */
static int make_directory(const struct zl_lower *lower, int dir, const char *path,
                          struct zl_error *err)
{
  struct stat st;

  if (fstat(dir, &st) < 0 || mkdirat(dir, zl_layer_path_name(path), 0755) < 0 ||
      futimens(dir, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
    return zl_fail_errno(err, "making the directory of a hard link's target");
  return fix_directory(lower, path, err);
}

/* Opens the directory of `path` in the layer, made as in the layers below when missing. */
static int open_parent(const struct zl_lower *lower, const char *path, int *ret,
                       struct zl_error *err)
{
  char prefix[ZL_LAYER_PATH];
  size_t parent = zl_layer_path_parent(path), len = 0;
  zl_autofd dir = open_in_layer(lower->layer_fd, "", O_RDONLY | O_DIRECTORY);

  while (dir >= 0 && len < parent) {
    int next, r = 0;

    len += path[len] == '/';
    len += strcspn(path + len, "/");
    memcpy(prefix, path, len);
    prefix[len] = '\0';
    next = open_in_layer(lower->layer_fd, prefix, O_RDONLY | O_DIRECTORY);
    if (next == -ENOENT) {
      r = make_directory(lower, dir, prefix, err);
      next = open_in_layer(lower->layer_fd, prefix, O_RDONLY | O_DIRECTORY);
    }
    (void)close(dir);
    dir = next;
    if (r < 0)
      return r;
  }
  if (dir < 0) {
    int os_error = -dir;

    dir = -1;
    return zl_fail(err, ZL_E_CORRUPT, os_error, "directory of a hard link's target");
  }
  *ret = zl_steal_fd(&dir);
  return 0;
}

/* An open directory whose time is put back after something was made in it. */
struct kept_dir {
  int fd;
  struct timespec times[2];
};

static void kept_dir_done(struct kept_dir *dir)
{
  if (dir->fd < 0)
    return;
  (void)futimens(dir->fd, dir->times);
  (void)close(dir->fd);
}
#define auto_kept_dir ZL_CLEANUP(kept_dir_done) struct kept_dir

static int keep_parent(const struct zl_lower *lower, const char *path, struct kept_dir *ret,
                       struct zl_error *err)
{
  struct stat st;
  int r = open_parent(lower, path, &ret->fd, err);

  if (r < 0)
    return r;
  if (fstat(ret->fd, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  ret->times[0] = st.st_atim;
  ret->times[1] = st.st_mtim;
  return 0;
}

/* The target in this layer: made by copying it up when it is not there. */
static int ensure_target(const struct zl_lower *lower, const struct zl_note *note, int dir,
                         struct zl_error *err)
{
  const char *name = zl_layer_path_name(note->target);
  zl_autofd from = -1;
  struct stat st;
  int r;

  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    r = zl_lower_find(lower, note->target, &from, err);
    if (r == 0)
      return refuse(note, "the target is in no layer", err);
    return r < 0 ? r : zl_copy_up(from, dir, name, err);
  }
  if (S_ISDIR(st.st_mode) || zl_is_whiteout(&st))
    return refuse(note, "the target is a directory or deleted", err);
  return 0;
}

/* As overlayfs itself would: the file is copied up to its own place in this layer, and the new name
 * is a link to the copy. */
static int fix_link(const struct zl_lower *lower, const struct zl_note *note, struct zl_error *err)
{
  auto_kept_dir target_dir = { .fd = -1 };
  auto_kept_dir dir = { .fd = -1 };
  int r = keep_parent(lower, note->target, &target_dir, err);

  if (r == 0)
    r = keep_parent(lower, note->path, &dir, err);
  if (r == 0)
    r = ensure_target(lower, note, target_dir.fd, err);
  if (r < 0)
    return r;
  return zl_link_over(target_dir.fd, zl_layer_path_name(note->target), dir.fd,
                      zl_layer_path_name(note->path), err);
}

static int fix(const struct zl_lower *lower, const char *text, char kind, struct zl_note *note,
               struct zl_error *err)
{
  int r;

  while ((r = zl_note_read(&text, note, err)) > 0) {
    if (note->kind != kind)
      continue;
    if (kind == 'o')
      r = zl_hide_lower(lower, err);
    else
      r = kind == 'd' ? fix_directory(lower, note->path, err) : fix_link(lower, note, err);
    if (r < 0)
      return r;
  }
  return r;
}

/* Links first: making them changes the times of directories that are set afterwards. An opaque root
 * comes last: until then it has not hidden what links and directories are taken from. */
int zl_layer_fixup(int layer_fd, const int *lower_fds, size_t n_lower, const char *fixup,
                   struct zl_error *err)
{
  const struct zl_lower lower = { .layer_fd = layer_fd, .fds = lower_fds, .n = n_lower };
  zl_autofree struct zl_note *note = NULL;
  int r;

  if (fixup == NULL)
    return 0;
  note = calloc(1, sizeof(*note));
  if (note == NULL)
    return zl_fail_nomem(err, "notes about a layer");
  r = fix(&lower, fixup, 'l', note, err);
  if (r == 0)
    r = fix(&lower, fixup, 'd', note, err);
  return r < 0 ? r : fix(&lower, fixup, 'o', note, err);
}
