/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer is staged in a directory of its own, which is locked while somebody lives there, and gets
 * its place by a rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/erofs_mount.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/layer_store.h"

enum {
  MAX_TRIES = 16,
  SWEEP_TRIES = 400,
  SWEEP_RETRY_MS = 5
};

/* ---- Published layers ------------------------------------------------------------------------ */

static void child_name(const char *key, const char *child, char ret[ZL_LAYER_NAME + 16])
{
  (void)snprintf(ret, ZL_LAYER_NAME + 16, "%s/%s", key, child);
}

static const char *kind_file(enum zl_layer_kind kind)
{
  return kind == ZL_LAYER_KIND_EROFS ? "layer.erofs" : "fs";
}

static bool is_there(int layers_fd, const char *key, enum zl_layer_kind kind)
{
  char name[ZL_LAYER_NAME + 16];
  struct stat st;

  child_name(key, kind_file(kind), name);
  return fstatat(layers_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
         (kind == ZL_LAYER_KIND_EROFS ? S_ISREG(st.st_mode) : S_ISDIR(st.st_mode));
}

bool zl_layer_is_published(int layers_fd, const char *key)
{
  enum zl_layer_kind kind;

  return zl_layer_find_kind(layers_fd, key, &kind, NULL, NULL) == 0;
}

bool zl_layer_is_pending(int layers_fd, const char *key)
{
  return zl_layer_trust_of(layers_fd, key) == ZL_LAYER_PENDING;
}

int zl_layer_find_kind(int layers_fd, const char *key, enum zl_layer_kind *ret, bool *ret_pending,
                       struct zl_error *err)
{
  bool image = is_there(layers_fd, key, ZL_LAYER_KIND_EROFS);
  enum zl_layer_trust trust;

  if (!image && !is_there(layers_fd, key, ZL_LAYER_KIND_DIRECTORY))
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "layer %s is not on disk any more", key);
  trust = zl_layer_trust_of(layers_fd, key);
  if (trust == ZL_LAYER_VOID)
    return zl_fail(err, ZL_E_NOT_FOUND, 0,
                   "layer %s was not on disk as a whole when the machine last went down", key);
  if (ret_pending != NULL)
    *ret_pending = trust == ZL_LAYER_PENDING;
  *ret = image ? ZL_LAYER_KIND_EROFS : ZL_LAYER_KIND_DIRECTORY;
  return 0;
}

char *zl_layer_path(const char *root, const char *key, enum zl_layer_kind kind)
{
  return zl_asprintf("%s/layers/%s/%s", root, key, kind_file(kind));
}

