/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/labels.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "engine/procfs.h"

#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif

static bool is_mounted(const char *path, long magic)
{
  struct statfs fs;

  return statfs(path, &fs) == 0 && fs.f_type == magic;
}

static bool has_apparmor(void)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);

  return zl_file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &text, NULL) == 0 &&
         text.data != NULL && text.data[0] == 'Y';
}

static int refuse(const char *what, const char *value, const char *why, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s '%.100s': %s", what, value, why);
}

int zl_labels_check(const struct zl_engine_config *config, const struct zl_process *process,
                    struct zl_error *err)
{
  const char *const profile = process->apparmor_profile, *const label = process->selinux_label;
  const bool has_selinux = (label != NULL || config->mount_label != NULL) &&
                           is_mounted("/sys/fs/selinux", SELINUX_MAGIC);

  if (profile != NULL && !has_apparmor())
    return refuse("process.apparmorProfile", profile, "AppArmor is not active on this host", err);
  if (label != NULL && !has_selinux)
    return refuse("process.selinuxLabel", label, "SELinux is not active on this host", err);
  if (config->mount_label != NULL && !has_selinux)
    return refuse("linux.mountLabel", config->mount_label, "SELinux is not active on this host",
                  err);
  if (config->intel_rdt)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "linux.intelRdt: %s",
                   is_mounted("/sys/fs/resctrl", RDTGROUP_SUPER_MAGIC) ? "not supported"
                                                                       : "resctrl is not mounted");
  return 0;
}

static int write_attribute(int proc_fd, const char *file, const char *text, struct zl_error *err)
{
  char path[64];

  if (proc_fd < 0) {
    (void)snprintf(path, sizeof(path), "/proc/self/attr/%s", file);
    return zl_file_poke(AT_FDCWD, path, text, err);
  }
  (void)snprintf(path, sizeof(path), "%d/attr/%s", (int)getpid(), file);
  return zl_procfs_write(proc_fd, path, text, err);
}

/* Since Linux 5.1 AppArmor has files of its own; the old ones are whichever module came first. */
static int apply_profile(int proc_fd, const char *profile, struct zl_error *err)
{
  zl_autofree char *text = zl_asprintf("exec %s", profile);
  int r;

  if (text == NULL)
    return zl_fail_nomem(err, "AppArmor profile");
  r = write_attribute(proc_fd, "apparmor/exec", text, err);
  if (r == -ZL_E_NOT_FOUND)
    r = write_attribute(proc_fd, "exec", text, err);
  return r < 0 ? zl_wrap(err, "AppArmor profile '%.100s'", profile) : 0;
}

int zl_labels_apply(int proc_fd, const struct zl_process *process, struct zl_error *err)
{
  int r = 0;

  if (process->apparmor_profile != NULL)
    r = apply_profile(proc_fd, process->apparmor_profile, err);
  if (r == 0 && process->selinux_label != NULL &&
      write_attribute(proc_fd, "exec", process->selinux_label, err) < 0)
    return zl_wrap(err, "SELinux label '%.100s'", process->selinux_label);
  return r;
}
