/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cgroup_mount.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/mount_fd.h"

enum {
  MAX_CONTROLLERS = 8 /* co-mounted on one hierarchy; "cpu,cpuacct" is the usual most */
};

static int read_own(int proc_fd, struct zl_buf *text, struct zl_error *err)
{
  char path[32];

  (void)snprintf(path, sizeof(path), "%d/cgroup", (int)getpid());
  return zl_file_read(proc_fd, path, text, err);
}

/* One line of /proc/PID/cgroup: "4:memory:/path", "9:name=systemd:/path" or "0::/path". It is cut
 * up; *ret_name is what the hierarchy's directory is called. */
static int cut_line(char *line, char **ret_controllers, const char **ret_name,
                    const char **ret_path, struct zl_error *err)
{
  char *controllers = strchr(line, ':');
  char *end = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

  if (end == NULL)
    return zl_fail(err, ZL_E_SYSTEM, 0, "odd line in /proc/self/cgroup: '%s'", line);
  *end = '\0';
  *ret_controllers = controllers + 1;
  *ret_name = **ret_controllers == '\0'                  ? "unified"
              : zl_has_prefix(*ret_controllers, "name=") ? *ret_controllers + 5
                                                         : *ret_controllers;
  *ret_path = end + 1;
  return 0;
}

/* ---- The host's own mounts ----------------------------------------------------------------- */

