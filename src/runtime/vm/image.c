/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/image.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/strv.h"
#include "engine/mount_fd.h"
#include "engine/rootfs.h"
#include "image/erofs/copy_tree.h"
#include "runtime/vm/apart.h"

/* ---- Keys ---- */

int zl_vm_image_key(const char *const *layer_keys, char key[ZL_VM_IMAGE_KEY], struct zl_error *err)
{
  char text[ZL_DIGEST_TEXT];
  zl_autohash hash = NULL;
  int r = zl_hash_new(ZL_SHA256, &hash, err);

  if (r < 0)
    return r;
  for (size_t i = 0; layer_keys != NULL && layer_keys[i] != NULL; i++)
    zl_hash_update(hash, layer_keys[i], strlen(layer_keys[i]) + 1); /* the NUL parts them */
  r = zl_hash_final(hash, text, err);
  if (r == 0)
    (void)snprintf(key, ZL_VM_IMAGE_KEY, "%s", text + strlen("sha256:"));
  return r;
}

/* ".../<key>/FILE" */
static int push_key(const char *tree, char ***keys, struct zl_error *err)
{
  const char *end = strrchr(tree, '/'), *start = end;
  zl_autofree char *key = NULL;

  while (start != NULL && start > tree && start[-1] != '/')
    start--;
  if (start == NULL || start == end)
    return zl_fail(err, ZL_E_INTERNAL, 0, "'%s' is no layer", tree);
  key = strndup(start, (size_t)(end - start));
  return key != NULL ? zl_strv_push(keys, key, err) : zl_fail_nomem(err, "layer key");
}

int zl_vm_image_key_of_trees(const char *const *trees, char key[ZL_VM_IMAGE_KEY],
                             struct zl_error *err)
{
  zl_autostrv keys = NULL;
  int r = 0;

  for (size_t i = 0; r == 0 && trees[i] != NULL; i++)
    r = push_key(trees[i], &keys, err);
  return r < 0 ? r : zl_vm_image_key((const char *const *)keys, key, err);
}

/* ---- Writing ---- */

struct writing {
  const char *const *trees;
  const char *scratch;
  int out_fd;
};

/* Even a single layer is seen through overlayfs, which keeps whiteouts and its own attributes out
 * of sight: below it comes an empty directory. The tmpfs has the thread's namespace to itself. */
static int merge(const struct writing *w, int scratch_fd, int *ret_fd, struct zl_error *err)
{
  zl_autostrv layers = NULL;
  zl_autofree char *empty = zl_asprintf("%s/empty", w->scratch);
  struct zl_rootfs rootfs = { .dir_fd = -1, .userns_fd = -1 };
  zl_autofd tmpfs = -1;
  int r = empty != NULL ? 0 : zl_fail_nomem(err, "image");

  if (r == 0)
    r = zl_mount_fs("tmpfs", "tmpfs", NULL, 0, 0, &tmpfs, err);
  if (r == 0 && mkdirat(tmpfs, "empty", 0755) < 0)
    r = zl_fail_errno(err, "making a directory");
  if (r == 0)
    r = zl_mount_attach(tmpfs, scratch_fd, w->scratch, err);
  if (r == 0)
    r = zl_strv_copy(&layers, w->trees, err);
  if (r == 0)
    r = zl_strv_push(&layers, empty, err);
  if (r < 0)
    return r;
  rootfs.layers = (const char *const *)layers;
  return zl_rootfs_open(&rootfs, ret_fd, err);
}

/* In a thread of its own: the namespace, and every mount in it, ends with the thread, however this
 * program ends. (CLONE_NEWNS by itself would be refused: threads share their working directory.) */
static int write_apart(void *ctx, struct zl_error *err)
{
  const struct writing *w = ctx;
  struct mount_attr attr = { .propagation = MS_PRIVATE };
  zl_autofd scratch = -1, tree = -1;
  int r;

  if (unshare(CLONE_FS | CLONE_NEWNS) < 0 ||
      mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
    return zl_fail_errno(err, "making a mount namespace");
  scratch = zl_fd_open(AT_FDCWD, w->scratch, O_PATH | O_DIRECTORY, 0);
  if (scratch < 0)
    return zl_fail(err, ZL_E_SYSTEM, -scratch, "opening directory '%s'", w->scratch);
  r = merge(w, scratch, &tree, err);
  return r < 0 ? r : zl_erofs_copy_tree(tree, w->out_fd, ZL_LAYER_RESERVE, err);
}

int zl_vm_image_write(const char *const *trees, const char *scratch, int out_fd,
                      struct zl_error *err)
{
  struct writing w = { .trees = trees, .scratch = scratch, .out_fd = out_fd };

  return zl_vm_apart(write_apart, &w, err);
}

/* ---- The store ---- */

static int publish(int images_fd, const char *temporary, const char *name, int fd,
                   struct zl_error *err)
{
  if (fsync(fd) < 0 || renameat(images_fd, temporary, images_fd, name) < 0 || fsync(images_fd) < 0)
    return zl_fail_errno(err, "writing '%s'", name);
  return 0;
}

static int build(int images_fd, const char *dir, const char *const *trees, const char *key,
                 const char *name, struct zl_error *err)
{
  char temporary[ZL_VM_IMAGE_KEY + 8];
  zl_autofd fd = -1;
  int os_error, r;

  (void)snprintf(temporary, sizeof(temporary), "tmp-%s", key);
  fd = zl_fd_open(images_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "creating '%s'", temporary);
  r = zl_vm_image_write(trees, dir, fd, err);
  os_error = ZL_FAULT("runtime.vm.image");
  if (r == 0 && os_error != 0)
    r = zl_fail(err, ZL_E_SYSTEM, os_error, "fault at image");
  if (r == 0)
    r = publish(images_fd, temporary, name, fd, err);
  if (r < 0)
    (void)unlinkat(images_fd, temporary, 0);
  return r;
}

int zl_vm_image_ensure(int images_fd, const char *dir, const char *const *trees,
                       char key[ZL_VM_IMAGE_KEY], struct zl_error *err)
{
  char name[ZL_VM_IMAGE_KEY + 8], lock_name[ZL_VM_IMAGE_KEY + 8];
  zl_autofd lock = -1;
  int r = zl_vm_image_key_of_trees(trees, key, err);

  if (r < 0)
    return r;
  (void)snprintf(name, sizeof(name), "%s.erofs", key);
  (void)snprintf(lock_name, sizeof(lock_name), "lock-%s", key);
  if (faccessat(images_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  r = zl_lock_acquire(images_fd, lock_name, UINT64_MAX, &lock, err);
  if (r < 0 || faccessat(images_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return r;
  r = build(images_fd, dir, trees, key, name, err);
  if (r < 0)
    (void)unlinkat(images_fd, lock_name, 0);
  return r < 0 ? zl_context(r, err, "making the image's disk") : 0;
}
