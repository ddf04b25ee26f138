/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "engine/cgroup.h"
#include "engine/mount_fd.h"
#include "net/linux/link.h"

#define MODULES    "/modules"
#define OWN_CGROUP "/init" /* a leaf: a v2 cgroup with controllers below it holds no processes */

/* ---- Mounts -------------------------------------------------------------------------------- */

/* pivot_root refuses to leave the initramfs, the root of all mounts; so a copy of it goes on top,
 * which every container can leave. */
static int cover_root(struct zl_error *err)
{
  zl_autofd root = -1, below = zl_fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  int r;

  if (below < 0)
    return zl_fail(err, ZL_E_SYSTEM, -below, "the initial root");
  r = zl_mount_clone(AT_FDCWD, "/", false, &root, err);
  if (r == 0)
    r = zl_mount_attach(root, below, "/", err);
  if (r == 0 && (fchdir(root) < 0 || chroot(".") < 0))
    r = zl_fail_errno(err, "entering the root's copy");
  return r;
}

static const struct {
  const char *type, *path;
} mounts[] = {
  { "proc", "/proc" },
  { "sysfs", "/sys" },
  { "devtmpfs", "/dev" },
  { "tmpfs", "/run" },
  { "cgroup2", "/sys/fs/cgroup" },
};

static int mount_all(struct zl_error *err)
{
  for (size_t i = 0; i < ZL_COUNT(mounts); i++) {
    zl_autofd fd = -1, target = -1;
    int r = zl_mount_fs(mounts[i].type, mounts[i].type, NULL, 0, 0, &fd, err);

    if (r < 0)
      return r;
    target = zl_path_open_dir(AT_FDCWD, mounts[i].path, 0755);
    if (target < 0)
      return zl_fail(err, ZL_E_SYSTEM, -target, "'%s'", mounts[i].path);
    r = zl_mount_attach(fd, target, mounts[i].path, err);
    if (r < 0)
      return r;
  }
  return 0;
}

/* An initramfs without /dev/console leaves the first process without standard streams, and then
 * other descriptors would get their numbers. */
static int open_console(struct zl_error *err)
{
  for (int i = 0; i < 3; i++) {
    int fd;

    if (fcntl(i, F_GETFD) >= 0)
      continue;
    fd = zl_fd_open(AT_FDCWD, i == 0 ? "/dev/null" : "/dev/console", O_RDWR, 0);
    if (fd < 0) /* a machine without console */
      fd = zl_fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
    if (fd != i)
      return zl_fail(err, ZL_E_SYSTEM, fd < 0 ? -fd : 0, "standard streams");
  }
  return 0;
}

/* ---- Modules ------------------------------------------------------------------------------- */

static void load_module(int dir_fd, const char *name)
{
  zl_autofd fd = -1;

  if (!zl_path_is_name(name, ZL_MAX_NAME))
    return;
  fd = zl_fd_open(dir_fd, name, O_RDONLY, 0);
  if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
    zl_warning("kernel module '%s': %s", name, strerror(fd < 0 ? -fd : errno));
}

/* One that does not load is missed by what needs it. */
static int load_modules(struct zl_error *err)
{
  zl_autobuf order = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autofd dir = zl_fd_open(AT_FDCWD, MODULES, O_PATH | O_DIRECTORY, 0);
  int r;

  if (dir < 0)
    return 0;
  r = zl_file_read(dir, "order", &order, err);
  if (r < 0)
    return r == -ZL_E_NOT_FOUND ? 0 : r;
  for (char *next = order.data, *name; (name = strsep(&next, "\n")) != NULL;)
    if (*name != '\0')
      load_module(dir, name);
  return 0;
}

/* ---- Cgroups ------------------------------------------------------------------------------- */

/* Making a cgroup hands the controllers down from the root, once and for all. */
static int enter_cgroup(struct zl_error *err)
{
  const struct zl_resources none = { 0 };
  struct zl_cgroup_root root;
  struct zl_cgroup cgroup;
  int r = zl_cgroup_root_open(&root, err);

  if (r < 0)
    return r;
  r = zl_cgroup_create(&root, OWN_CGROUP, &none, &cgroup, err);
  if (r == 0) {
    r = zl_cgroup_add(&cgroup, 0, false, err);
    zl_cgroup_close(&cgroup);
  }
  zl_cgroup_root_close(&root);
  return r;
}

/* ---- Disks --------------------------------------------------------------------------------- */

/* Programs are read from the image as they run, and each request to the host costs a turn of the
 * emulator: fewer and larger ones. The kernel's default is 128. */
static int read_further_ahead(struct zl_error *err)
{
  int r = zl_file_poke(AT_FDCWD, "/sys/block/vda/queue/read_ahead_kb", "1024", err);

  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* Output is on its way before the program that wrote it goes on, and a busy container does not keep
 * the host waiting. Children are ordinary processes. Without it everything is only slower. */
static void take_precedence(void)
{
  const struct sched_param first = { .sched_priority = 1 };

  (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
}

int machine_prepare(struct zl_error *err)
{
  int r = cover_root(err);

  take_precedence();
  if (r == 0)
    r = mount_all(err);
  if (r == 0)
    r = open_console(err);
  if (r == 0)
    r = load_modules(err);
  if (r == 0)
    r = enter_cgroup(err);
  /* An initramfs need not have it; machine-id is written there. */
  if (r == 0 && mkdir("/etc", 0755) < 0 && errno != EEXIST)
    r = zl_fail_errno(err, "'/etc'");
  if (r == 0)
    r = read_further_ahead(err);
  return r == 0 ? zl_link_prepare_machine(err) : r;
}

/* There is no power to be switched off in a machine without ACPI; QEMU ends at a reset, too. */
_Noreturn void machine_off(bool is_synced)
{
  if (is_synced)
    sync();
  for (;;)
    (void)reboot(RB_AUTOBOOT);
}