/* Where nothing is mounted there is a directory for it. */
static bool is_cgroup_fs(int fd)
{
  struct statfs fs;

  return fstatfs(fd, &fs) == 0 &&
         (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

/* A hierarchy that the host does not show is not shown here either. */
static int add_view(const struct zl_mount *m, const char *name, const char *path,
                    struct zl_cgroup_views *views, struct zl_error *err)
{
  zl_autofree char *source = zl_asprintf("/sys/fs/cgroup/%s%s", name, path);
  struct zl_cgroup_view *view = &views->items[views->n];
  struct zl_error why = { 0 };
  zl_autofd fd = -1;
  int r;

  if (source == NULL)
    return zl_fail_nomem(err, "cgroup path");
  if (views->n == ZL_COUNT(views->items) || strlen(name) >= sizeof(view->name))
    return zl_fail(err, ZL_E_LIMIT, 0, "cgroup hierarchies: more than %zu, or a long name",
                   ZL_COUNT(views->items));
  /* Outside of the runtime's own cgroup namespace. */
  if (strstr(path, "/..") != NULL)
    return 0;
  r = zl_mount_clone(AT_FDCWD, source, false, &fd, &why);
  if (r == -ZL_E_NOT_FOUND || (r == 0 && !is_cgroup_fs(fd)))
    return 0;
  if (r == 0)
    r = zl_mount_change(fd, false, m->attr_set | m->rattr_set, 0, MS_PRIVATE, &why);
  if (r < 0) {
    *err = why;
    return r;
  }
  (void)stpcpy(view->name, name);
  view->fd = zl_steal_fd(&fd);
  views->n++;
  return 0;
}

int zl_cgroup_views_open(const struct zl_mount *m, int proc_fd, struct zl_cgroup_views *views,
                         struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = read_own(proc_fd, &text, err);
  char *lines = text.data, *line;

  if (r < 0)
    return r;
  /* Where there is nothing else the whole is shown, as everybody expects of v2. */
  if (lines != NULL && zl_has_prefix(lines, "0::"))
    return add_view(m, "", "", views, err);
  while (r == 0 && (line = strsep(&lines, "\n")) != NULL) {
    const char *name, *path;
    char *controllers;

    if (*line == '\0')
      continue;
    r = cut_line(line, &controllers, &name, &path, err);
    if (r == 0)
      r = add_view(m, name, path, views, err);
  }
  return r;
}

void zl_cgroup_views_done(struct zl_cgroup_views *views)
{
  for (size_t i = 0; i < views->n; i++)
    zl_fd_closep(&views->items[i].fd);
  views->n = 0;
}

/* ---- Attaching ----------------------------------------------------------------------------- */

static int attach_at(int root_fd, const char *path, int mount_fd, struct zl_error *err)
{
  zl_autofd target = zl_path_mkdirs_in_root(root_fd, path, 0755);

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "making '%s'", path);
  return zl_mount_attach(mount_fd, target, path, err);
}

/* Into the tmpfs that was made for it. */
static int attach_below(int top_fd, const char *name, int mount_fd, struct zl_error *err)
{
  if (mkdirat(top_fd, name, 0755) < 0 ||
      move_mount(mount_fd, "", top_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return zl_fail_errno(err, "mounting cgroup hierarchy '%s'", name);
  return 0;
}

static int open_unified(const struct zl_mount *m, int *ret_fd, struct zl_error *err)
{
  return zl_mount_fs("cgroup2", "cgroup", NULL, 0, m->attr_set | m->rattr_set, ret_fd, err);
}

/* `controllers` is a field of /proc/PID/cgroup: "cpu,cpuacct" or "name=systemd"; it is cut up. */
static int open_hierarchy(const struct zl_mount *m, char *controllers, int *ret_fd,
                          struct zl_error *err)
{
  struct zl_fs_param params[MAX_CONTROLLERS];
  size_t n = 0;
  char *rest = controllers, *one;

  if (zl_has_prefix(controllers, "name=")) {
    params[n++] = (struct zl_fs_param){ .key = "none" };
    params[n++] = (struct zl_fs_param){ .key = "name", .value = controllers + 5 };
  } else {
    while (n < MAX_CONTROLLERS && (one = strsep(&rest, ",")) != NULL)
      params[n++] = (struct zl_fs_param){ .key = one };
  }
  return zl_mount_fs("cgroup", "cgroup", params, n, m->attr_set | m->rattr_set, ret_fd, err);
}

static int mount_line(const struct zl_mount *m, int top_fd, char *line, struct zl_error *err)
{
  const char *name = "", *path = "";
  char *controllers = line;
  zl_autofree char *kept = NULL;
  zl_autofd fd = -1;
  int r = cut_line(line, &controllers, &name, &path, err);

  if (r < 0)
    return r;
  kept = strdup(name);
  if (kept == NULL)
    return zl_fail_nomem(err, "cgroup path");
  r = *controllers == '\0' ? open_unified(m, &fd, err) : open_hierarchy(m, controllers, &fd, err);
  return r < 0 ? r : attach_below(top_fd, kept, fd, err);
}

/* The directory that holds the hierarchies. */
static int mount_top(const struct zl_mount *m, int root_fd, int *ret_fd, struct zl_error *err)
{
  const struct zl_fs_param mode = { "mode", "0755" };
  zl_autofd top = -1;
  int r = zl_mount_fs("tmpfs", "cgroup", &mode, 1, m->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, &top,
                      err);

  if (r == 0)
    r = attach_at(root_fd, m->destination, top, err);
  if (r == 0)
    *ret_fd = zl_steal_fd(&top);
  return r;
}

static int seal_top(const struct zl_mount *m, int top_fd, struct zl_error *err)
{
  return zl_mount_change(top_fd, false, (m->attr_set | m->rattr_set) & MOUNT_ATTR_RDONLY, 0, 0,
                         err);
}

static int mount_legacy(const struct zl_mount *m, int root_fd, char *lines, struct zl_error *err)
{
  zl_autofd top = -1;
  char *line;
  int r = mount_top(m, root_fd, &top, err);

  while (r == 0 && (line = strsep(&lines, "\n")) != NULL)
    r = *line != '\0' ? mount_line(m, top, line, err) : 0;
  return r == 0 ? seal_top(m, top, err) : r;
}

static int mount_views(const struct zl_mount *m, int root_fd, struct zl_cgroup_views *views,
                       struct zl_error *err)
{
  zl_autofd top = -1;
  int r;

  if (*views->items[0].name == '\0')
    return attach_at(root_fd, m->destination, views->items[0].fd, err);
  r = mount_top(m, root_fd, &top, err);
  for (size_t i = 0; r == 0 && i < views->n; i++)
    r = attach_below(top, views->items[i].name, views->items[i].fd, err);
  return r == 0 ? seal_top(m, top, err) : r;
}

int zl_cgroup_mount(const struct zl_mount *m, int root_fd, int proc_fd,
                    struct zl_cgroup_views *views, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autofd unified = -1;
  int r;

  if (views->n > 0) {
    r = mount_views(m, root_fd, views, err);
    zl_cgroup_views_done(views);
    return r;
  }
  r = read_own(proc_fd, &text, err);
  if (r < 0)
    return r;
  if (text.data == NULL || !zl_has_prefix(text.data, "0::"))
    return mount_legacy(m, root_fd, text.data, err);
  r = open_unified(m, &unified, err);
  return r < 0 ? r : attach_at(root_fd, m->destination, unified, err);
}
