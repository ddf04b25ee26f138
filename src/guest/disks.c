/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine is given by the host: disks and shared directories.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "bridge/guest.h"
#include "engine/mount_fd.h"
#include "guest/container.h"
#include "guest/settings.h"

enum {
  MAX_LUN = 25, /* /dev/vdz */
  MAX_TAG = 31, /* what QEMU takes as a 9p tag */
  DISK_NAME = 16
};

static int attach(int mount_fd, const char *path, struct zl_error *err)
{
  zl_autofd target = zl_path_open_dir(AT_FDCWD, path, 0755);

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "mount point '%s'", path);
  return zl_mount_attach(mount_fd, target, path, err);
}

static int mount_at(const char *type, const char *source, const struct zl_fs_param *params,
                    size_t n, uint64_t attrs, const char *path, struct zl_error *err)
{
  zl_autofd fd = -1;
  int r = zl_mount_fs(type, source, params, n, attrs, &fd, err);

  if (r == 0)
    r = attach(fd, path, err);
  return r < 0 ? zl_wrap(err, "mounting '%s' at '%s'", source, path) : 0;
}

static int read_mount(const json_t *settings, const char **ret_path, bool *ret_readonly,
                      struct zl_error *err)
{
  int r = zl_json_get_string(settings, "Settings", "MountPath", ret_path, err);

  if (r == 0)
    r = zl_json_get_bool(settings, "Settings", "ReadOnly", false, ret_readonly, err);
  if (r == 0 && (*ret_path == NULL || **ret_path != '/'))
    r = zl_fail(err, ZL_E_INVALID, 0, "Settings.MountPath: expected an absolute path");
  return r;
}

/* Part of a template, so that no container has to wait for it. */
static int prepare_scratch(const char *path, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "'%s'", path);
  return container_prepare_scratch(fd, err);
}

/* ---- Disks --------------------------------------------------------------------------------- */

static int add_disk(const char *disk, const char *filesystem, const char *path, bool readonly,
                    struct zl_error *err)
{
  /* The super block, not only the mount: a disk of many machines must not be written at all. */
  const struct zl_fs_param ro = { .key = "ro" };

  if (filesystem == NULL || (strcmp(filesystem, "erofs") != 0 && strcmp(filesystem, "ext4") != 0))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Settings.Filesystem: \"erofs\" or \"ext4\"");
  return mount_at(filesystem, disk, &ro, readonly ? 1 : 0, readonly ? MOUNT_ATTR_RDONLY : 0, path,
                  err);
}

int settings_disk(const json_t *settings, bool is_remove, struct zl_error *err)
{
  const char *path = NULL, *filesystem = NULL;
  char disk[DISK_NAME];
  bool readonly = false;
  int64_t lun;
  int r = zl_json_get_int(settings, "Settings", "Lun", 0, MAX_LUN, -1, &lun, err);

  if (r == 0 && lun < 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "Settings.Lun: must be given");
  if (r == 0)
    r = read_mount(settings, &path, &readonly, err);
  if (r == 0)
    r = zl_json_get_string(settings, "Settings", "Filesystem", &filesystem, err);
  if (r < 0)
    return r;
  if (is_remove)
    return umount2(path, UMOUNT_NOFOLLOW) < 0 ? zl_fail_errno(err, "unmounting '%s'", path) : 0;
  (void)snprintf(disk, sizeof(disk), "/dev/vd%c", 'a' + (char)lun);
  r = add_disk(disk, filesystem, path, readonly, err);
  return r == 0 && lun == ZL_GUEST_LUN_SCRATCH && !readonly ? prepare_scratch(path, err) : r;
}

/* ---- Shared directories -------------------------------------------------------------------- */

/* cache=mmap: as none, every read and write goes to the host, whose other users write the same
 * files; but a file may be mapped shared, which databases want. access=client: each user of the
 * container acts by his own ids and the kernel here checks the modes, as for any file system; the
 * host's end runs as root and would let everything pass. msize: requests are one piece of kernel
 * memory each, and larger ones are not to be had in a small machine that has run for a while. */
static const struct zl_fs_param params_9p[] = {
  { "trans", "virtio" },  { "version", "9p2000.L" }, { "cache", "mmap" },
  { "access", "client" }, { "msize", "131072" },
};

int settings_directory(const json_t *settings, struct zl_error *err)
{
  const char *path = NULL, *tag = NULL;
  bool readonly = false;
  int r = zl_json_get_string(settings, "Settings", "ShareName", &tag, err);

  if (r == 0 && (tag == NULL || !zl_path_is_name(tag, MAX_TAG)))
    r = zl_fail(err, ZL_E_INVALID, 0, "Settings.ShareName: expected a tag");
  if (r == 0)
    r = read_mount(settings, &path, &readonly, err);
  if (r < 0)
    return r;
  return mount_at("9p", tag, params_9p, ZL_COUNT(params_9p), readonly ? MOUNT_ATTR_RDONLY : 0, path,
                  err);
}
