/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mount_fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
  KERNEL_NOTE_MAX = 256
};

/* The context keeps messages like "e overlay: No changes allowed in reconfigure". */
static int fail_fs(int context, const char *type, const char *what, struct zl_error *err)
{
  int os_error = errno;
  char note[KERNEL_NOTE_MAX];
  ssize_t n = read(context, note, sizeof(note) - 1);

  if (n > 2 && note[1] == ' ') {
    note[n] = '\0';
    note[strcspn(note, "\n")] = '\0';
    return zl_fail(err, ZL_E_SYSTEM, os_error, "mounting %s: %s: %s", type, what, note + 2);
  }
  return zl_fail(err, ZL_E_SYSTEM, os_error, "mounting %s: %s", type, what);
}

static int set_params(int context, const char *type, const struct zl_fs_param *params, size_t n,
                      struct zl_error *err)
{
  for (size_t i = 0; i < n; i++) {
    const char *value = params[i].value;
    int r = fsconfig(context, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
                     params[i].key, value, 0);

    if (r < 0)
      return fail_fs(context, type, params[i].key, err);
  }
  return 0;
}

int zl_mount_fs(const char *type, const char *source, const struct zl_fs_param *params, size_t n,
                uint64_t attrs, int *ret_fd, struct zl_error *err)
{
  zl_autofd context = fsopen(type, FSOPEN_CLOEXEC);
  int fd, r;

  if (context < 0)
    return zl_fail_errno(err, "file system '%s' is not available", type);
  if (source != NULL && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
    return fail_fs(context, type, "source", err);
  r = set_params(context, type, params, n, err);
  if (r < 0)
    return r;
  if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return fail_fs(context, type, "creating", err);
  fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attrs);
  if (fd < 0)
    return fail_fs(context, type, "attributes", err);
  *ret_fd = fd;
  return 0;
}

static int clone_tree(int dirfd, const char *path, unsigned how, int *ret_fd, struct zl_error *err)
{
  int fd = open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | how);

  if (fd < 0)
    return zl_fail(err, errno == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno, "mount source '%s'",
                   path);
  *ret_fd = fd;
  return 0;
}

int zl_mount_clone(int dirfd, const char *path, bool recursive, int *ret_fd, struct zl_error *err)
{
  unsigned how = (recursive ? AT_RECURSIVE : 0) | (*path == '\0' ? AT_EMPTY_PATH : 0);

  return clone_tree(dirfd, path, how, ret_fd, err);
}

int zl_mount_clone_link(const char *path, int *ret_fd, struct zl_error *err)
{
  return clone_tree(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret_fd, err);
}

int zl_mount_change(int mount_fd, bool recursive, uint64_t set, uint64_t clear,
                    uint64_t propagation, struct zl_error *err)
{
  struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };
  unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

  if (set == 0 && clear == 0 && propagation == 0)
    return 0;
  if (mount_setattr(mount_fd, "", flags, &attr, sizeof(attr)) < 0)
    return zl_fail_errno(err, "changing the attributes of a mount");
  return 0;
}

int zl_mount_map_ids(int mount_fd, bool recursive, int userns_fd, struct zl_error *err)
{
  struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };

  if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                    sizeof(attr)) < 0)
    return zl_fail(err, errno == EINVAL ? ZL_E_UNSUPPORTED : ZL_E_SYSTEM, errno,
                   "the file system cannot map ids");
  return 0;
}

int zl_mount_reconfigure(int target_fd, const struct zl_fs_param *params, size_t n,
                         struct zl_error *err)
{
  zl_autofd context = fspick(target_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
  int r;

  if (context < 0)
    return zl_fail_errno(err, "changing a file system");
  r = set_params(context, "remount", params, n, err);
  if (r == 0 && fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
    r = fail_fs(context, "remount", "changing", err);
  return r;
}

int zl_mount_attach(int mount_fd, int target_fd, const char *where, struct zl_error *err)
{
  if (move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
      0)
    return zl_fail_errno(err, "mounting on '%s'", where);
  return 0;
}
