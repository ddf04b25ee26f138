/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cgroup_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/mount_fd.h"
#include "engine/sync.h"

enum {
  MAX_CONTROLLERS = 8 /* co-mounted on one hierarchy; "cpu,cpuacct" is the usual most */
};

static int attach_at(int root_fd, const char *path, int mount_fd, struct zl_error *err)
{
  zl_autofd target = zl_path_mkdirs_in_root(root_fd, path, 0755);

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "making '%s'", path);
  return zl_mount_attach(mount_fd, target, path, err);
}

static int mount_unified(const struct zl_mount *m, int root_fd, const char *path,
                         struct zl_error *err)
{
  zl_autofd fd = -1;
  int r = zl_mount_fs("cgroup2", "cgroup", NULL, 0, m->attr_set | m->rattr_set, &fd, err);

  return r < 0 ? r : attach_at(root_fd, path, fd, err);
}

/* `controllers` is a field of /proc/PID/cgroup: "cpu,cpuacct" or "name=systemd"; it is cut up. */
static int mount_hierarchy(const struct zl_mount *m, int root_fd, char *controllers,
                           struct zl_error *err)
{
  struct zl_fs_param params[MAX_CONTROLLERS];
  zl_autofree char *path = NULL;
  zl_autofd fd = -1;
  size_t n = 0;
  char *rest = controllers, *one;
  bool named = zl_has_prefix(controllers, "name=");
  int r;

  path = zl_asprintf("%s/%s", m->destination, named ? controllers + 5 : controllers);
  if (path == NULL)
    return zl_fail_nomem(err, "cgroup path");
  if (named) {
    params[n++] = (struct zl_fs_param){ .key = "none" };
    params[n++] = (struct zl_fs_param){ .key = "name", .value = controllers + 5 };
  } else {
    while (n < MAX_CONTROLLERS && (one = strsep(&rest, ",")) != NULL)
      params[n++] = (struct zl_fs_param){ .key = one };
  }
  r = zl_mount_fs("cgroup", "cgroup", params, n, m->attr_set | m->rattr_set, &fd, err);
  return r < 0 ? r : attach_at(root_fd, path, fd, err);
}

/* One line of /proc/PID/cgroup: "4:memory:/path" or "0::/path". */
static int mount_line(const struct zl_mount *m, int root_fd, char *line, struct zl_error *err)
{
  zl_autofree char *path = NULL;
  char *controllers = strchr(line, ':');
  char *end = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

  if (end == NULL)
    return zl_fail(err, ZL_E_SYSTEM, 0, "odd line in /proc/self/cgroup: '%s'", line);
  *end = '\0';
  controllers++;
  if (*controllers != '\0')
    return mount_hierarchy(m, root_fd, controllers, err);
  path = zl_asprintf("%s/unified", m->destination);
  return path == NULL ? zl_fail_nomem(err, "cgroup path") : mount_unified(m, root_fd, path, err);
}

static int mount_legacy(const struct zl_mount *m, int root_fd, char *lines, struct zl_error *err)
{
  const struct zl_fs_param mode = { "mode", "0755" };
  zl_autofd top = -1;
  char *line;
  int r = zl_mount_fs("tmpfs", "cgroup", &mode, 1, m->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, &top,
                      err);

  if (r == 0)
    r = attach_at(root_fd, m->destination, top, err);
  while (r == 0 && (line = strsep(&lines, "\n")) != NULL)
    r = *line != '\0' ? mount_line(m, root_fd, line, err) : 0;
  if (r == 0)
    r = zl_mount_change(top, false, (m->attr_set | m->rattr_set) & MOUNT_ATTR_RDONLY, 0, 0, err);
  return r;
}

/* A hierarchy is seen from the root of the namespace in which it is mounted: a child with one of
 * its own mounts them, and the namespace goes with it. */
static int mount_legacy_apart(const struct zl_mount *m, int root_fd, char *lines,
                              struct zl_error *err)
{
  struct zl_error failure = { 0 };
  int ends[2], r = zl_sync_pair(ends, err);
  pid_t pid;

  if (r < 0)
    return r;
  pid = fork();
  if (pid == 0) {
    r = unshare(CLONE_NEWCGROUP) < 0 ? zl_fail_errno(&failure, "making a cgroup namespace")
                                     : mount_legacy(m, root_fd, lines, &failure);
    if (r < 0)
      zl_sync_send_error(ends[1], &failure);
    _exit(r < 0);
  }
  zl_fd_closep(&ends[1]);
  r = pid < 0 ? zl_fail_errno(err, "mounting the cgroups") : zl_sync_await_exec(ends[0], err);
  zl_fd_closep(&ends[0]);
  if (pid > 0)
    (void)waitpid(pid, NULL, 0);
  return r;
}

int zl_cgroup_mount(const struct zl_mount *m, bool namespaced, int root_fd, int proc_fd,
                    struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[32];
  int r;

  (void)snprintf(path, sizeof(path), "%d/cgroup", (int)getpid());
  r = zl_file_read(proc_fd, path, &text, err);
  if (r < 0)
    return r;
  if (text.data != NULL && zl_has_prefix(text.data, "0::"))
    return mount_unified(m, root_fd, m->destination, err);
  return namespaced ? mount_legacy(m, root_fd, text.data, err)
                    : mount_legacy_apart(m, root_fd, text.data, err);
}
