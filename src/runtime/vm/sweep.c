/* SPDX-License-Identifier: Apache-2.0
 *
 * What dead makers left below ROOT/vm, and giving disk space back. Whatever is being made or used
 * is locked by who does it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/vm/image.h"
#include "runtime/vm/vm_private.h"

/* ---- The pool ---- */

struct pool_sweep {
  struct zl_check *check;
  int pool_fd;
};

static int sweep_machine(void *ctx, const char *name, int dir_fd, bool ready)
{
  struct pool_sweep *s = ctx;
  bool repaired;

  if (ready || zl_vm_is_owned(dir_fd))
    return 0;
  repaired = s->check->repair && zl_path_remove_tree(s->pool_fd, name) == 0;
  return zl_check_report(s->check, "machine", name, "nobody keeps this machine of the pool",
                         repaired);
}

/* Under the lock of whoever starts machines: between making a directory and locking it there is
 * nobody to be seen. */
static int sweep_pool(struct zl_runtime *rt, struct zl_check *check, struct zl_error *err)
{
  struct pool_sweep s = { .check = check };
  zl_autofd pool = zl_fd_open(rt->root_fd, "vm/pool", O_RDONLY | O_DIRECTORY, 0);
  zl_autofd lock = -1;

  if (pool < 0 || zl_lock_acquire(pool, ".claim", 0, &lock, NULL) < 0)
    return 0;
  s.pool_fd = pool;
  return zl_vm_pool_each(rt, sweep_machine, &s, err);
}

/* ---- Templates ---- */

static int sweep_template(struct zl_check *check, int templates_fd, const char *key)
{
  char lock_name[ZL_VM_KEY_TEXT + 8], seal[ZL_VM_KEY_TEXT + 16];
  zl_autofd lock = -1;
  bool repaired;

  (void)snprintf(seal, sizeof(seal), "%.64s/template.json", key);
  (void)snprintf(lock_name, sizeof(lock_name), "%.64s.lock", key);
  if (faccessat(templates_fd, seal, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
      zl_lock_acquire(templates_fd, lock_name, 0, &lock, NULL) < 0 ||
      faccessat(templates_fd, seal, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  repaired = check->repair && zl_path_remove_tree(templates_fd, key) == 0;
  if (repaired)
    (void)unlinkat(templates_fd, lock_name, 0);
  return zl_check_report(check, "template", key, "left half-made", repaired);
}

/* ---- Scratch disks ---- */

static int sweep_scratch(struct zl_check *check, int dir_fd, const char *name)
{
  zl_autofd lock = -1;
  bool repaired;

  if (!zl_has_prefix(name, "tmp-") || zl_lock_acquire(dir_fd, "lock", 0, &lock, NULL) < 0)
    return 0;
  repaired = check->repair && zl_path_remove_tree(dir_fd, name) == 0;
  return zl_check_report(check, "disk", name, "left half-made", repaired);
}

/* Calls fn with each name of ROOT/<path>. */
static int each_name(struct zl_check *check, const char *path,
                     int (*fn)(struct zl_check *check, int dir_fd, const char *name))
{
  zl_autodir *dir = zl_dir_open(check->rt->root_fd, path);
  struct dirent *e;
  int r = 0;

  while (r == 0 && dir != NULL && (e = readdir(dir)) != NULL)
    r = fn(check, dirfd(dir), e->d_name);
  return r;
}

static int each_template(struct zl_check *check, int dir_fd, const char *name)
{
  return strlen(name) == ZL_VM_KEY_TEXT - 1 ? sweep_template(check, dir_fd, name) : 0;
}

/* ---- Images ---- */

static int open_images(struct zl_runtime *rt)
{
  return zl_fd_open(rt->root_fd, "vm/images", O_RDONLY | O_DIRECTORY, 0);
}

static int sweep_images(struct zl_check *check, struct zl_error *err)
{
  zl_autofd images = open_images(check->rt);
  char detail[96];
  size_t count = 0;
  uint64_t bytes = 0;
  int r;

  /* A container that is not in the database needs an image that no row names. */
  if (images < 0 || check->strangers)
    return 0;
  r = zl_vm_image_collect(check->rt, images, !check->repair, &count, &bytes, err);
  if (r < 0 || count == 0)
    return r;
  (void)snprintf(detail, sizeof(detail), "%zu disks without an image", count);
  return zl_check_report(check, "disk", "vm/images", detail, check->repair);
}

int zl_vm_sweep(struct zl_backend *backend, struct zl_check *check, struct zl_error *err)
{
  int r = sweep_pool(backend->rt, check, err);

  if (r == 0 && !check->enough)
    r = each_name(check, "vm/templates", each_template);
  if (r == 0 && !check->enough)
    r = each_name(check, "vm/scratch", sweep_scratch);
  if (r == 0 && !check->enough)
    r = sweep_images(check, err);
  return r;
}

/* ---- Disk space ---- */

int zl_vm_collect(struct zl_backend *backend, bool dry_run, struct zl_backend_usage *ret,
                  struct zl_error *err)
{
  struct zl_backend_usage got = { 0 };
  zl_autofd images = open_images(backend->rt);
  int r = images < 0
              ? 0
              : zl_vm_image_collect(backend->rt, images, dry_run, &got.count, &got.bytes, err);

  if (r < 0)
    return r;
  if (!dry_run)
    zl_vm_template_retire((struct zl_shimclient *)backend); /* those of images that are gone */
  *ret = got;
  return 0;
}

/* Everything below ROOT/vm; each image counts as one. */
static int count_image(struct zl_check *check, int dir_fd, const char *name)
{
  size_t *count = check->payload;

  (void)dir_fd;
  *count += strstr(name, ".erofs") != NULL;
  return 0;
}

int zl_vm_usage(struct zl_backend *backend, struct zl_backend_usage *ret, struct zl_error *err)
{
  struct zl_backend_usage got = { 0 };
  struct zl_check walk = { .rt = backend->rt, .payload = &got.count };
  uint64_t files = 0;

  (void)err;
  (void)each_name(&walk, "vm/images", count_image);
  if (faccessat(backend->rt->root_fd, "vm", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    (void)zl_path_tree_usage(backend->rt->root_fd, "vm", &got.bytes, &files);
  *ret = got;
  return 0;
}