int zl_layer_open(int layers_fd, const char *key, int *ret_fd, struct zl_error *err)
{
  enum zl_layer_kind kind = ZL_LAYER_KIND_DIRECTORY;
  char name[ZL_LAYER_NAME + 16];
  zl_autofd fd = -1;
  int r = zl_layer_find_kind(layers_fd, key, &kind, NULL, err);

  if (r < 0)
    return r;
  child_name(key, kind_file(kind), name);
  fd = zl_fd_open(layers_fd, name,
                  O_RDONLY | O_NOFOLLOW | (kind == ZL_LAYER_KIND_DIRECTORY ? O_DIRECTORY : 0), 0);
  if (fd < 0) {
    r = zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening layer %s", key);
    fd = -1;
    return r;
  }
  if (kind == ZL_LAYER_KIND_EROFS) {
    r = zl_erofs_mount(fd, ret_fd, err);
    return r < 0 ? zl_wrap(err, "layer %s", key) : 0;
  }
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

/* ---- Staging --------------------------------------------------------------------------------- */

bool zl_staging_is_one(int layers_fd, const char *name)
{
  (void)layers_fd;
  return zl_has_prefix(name, "tmp-");
}

/* Takes the lock of a staging directory; false when somebody has it or it is gone. */
static bool lock_staging(int layers_fd, const char *name, int *ret_fd)
{
  struct stat held, named;
  zl_autofd fd = zl_fd_open(layers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

  if (fd < 0) {
    fd = -1;
    return false;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0 ||
      fstatat(layers_fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || held.st_ino != named.st_ino)
    return false;
  *ret_fd = zl_steal_fd(&fd);
  return true;
}

/* The process's umask is not the image's business. */
static int make_tree(struct zl_staging *s)
{
  const char *name = kind_file(s->kind);

  if (s->kind == ZL_LAYER_KIND_EROFS) {
    s->tree_fd = zl_fd_open(s->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    return s->tree_fd < 0 ? -1 : 0;
  }
  if (mkdirat(s->dir_fd, name, 0755) == 0)
    s->tree_fd = zl_fd_open(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  return s->tree_fd < 0 ? -1 : fchmod(s->tree_fd, 0755);
}

int zl_staging_make(int layers_fd, enum zl_layer_kind kind, struct zl_staging *ret,
                    struct zl_error *err)
{
  struct zl_staging s = ZL_STAGING_INIT;
  int r;

  /* A collector that comes between making and locking takes it for a dead one's: make another. */
  for (int i = 0; s.dir_fd < 0 && i < MAX_TRIES; i++) {
    r = zl__staging_name(s.name, err);
    if (r < 0)
      return r;
    if (mkdirat(layers_fd, s.name, 0700) < 0)
      return zl_fail_errno(err, "making a staging directory");
    (void)lock_staging(layers_fd, s.name, &s.dir_fd);
  }
  if (s.dir_fd < 0)
    return zl_fail_errno(err, "locking a staging directory");
  s.kind = kind;
  if (make_tree(&s) < 0) {
    r = zl_fail_errno(err, "making a staging directory");
    zl_staging_remove(layers_fd, &s);
    return r;
  }
  *ret = s;
  return 0;
}

static void staging_close(struct zl_staging *s)
{
  zl_fd_closep(&s->tree_fd);
  zl_fd_closep(&s->dir_fd);
  s->name[0] = '\0';
}

void zl_staging_remove(int layers_fd, struct zl_staging *staging)
{
  if (staging->name[0] != '\0') {
    int r = zl_path_remove_tree(layers_fd, staging->name);

    if (r < 0)
      zl_warning("staging '%s' of an image layer is left behind: %s", staging->name, strerror(-r));
  }
  staging_close(staging);
}

/* The unpacking helper of a caller that was killed ends at the end of its input, and makes some
 * more files until then. */
int zl_staging_sweep(int layers_fd, const char *name, struct zl_error *err)
{
  const struct timespec retry = { .tv_nsec = SWEEP_RETRY_MS * (long)ZL_NS_PER_MS };
  zl_autofd fd = -1;
  int r;

  if (!lock_staging(layers_fd, name, &fd))
    return 0;
  r = zl_path_remove_tree(layers_fd, name);
  for (int i = 0; r == -ENOTEMPTY && i < SWEEP_TRIES; i++) {
    (void)nanosleep(&retry, NULL);
    r = zl_path_remove_tree(layers_fd, name);
  }
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "removing '%s'", name) : 1;
}

bool zl_staging_is_left(int layers_fd, const char *name)
{
  zl_autofd fd = -1;

  return lock_staging(layers_fd, name, &fd);
}

/* What has the name is void, or its tree is gone. A container may run on it all the same, since a
 * failed flush makes layers void: the collector removes it when none does. */
static int move_aside(int layers_fd, const char *key)
{
  char name[ZL_LAYER_NAME + 32], hex[17];

  if (zl_rand_hex(hex, sizeof(hex), NULL) < 0)
    return -1;
  (void)snprintf(name, sizeof(name), ZL_LAYER_ASIDE "%s-%s", hex, key);
  return renameat(layers_fd, key, layers_fd, name);
}

const char *zl_layer_aside_key(const char *name)
{
  const size_t skip = strlen(ZL_LAYER_ASIDE) + 17;

  return zl_has_prefix(name, ZL_LAYER_ASIDE) && strlen(name) > skip ? name + skip : NULL;
}

int zl_staging_publish(int layers_fd, struct zl_staging *staging, const char *key,
                       const struct zl_layer_meta *meta, struct zl_error *err)
{
  int r = zl_layer_meta_write(staging->dir_fd, meta, err);

  if (r < 0)
    return r;
  if (renameat(layers_fd, staging->name, layers_fd, key) < 0 &&
      ((errno != ENOTEMPTY && errno != EEXIST) || move_aside(layers_fd, key) < 0 ||
       renameat(layers_fd, staging->name, layers_fd, key) < 0))
    return zl_fail_errno(err, "publishing layer %s", key);
  staging_close(staging);
  return 0;
}

int zl_layer_retire(int layers_fd, const char *key, struct zl_staging *ret, struct zl_error *err)
{
  struct zl_staging s = ZL_STAGING_INIT;
  char name[ZL_LAYER_NAME];
  int r = zl__staging_name(name, err);

  if (r < 0)
    return r;
  /* Locked before it has its new name: another collector will not remove it as well. */
  s.dir_fd = zl_fd_open(layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (s.dir_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -s.dir_fd, "opening layer %s", key);
  (void)flock(s.dir_fd, LOCK_EX | LOCK_NB);
  if (renameat(layers_fd, key, layers_fd, name) < 0) {
    r = zl_fail_errno(err, "moving layer %s away", key);
    zl_fd_closep(&s.dir_fd);
    return r;
  }
  zl_layer_unlink_lock(layers_fd, key);
  memcpy(s.name, name, sizeof(s.name));
  *ret = s;
  return 0;
}
