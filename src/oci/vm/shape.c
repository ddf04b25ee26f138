/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.json: which kernel, how much memory, how many processors.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/strv.h"
#include "base/time.h"
#include "oci/vm/vm.h"
#include "runtime/helpers.h"
#include "runtime/vm/guest.h"
#include "runtime/vm/scratch.h"
#include "runtime/vm/shape.h"

#define HELPER_DIR "ZLAYER_HELPER_DIR"
#define SHIM       "zlayer-shim-vm"
#define SETTINGS   "/etc/zlayer"            /* its config.yaml, docs/microvm.md */
#define DISK_DIR   "/var/lib/zlayer-oci-vm" /* where the root is in memory */
#define OWN_DIR    ".machine~"              /* no container's id */

enum {
  PATH_TEXT = 4096 /* what the kernel tells of a path */
};

/* This program may execute itself from a mount without a path (oci/protect.h). */
int oci_machine_init(struct zl_error *err)
{
  zl_autofree char *dir = NULL;
  const char *given = getenv(HELPER_DIR);
  int r;

  if (given != NULL && *given != '\0')
    return 0;
  r = zl_helpers_find(&dir, err);
  if (r == 0 && setenv(HELPER_DIR, dir, 1) < 0)
    r = zl_fail_errno(err, HELPER_DIR);
  return r;
}

int oci_vm_shim_path(char **ret, struct zl_error *err)
{
  *ret = zl_asprintf("%s/" SHIM, getenv(HELPER_DIR));
  return *ret != NULL ? 0 : zl_fail_nomem(err, SHIM);
}

static int load_settings(struct zl_vm_settings *ret, struct zl_error *err)
{
  zl_autofd dir = zl_fd_open(AT_FDCWD, SETTINGS, O_RDONLY | O_DIRECTORY, 0);
  int r;

  if (dir == -ENOENT) {
    dir = -1;
    zl_vm_settings_init(ret);
    return 0;
  }
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&dir), SETTINGS);
  r = zl_vm_settings_load(dir, ret, err);
  return r < 0 ? zl_wrap(err, SETTINGS) : 0;
}

static int find_guest(const struct zl_vm_settings *settings, struct zl_vm_guest *ret,
                      char **ret_qemu, struct zl_error *err)
{
  zl_autofree char *dir = NULL;
  int r = zl_vm_guest_dir(getenv(HELPER_DIR), &dir, err);

  if (r == 0)
    r = zl_vm_qemu_find(dir, ZL_VM_QEMU, ret_qemu, err);
  if (r == 0)
    r = zl_vm_guest_find(dir, settings->kernel, ret, err);
  if (r == 0 && !ret->has_9p)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0,
                "guest kernel '%s': it has no 9p, by which the bundle is seen: 'make guest-kernel' "
                "makes one that has",
                ret->name);
  return r;
}

static int find_accel(const struct oci_container *c, struct zl_accel *ret, struct zl_error *err)
{
  zl_autofree char *path = NULL;
  zl_autofd dir = zl_path_open_dir(c->root_fd, OWN_DIR, 0700), program = -1;
  struct zl_vm_helper helper = { .program = SHIM };
  char boot_id[ZL_BOOT_ID_TEXT];
  int r;

  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&dir), "directory '" OWN_DIR "'");
  r = oci_vm_shim_path(&path, err);
  if (r == 0)
    r = zl_time_boot_id(boot_id, err);
  if (r < 0)
    return r;
  program = zl_fd_open(AT_FDCWD, path, O_PATH, 0);
  if (program < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&program),
                   "'%s' (set $" HELPER_DIR " to where it is)", path);
  helper.fd = program;
  return zl_vm_accel_get(&helper, dir, boot_id, ret, err);
}

/* The prepared disk, beside which the shim makes a copy of it. */
static int find_scratch(const struct oci_container *c, uint64_t bytes, char **ret,
                        struct zl_error *err)
{
  struct statfs fs;
  bool in_memory = fstatfs(c->root_fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
  zl_autofd dir =
      zl_path_open_dir(in_memory ? AT_FDCWD : c->root_fd, in_memory ? DISK_DIR : OWN_DIR, 0700);
  char name[ZL_VM_SCRATCH_NAME], link[ZL_FD_PATH], path[PATH_TEXT];
  ssize_t n;
  int r;

  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&dir), "directory '%s'",
                   in_memory ? DISK_DIR : OWN_DIR);
  r = zl_vm_scratch_ensure(dir, bytes, name, err);
  if (r < 0)
    return r;
  n = readlink(zl_path_of_fd(dir, link), path, sizeof(path) - 1);
  path[n > 0 ? n : 0] = '\0';
  *ret = zl_asprintf("%s/%s", path, name);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "scratch disk");
}

int oci_vm_shape_render(const struct oci_container *c, const struct zl_resources *resources,
                        const char *share, bool scratch, char **ret, struct zl_error *err)
{
  struct zl_vm_settings settings = { .memory_mib = 0 };
  zl_autoguest guest = { .name = NULL };
  struct zl_accel accel = { 0 };
  zl_autojson *json = NULL;
  zl_autofree char *disk = NULL, *qemu = NULL;
  uint64_t limit = resources->memory_limit > 0 ? (uint64_t)resources->memory_limit : 0;
  double cpus = 0;
  int r = load_settings(&settings, err);

  if (resources->cpu_quota_us > 0)
    cpus = (double)resources->cpu_quota_us /
           (double)(resources->cpu_period_us > 0 ? resources->cpu_period_us : 100000);
  if (r == 0)
    r = find_guest(&settings, &guest, &qemu, err);
  if (r == 0)
    r = find_accel(c, &accel, err);
  if (r == 0 && scratch)
    r = find_scratch(c, settings.scratch_bytes, &disk, err);
  if (r < 0)
    return r;
  json = json_pack("{s:s, s:s, s:s, s:b, s:s, s:I, s:i, s:i, s:[{s:s, s:b}], s:b, s:s*}", "qemu",
                   qemu, "kernel", guest.kernel, "initrd", guest.initrd, "acpi", (int)guest.acpi,
                   "accel", zl_vm_accel_text(accel.accel), "tscKhz", (json_int_t)accel.tsc_khz,
                   "memoryMiB", (int)zl_vm_shape_memory(&settings, limit), "vcpus",
                   (int)zl_vm_shape_cpus(&settings, cpus), "binds", "source", share, "readonly", 0,
                   "unrecorded", 1, "scratch", disk);
  return json != NULL ? zl_json_render(json, ret, err) : zl_fail_nomem(err, "machine.json");
}
