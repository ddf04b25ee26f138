/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer is filled where it is to be: its directory's name is what Windows' own files know it by,
 * and could not be changed while anybody has a file in it open. It is published when it has its
 * metadata. Until then it belongs to whoever holds the lock of its key, and is rubbish when nobody
 * does. What is staged beside it, in tmp-*, belongs to the holder of a lock of that name.
 */
#include "image/win32/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/win32/privilege.h"

enum {
  MAX_TRIES = 16
};

/* ---- Published layers ------------------------------------------------------------------------ */

static bool is_kind(int at, const char *name, unsigned kind)
{
  struct stat st;

  return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind;
}

bool zl_layer_is_published(int layers_fd, const char *key)
{
  return zl_layer_trust_of(layers_fd, key) != ZL_LAYER_VOID;
}

bool zl_layer_is_pending(int layers_fd, const char *key)
{
  (void)layers_fd;
  (void)key;
  return false;
}

int zl_layer_find_kind(int layers_fd, const char *key, enum zl_layer_kind *ret, bool *ret_pending,
                       struct zl_error *err)
{
  if (!zl_layer_is_published(layers_fd, key))
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "layer %s is not on disk any more", key);
  if (ret_pending != NULL)
    *ret_pending = false;
  *ret = ZL_LAYER_KIND_WINDOWS;
  return 0;
}

/* Windows' services take no slashes. */
char *zl_layer_path(const char *root, const char *key, enum zl_layer_kind kind)
{
  char *path = zl_asprintf("%s\\layers\\%s", root, key);

  (void)kind;
  for (char *p = path; p != NULL && *p != '\0'; p++)
    if (*p == '/')
      *p = '\\';
  return path;
}

int zl_layer_open(int layers_fd, const char *key, int *ret_fd, struct zl_error *err)
{
  enum zl_layer_kind kind;
  int r = zl_layer_find_kind(layers_fd, key, &kind, NULL, err), fd;

  if (r < 0)
    return r;
  fd = zl_fd_open(layers_fd, key, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening layer %s", key);
  *ret_fd = fd;
  return 0;
}

/* A layer that does not count is filled again where it is. */
const char *zl_layer_aside_key(const char *name)
{
  (void)name;
  return NULL;
}

/* ---- Staging --------------------------------------------------------------------------------- */

bool zl_staging_is_one(int layers_fd, const char *name)
{
  if (zl_has_prefix(name, "lock-") || !is_kind(layers_fd, name, S_IFDIR))
    return false;
  return zl_has_prefix(name, "tmp-") || !zl_layer_is_published(layers_fd, name);
}

/* A name with its lock; ZL_E_CONFLICT when none could be had. */
static int take_name(int layers_fd, struct zl_staging *s, struct zl_error *err)
{
  int r = 0;

  for (int i = 0; r == 0 && i < MAX_TRIES; i++) {
    r = zl__staging_name(s->name, err);
    if (r < 0)
      return r;
    r = zl_layer_try_lock(layers_fd, s->name, &s->lock_fd);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "locking a staging directory");
  }
  return r > 0 ? 0 : zl_fail(err, ZL_E_CONFLICT, 0, "locking a staging directory");
}

static int make_directory(int layers_fd, struct zl_staging *s, struct zl_error *err)
{
  if (mkdirat(layers_fd, s->name, 0700) < 0)
    return zl_fail_errno(err, "making a staging directory");
  s->dir_fd = zl_fd_open(layers_fd, s->name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  if (s->dir_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -s->dir_fd, "opening a staging directory");
  if (s->kind != ZL_LAYER_KIND_EROFS)
    return 0;
  s->tree_fd = zl_fd_open(s->dir_fd, "file", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  return s->tree_fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -s->tree_fd, "making a staged file") : 0;
}

int zl_staging_make(int layers_fd, enum zl_layer_kind kind, struct zl_staging *ret,
                    struct zl_error *err)
{
  struct zl_staging s = ZL_STAGING_INIT;
  int r = take_name(layers_fd, &s, err);

  if (r < 0)
    return r;
  s.kind = kind;
  r = make_directory(layers_fd, &s, err);
  if (r < 0) {
    zl_staging_remove(layers_fd, &s);
    return r;
  }
  *ret = s;
  return 0;
}

/* Files of Windows belong to others than administrators, who remove them as a backup's restorer. */
static int remove_tree(int layers_fd, const char *name)
{
  zl_enable_restore();
  return zl_path_remove_tree(layers_fd, name);
}

int zl_staging_place(int layers_fd, struct zl_staging *staging, const char *key,
                     struct zl_error *err)
{
  int r = remove_tree(layers_fd, key);

  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "removing what is left of layer %s", key);
  if (mkdirat(layers_fd, key, 0700) < 0)
    return zl_fail_errno(err, "making the directory of layer %s", key);
  (void)snprintf(staging->place, sizeof(staging->place), "%s", key);
  staging->tree_fd = zl_fd_open(layers_fd, key, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  return staging->tree_fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -staging->tree_fd,
                                        "opening the directory of layer %s", key)
                              : 0;
}

