/* SPDX-License-Identifier: Apache-2.0
 *
 * One directory holds all that the machine sees of the host: the bundle's root as "rootfs" and each
 * bind mount under its number, directories and single files alike. It is a file system in memory
 * that nobody can write to, mounted in a namespace that ends with the machine.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/mount_fd.h"
#include "oci/vm/vm.h"

enum {
  NAME_TEXT = 24
};

static int refuse(const struct zl_mount *mount, const char *why, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "config.json: mounts: '%.200s': %s", mount->destination,
                 why);
}

/* ---- Taking hold --------------------------------------------------------------------------- */

/* What these show is the host, not the machine. */
static bool is_kernels_own(int fd)
{
  struct statfs fs;

  return fstatfs(fd, &fs) == 0 &&
         (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
          fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

static int check_source(const struct zl_mount *mount, int fd, bool *ret_is_directory,
                        struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "config.json: mounts: '%s'", mount->source);
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
    return refuse(mount,
                  "its source is neither a directory nor a file: what it leads to is on the "
                  "host",
                  err);
  if (is_kernels_own(fd))
    return refuse(mount, "its source is the host's /proc, /sys or cgroups", err);
  *ret_is_directory = S_ISDIR(st.st_mode);
  return 0;
}

static int check_mount(const struct zl_mount *mount, struct zl_error *err)
{
  if (mount->idmap)
    return refuse(mount, "idmap: ids of a machine are not mapped", err);
  if (mount->propagation & MS_SHARED)
    return refuse(mount, "shared: what the machine mounts cannot appear on the host", err);
  if (mount->source == NULL || *mount->source == '\0')
    return refuse(mount, "has no source", err);
  return 0;
}

/* A slave stays one: what the host mounts there later appears in the machine, too. */
static int restrict_tree(const struct zl_mount *mount, int fd, struct zl_error *err)
{
  uint64_t attr = (mount->attr_set | mount->rattr_set) & MOUNT_ATTR_RDONLY;
  bool slave = (mount->propagation & MS_SLAVE) != 0;
  int r = zl_mount_change(fd, mount->recursive, 0, 0, slave ? MS_SLAVE : MS_PRIVATE, err);

  if (r == 0 && attr != 0)
    r = zl_mount_change(fd, (mount->rattr_set & MOUNT_ATTR_RDONLY) != 0, attr, 0, 0, err);
  return r;
}

static int open_share(struct oci_vm_shares *shares, const struct zl_mount *mount, int bundle_fd,
                      struct zl_error *err)
{
  struct oci_vm_share *share = &shares->items[shares->n];
  int r = check_mount(mount, err);

  if (r < 0)
    return r;
  if (shares->n == OCI_VM_MAX_SHARES)
    return zl_fail(err, ZL_E_LIMIT, 0, "config.json: mounts: more than %d of the host",
                   OCI_VM_MAX_SHARES);
  *share = (struct oci_vm_share){ .mount = mount, .tree_fd = -1 };
  r = zl_mount_clone(bundle_fd, mount->source, mount->recursive, &share->tree_fd, err);
  if (r < 0)
    return zl_wrap(err, "config.json: mounts: '%.200s'", mount->destination);
  shares->n++;
  r = check_source(mount, share->tree_fd, &share->is_directory, err);
  return r == 0 ? restrict_tree(mount, share->tree_fd, err) : r;
}

/* One that is written to is so for the machine even when the container's is read-only: mount points
 * and the working directory are made in it first. */
static int open_root(struct oci_vm_shares *shares, const struct oci_machine_spec *spec,
                     struct zl_error *err)
{
  bool slave = (spec->config->rootfs_propagation & MS_SLAVE) != 0;
  uint64_t attr = shares->scratch ? MOUNT_ATTR_RDONLY : 0;
  int r = zl_mount_clone(AT_FDCWD, spec->rootfs, true, &shares->root_fd, err);

  if (r == 0)
    r = zl_mount_change(shares->root_fd, true, attr, 0, slave ? MS_SLAVE : MS_PRIVATE, err);
  return r < 0 ? zl_wrap(err, "config.json: root.path") : 0;
}

int oci_vm_shares_open(struct oci_vm_shares *shares, const struct oci_machine_spec *spec,
                       bool scratch, struct zl_error *err)
{
  const struct zl_engine_config *config = spec->config;
  int r;

  shares->n = 0;
  shares->scratch = scratch;
  shares->root_fd = -1;
  r = open_root(shares, spec, err);
  for (size_t i = 0; r == 0 && i < config->n_mounts; i++)
    if (config->mounts[i].bind && !config->mounts[i].remount)
      r = open_share(shares, &config->mounts[i], spec->bundle_fd, err);
  return r;
}

void oci_vm_shares_done(struct oci_vm_shares *shares)
{
  for (size_t i = 0; i < shares->n; i++)
    zl_fd_closep(&shares->items[i].tree_fd);
  zl_fd_closep(&shares->root_fd);
}

/* ---- Attaching ----------------------------------------------------------------------------- */

static int attach_at(int top_fd, const char *name, bool is_directory, int tree_fd,
                     struct zl_error *err)
{
  zl_autofd target = -1, made = -1;

  if (is_directory && mkdirat(top_fd, name, 0700) < 0)
    return zl_fail_errno(err, "making the mount point '%s'", name);
  if (!is_directory) {
    made = zl_fd_open(top_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (made < 0)
      return zl_fail(err, ZL_E_SYSTEM, -made, "making the mount point '%s'", name);
  }
  target = zl_fd_open(top_fd, name, O_PATH | O_NOFOLLOW, 0);
  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "mount point '%s'", name);
  return zl_mount_attach(tree_fd, target, name, err);
}

static int attach_all(struct oci_vm_shares *shares, int top_fd, struct zl_error *err)
{
  char name[NAME_TEXT];
  int r = attach_at(top_fd, OCI_VM_ROOTFS, true, shares->root_fd, err);

  for (size_t i = 0; r == 0 && i < shares->n; i++) {
    (void)snprintf(name, sizeof(name), "%zu", i);
    r = attach_at(top_fd, name, shares->items[i].is_directory, shares->items[i].tree_fd, err);
  }
  return r;
}

static int leave_host_alone(struct zl_error *err)
{
  zl_autofd root = zl_fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  int r = root < 0 ? zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&root), "'/'")
                   : zl_mount_change(root, true, 0, 0, MS_SLAVE, err);

  return r < 0 ? zl_wrap(err, "leaving the host's mounts alone") : 0;
}

/* By its path: a descriptor from before would lead into the host's mount namespace. */
int oci_vm_shares_attach(struct oci_vm_shares *shares, const char *path, struct zl_error *err)
{
  static const struct zl_fs_param mode = { .key = "mode", .value = "0755" };
  zl_autofd top = -1, target = zl_fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
  int r;

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&target), "directory '%s'", path);
  r = leave_host_alone(err);
  if (r == 0)
    r = zl_mount_fs("tmpfs", "zlayer-share", &mode, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &top,
                    err);
  if (r == 0)
    r = zl_mount_attach(top, target, path, err);
  if (r == 0)
    r = attach_all(shares, top, err);
  return r == 0 ? zl_mount_change(top, false, MOUNT_ATTR_RDONLY, 0, 0, err) : r;
}
