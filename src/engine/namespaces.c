/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "engine/child.h"

static int open_namespace(enum zl_ns ns, const char *path, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "namespace '%s'", path);
  if (ioctl(fd, NS_GET_NSTYPE) != zl_ns_flag(ns))
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not a namespace of type %s", path,
                   zl_ns_file(ns));
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int zl_ns_plan_open(const struct zl_engine_config *config, struct zl_ns_plan *ret,
                    struct zl_error *err)
{
  *ret = (struct zl_ns_plan){ 0 };
  for (int i = 0; i < ZL_NS_COUNT; i++)
    ret->join_fd[i] = -1;
  for (int i = 0; i < ZL_NS_COUNT; i++) {
    const struct zl_namespace *ns = &config->namespaces[i];
    int flag = zl_ns_flag((enum zl_ns)i), r;

    if (!ns->present)
      continue;
    ret->own |= flag;
    if (ns->path == NULL) {
      ret->create |= flag;
      continue;
    }
    r = open_namespace((enum zl_ns)i, ns->path, &ret->join_fd[i], err);
    if (r < 0)
      return r;
  }
  return 0;
}

void zl_ns_plan_done(struct zl_ns_plan *plan)
{
  for (int i = 0; i < ZL_NS_COUNT; i++)
    zl_fd_closep(&plan->join_fd[i]);
}

int zl_ns_join(const struct zl_ns_plan *plan, struct zl_error *err)
{
  for (int i = 0; i < ZL_NS_COUNT; i++) {
    if (plan->join_fd[i] < 0 || i == ZL_NS_PID)
      continue;
    if (setns(plan->join_fd[i], zl_ns_flag((enum zl_ns)i)) < 0)
      return zl_fail_errno(err, "joining the %s namespace", zl_ns_file((enum zl_ns)i));
  }
  return 0;
}

int zl_ns_enter_pid(int pid_ns_fd, struct zl_error *err)
{
  if (pid_ns_fd >= 0 && setns(pid_ns_fd, CLONE_NEWPID) < 0)
    return zl_fail_errno(err, "joining a pid namespace");
  return 0;
}

int zl_ns_enter_user(struct zl_ns_plan *plan, struct zl_error *err)
{
  if (setns(plan->join_fd[ZL_NS_USER], CLONE_NEWUSER) < 0)
    return zl_fail_errno(err, "joining the user namespace");
  if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
      syscall(SYS_setresuid, 0, 0, 0) < 0)
    return zl_fail_errno(err, "becoming root of the user namespace");
  zl_fd_closep(&plan->join_fd[ZL_NS_USER]);
  return 0;
}

static int write_map(pid_t pid, const char *file, const struct zl_idmap *maps, size_t n,
                     struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[48];
  int r = 0;

  for (size_t i = 0; r == 0 && i < n; i++)
    r = zl_buf_printf(&text, err, "%u %u %u\n", maps[i].container_id, maps[i].host_id,
                      maps[i].size);
  if (r < 0)
    return r;
  if (n == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "a user namespace needs %s mappings", file);
  (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
  return zl_file_poke(AT_FDCWD, path, text.data, err);
}

int zl_ns_write_maps(pid_t pid, const struct zl_engine_config *config, struct zl_error *err)
{
  int r = write_map(pid, "uid_map", config->uid_maps, config->n_uid_maps, err);

  if (r == 0)
    r = write_map(pid, "gid_map", config->gid_maps, config->n_gid_maps, err);
  return r;
}

int zl_ns_open_userns(const struct zl_engine_config *config, int *ret_fd, struct zl_error *err)
{
  if (config->namespaces[ZL_NS_USER].path != NULL)
    return open_namespace(ZL_NS_USER, config->namespaces[ZL_NS_USER].path, ret_fd, err);
  return zl_ns_make_userns(config->uid_maps, config->n_uid_maps, config->gid_maps,
                           config->n_gid_maps, ret_fd, err);
}

int zl_ns_make_userns(const struct zl_idmap *uid_maps, size_t n_uid_maps,
                      const struct zl_idmap *gid_maps, size_t n_gid_maps, int *ret_fd,
                      struct zl_error *err)
{
  struct zl_child child = { .pidfd = -1 };
  char path[48];
  int fd, r;

  r = zl_child_clone(CLONE_NEWUSER, -1, &child, err);
  if (r == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;)
      (void)pause(); /* it only holds the namespace until it is killed */
  }
  if (r > 0)
    r = write_map(child.pid, "uid_map", uid_maps, n_uid_maps, err);
  if (r == 0)
    r = write_map(child.pid, "gid_map", gid_maps, n_gid_maps, err);
  if (r < 0) {
    zl_child_kill(&child);
    return r;
  }
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child.pid);
  fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  zl_child_kill(&child);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "user namespace");
  *ret_fd = fd;
  return 0;
}

int64_t zl_ns_host_id(const struct zl_idmap *maps, size_t n, uint32_t id)
{
  if (n == 0)
    return id;
  for (size_t i = 0; i < n; i++)
    if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
      return (int64_t)maps[i].host_id + (id - maps[i].container_id);
  return -1;
}