static void remove_one(int layers_fd, const char *name)
{
  int r = name[0] != '\0' ? remove_tree(layers_fd, name) : 0;

  if (r < 0)
    zl_warning("'%s' of an image layer is left behind: %s", name, strerror(-r));
}

/* File systems without POSIX' removal keep names of what is open, so nothing of ours is. */
void zl_staging_remove(int layers_fd, struct zl_staging *staging)
{
  zl_fd_closep(&staging->tree_fd);
  zl_fd_closep(&staging->dir_fd);
  remove_one(layers_fd, staging->place);
  remove_one(layers_fd, staging->name);
  if (staging->name[0] != '\0')
    zl_layer_unlink_lock(layers_fd, staging->name);
  zl_fd_closep(&staging->lock_fd);
  staging->place[0] = staging->name[0] = '\0';
}

/* Locked and still staging, not a layer that its maker has published meanwhile. */
static bool lock_left(int layers_fd, const char *name, int *ret_lock)
{
  zl_autofd lock = -1;

  if (zl_layer_try_lock(layers_fd, name, &lock) <= 0)
    return false;
  if (zl_staging_is_one(layers_fd, name)) {
    *ret_lock = zl_steal_fd(&lock);
    return true;
  }
  if (!zl_layer_is_published(layers_fd, name))
    zl_layer_unlink_lock(layers_fd, name);
  return false;
}

int zl_staging_sweep(int layers_fd, const char *name, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r;

  if (!lock_left(layers_fd, name, &lock))
    return 0;
  r = remove_tree(layers_fd, name);
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "removing '%s'", name);
  zl_layer_unlink_lock(layers_fd, name);
  return 1;
}

bool zl_staging_is_left(int layers_fd, const char *name)
{
  zl_autofd lock = -1;

  if (!lock_left(layers_fd, name, &lock))
    return false;
  zl_layer_unlink_lock(layers_fd, name);
  return true;
}

/* ---- Into place ------------------------------------------------------------------------------ */

static int flush_file(int at, const char *name)
{
  zl_autofd fd = zl_fd_open(at, name, O_WRONLY | O_NOFOLLOW, 0);

  if (fd < 0)
    return fd;
  return fsync(fd) < 0 ? -errno : 0;
}

/* Every file, where a volume cannot be flushed at once. */
static int flush_tree(int at, const char *name, unsigned depth)
{
  zl_autofd fd = zl_fd_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  zl_autodir *dir = fd >= 0 && depth < ZL_MAX_LAYER_DEPTH ? fdopendir(fd) : NULL;
  const struct dirent *entry;
  int r = 0;

  if (dir == NULL)
    return fd < 0 ? fd : -ENAMETOOLONG;
  (void)zl_steal_fd(&fd);
  while (r == 0 && (entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (entry->d_type == DT_DIR)
      r = flush_tree(dirfd(dir), entry->d_name, depth + 1);
    else if (entry->d_type == DT_REG)
      r = flush_file(dirfd(dir), entry->d_name);
  }
  return r;
}

/* The content of a layer that is there after a power loss is whole. */
static int flush(int layers_fd, const struct zl_staging *staging, struct zl_error *err)
{
  int r = syncfs(layers_fd) == 0 ? 0 : flush_tree(layers_fd, staging->place, 0);

  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "flushing layer %s", staging->place) : 0;
}

int zl_staging_publish(int layers_fd, struct zl_staging *staging, const char *key,
                       const struct zl_layer_meta *meta, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r;

  if (strcmp(staging->place, key) != 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "layer %s was made at '%s'", key, staging->place);
  r = flush(layers_fd, staging, err);
  if (r < 0)
    return r;
  dir = zl_fd_open(layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "publishing layer %s", key);
  r = zl_layer_meta_write_flushed(dir, meta, err);
  if (r < 0)
    return r;
  staging->place[0] = '\0';
  zl_staging_remove(layers_fd, staging);
  return 0;
}

int zl_layer_retire(int layers_fd, const char *key, struct zl_staging *ret, struct zl_error *err)
{
  struct zl_staging s = ZL_STAGING_INIT;
  zl_autofd fd = zl_fd_open(layers_fd, key, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  int r = fd >= 0 ? zl_layer_set_void(fd) : fd == -ENOENT ? 0 : fd;

  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "removing the metadata of layer %s", key);
  (void)snprintf(s.name, sizeof(s.name), "%s", key);
  *ret = s;
  return 0;
}
