/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/caps.h"
#include "engine/hooks.h"
#include "engine/init.h"
#include "engine/rootfs.h"
#include "engine/sync.h"
#include "engine/time_ns.h"

/* So that he may open /dev/stdout. The host's /dev/null is everybody's and stays root's; and files
 * that cannot change hands (read-only, of another file system's owner) are used as they are. */
static int give_stream(int fd, uid_t uid, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "inspecting the standard streams");
  if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
    return 0;
  if (fchown(fd, uid, (gid_t)-1) == 0 || errno == EROFS || errno == EPERM || errno == EINVAL)
    return 0;
  return zl_fail_errno(err, "giving the standard streams to the container");
}

/* The container's root on the host; its standard streams become his. */
static int map_root(const struct zl_container_spec *spec, struct zl_rootfs *rootfs,
                    struct zl_error *err)
{
  const struct zl_engine_config *config = spec->config;
  int64_t uid = zl_ns_host_id(config->uid_maps, config->n_uid_maps, 0);
  int64_t gid = zl_ns_host_id(config->gid_maps, config->n_gid_maps, 0);

  if (uid < 0 || gid < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "linux.uidMappings: id 0 of the container is not mapped");
  rootfs->root_uid = (uid_t)uid;
  rootfs->root_gid = (gid_t)gid;
  for (int i = 0; i < 3; i++)
    if (spec->stdio[i] >= 0 && give_stream(spec->stdio[i], rootfs->root_uid, err) < 0)
      return -(int)err->code;
  return 0;
}

/* Of zlayer's own bundles a relative path is a word only: with no layers, a directory of that name
 * wherever the runtime happens to be would be taken (an image of nothing, CVE-2026-24054). */
static const char *root_path(const struct zl_engine_config *config)
{
  const bool is_own = config->zlayer.present;
  const char *path = config->root_path;

  if (is_own && (config->zlayer.layers[0] != NULL || path == NULL || path[0] != '/'))
    return NULL;
  return path;
}

static int open_rootfs(const struct zl_container_spec *spec, int *ret_fd, struct zl_error *err)
{
  const struct zl_engine_config *config = spec->config;
  char *const *layers = config->zlayer.layers;
  bool has_layers = config->zlayer.present && layers[0] != NULL;
  struct zl_rootfs rootfs = { .layers = (const char *const *)layers,
                              .dir_fd = spec->dir_fd,
                              .path = root_path(config),
                              .is_slave = (config->rootfs_propagation & MS_SLAVE) != 0,
                              .userns_fd = -1,
                              .is_volatile = config->zlayer.is_volatile };
  zl_autofd userns = -1;
  int r = 0;

  if (config->namespaces[ZL_NS_USER].present)
    r = map_root(spec, &rootfs, err);
  if (r == 0 && config->namespaces[ZL_NS_USER].present && has_layers)
    r = zl_ns_open_userns(config, &userns, err);
  if (r < 0)
    return r;
  rootfs.userns_fd = userns;
  return zl_rootfs_open(&rootfs, ret_fd, err);
}

static int compile_filter(const struct zl_engine_config *config, struct zl_container *c,
                          struct zl_error *err)
{
  int r;

  if (config->seccomp != NULL) {
    r = config->filter != NULL ? zl_seccomp_filter_copy(config->filter, &c->filter, err)
                               : zl_seccomp_compile(config->seccomp, &c->filter, err);
  } else if (config->zlayer.present && config->zlayer.seccomp == ZL_SECCOMP_DEFAULT) {
    r = zl_seccomp_compile_default(config->process.caps.bounding, &c->filter, err);
  } else {
    return 0;
  }
  c->confined = r == 0;
  return r < 0 ? zl_wrap(err, "system call filter") : 0;
}

static int use_netns(int netns_fd, struct zl_ns_plan *plan, struct zl_error *err)
{
  int fd;

  if (netns_fd < 0 || !(plan->create & CLONE_NEWNET))
    return 0;
  fd = zl_fd_copy(netns_fd);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "network namespace");
  plan->join_fd[ZL_NS_NETWORK] = fd;
  plan->create &= ~CLONE_NEWNET;
  return 0;
}

/* Everything that is to be opened as the runtime, in the host's namespaces. */
static int open_parts(const struct zl_container_spec *spec, struct zl_container *c,
                      struct zl_init *init, struct zl_error *err)
{
  const struct zl_engine_config *config = spec->config;
  int r = zl_ns_plan_open(config, &init->plan, err);

  if (r == 0 && !(init->plan.own & CLONE_NEWNS))
    return zl_fail(err, ZL_E_INVALID, 0, "linux.namespaces: a container needs one of type mount");
  if (r == 0)
    r = use_netns(spec->netns_fd, &init->plan, err);
  if (r == 0)
    r = compile_filter(config, c, err);
  if (r == 0)
    r = zl_listener_open(config->seccomp, &c->filter, spec->state_json, &init->listener, err);
  if (r == 0)
    r = open_rootfs(spec, &c->rootfs_fd, err);
  if (r == 0)
    r = zl_mounts_open_binds(config, &init->mounts, err);
  if (r == 0)
    zl_mounts_make_points(&init->mounts, c->rootfs_fd);
  if (r == 0 && (init->plan.own & CLONE_NEWUSER))
    r = zl_device_binds_open(config, &init->device_binds, err);
  init->spec = spec;
  init->rootfs_fd = c->rootfs_fd;
  init->filter = c->confined ? &c->filter : NULL;
  c->namespaces = init->plan.own;
  return r;
}

/* What only the host may do, then into the user namespace, and there the first process as a
 * sibling.
 */
_Noreturn static void clone_from_inside(struct zl_init *init, int pid_end)
{
  const struct zl_container_hooks *hooks = &init->spec->hooks;
  struct zl_child first = { .pidfd = -1 };
  struct zl_error err = { 0 };
  int r = hooks->enter != NULL ? hooks->enter(hooks->ctx, &err) : 0;

  init->entered = true;
  if (r == 0)
    r = zl_ns_enter_pid(init->plan.join_fd[ZL_NS_PID], &err);
  if (r == 0)
    r = zl_ns_enter_user(&init->plan, &err);
  if (r == 0) {
    r = zl_child_clone((init->plan.create & ~CLONE_NEWCGROUP) | CLONE_PARENT, -1, &first, &err);
    if (r == 0)
      zl_init_main(init);
  }
  if (r < 0)
    zl_sync_send_error(init->sync_fd, &err);
  else
    (void)zl_fd_write_full(pid_end, &first.pid, sizeof(first.pid));
  _exit(r < 0);
}

/* The new namespaces must belong to the user namespace that is joined, or nobody in it has a say in
 * them. We could not come back from there, so a helper goes. */
static int clone_joined(struct zl_init *init, int cgroup_fd, struct zl_container *c,
                        struct zl_error *err)
{
  struct zl_child helper = { .pidfd = -1 };
  pid_t pid = 0;
  int ends[2], r = zl_fd_pipe(ends, err);
  ssize_t n = 0;

  if (r < 0)
    return r;
  r = zl_child_clone(0, cgroup_fd, &helper, err);
  if (r == 0)
    clone_from_inside(init, ends[1]);
  zl_fd_closep(&ends[1]);
  zl_fd_closep(&init->sync_fd);
  if (r > 0)
    n = zl_fd_read_full(ends[0], &pid, sizeof(pid));
  zl_fd_closep(&ends[0]);
  zl_child_kill(&helper);
  if (r > 0 && n != (ssize_t)sizeof(pid))
    return zl_sync_expect(c->sync_fd, ZL_BARRIER_READY, NULL, NULL, NULL, err);
  if (r < 0)
    return r;
  c->init.pid = pid; /* our child, so nobody else's until we reap it */
  c->init.pidfd = pidfd_open(pid, 0);
  return c->init.pidfd < 0 ? zl_fail_errno(err, "process %d", (int)pid) : 0;
}

/* A pid namespace is joined by being cloned in it; afterwards the caller's children are its own
 * again. */
static int clone_init(struct zl_init *init, int cgroup_fd, struct zl_container *c,
                      struct zl_error *err)
{
  int pid_fd = init->plan.join_fd[ZL_NS_PID], r;
  zl_autofd own = -1, own_time = -1;

  if (init->plan.join_fd[ZL_NS_USER] >= 0)
    return clone_joined(init, cgroup_fd, c, err);
  if (pid_fd >= 0) {
    own = zl_fd_open(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY, 0);
    if (own < 0)
      return zl_fail(err, ZL_E_SYSTEM, -own, "/proc/self/ns/pid");
  }
  r = zl_ns_enter_pid(pid_fd, err);
  if (r == 0)
    r = zl_time_ns_begin(init->spec->config, &init->plan, &own_time, err);
  if (r < 0)
    return r;
  /* On cgroup v1 the namespace must be made after the process has been moved: zl_init_main. */
  r = zl_child_clone(init->plan.create & ~CLONE_NEWCGROUP, cgroup_fd, &c->init, err);
  if (r == 0)
    zl_init_main(init);
  if (r < 0)
    (void)zl_time_ns_end(&own_time, NULL);
  if (r > 0 && (zl_ns_enter_pid(own, err) < 0 || zl_time_ns_end(&own_time, err) < 0))
    return -(int)err->code;
  return r < 0 ? r : 0;
}

static int serve_init(const struct zl_container_spec *spec, struct zl_container *c,
                      struct zl_error *err)
{
  const struct zl_container_hooks *hooks = &spec->hooks;
  int fds[2] = { -1, -1 }, r = 0;
  size_t n_fds = 2;

  if (c->namespaces & CLONE_NEWUSER && spec->config->namespaces[ZL_NS_USER].path == NULL) {
    r = zl_ns_write_maps(c->init.pid, spec->config, err);
    if (r == 0)
      r = zl_sync_tell(c->sync_fd, ZL_BARRIER_MAPPED, err);
  }
  if (r == 0 && spec->config->process.has_oom_score_adj)
    r = zl_child_set_oom_score(c->init.pid, spec->config->process.oom_score_adj, err);
  if (r == 0 && hooks->join != NULL)
    r = hooks->join(hooks->ctx, &c->init, err);
  if (r < 0)
    return r;
  /* A child that has failed meanwhile has left its reason in the socket: read it in any case. */
  r = zl_sync_tell(c->sync_fd, ZL_BARRIER_JOINED, err);
  if (r < 0)
    return r;
  r = zl_init_serve_hooks(spec, c->init.pid, c->sync_fd, err);
  if (r == 0)
    r = zl_sync_expect(c->sync_fd, ZL_BARRIER_READY, NULL, fds, &n_fds, err);
  if (r < 0)
    return r;
  zl_debug("process %d: init: closing the pipe to signal completion", (int)c->init.pid);
  c->master = fds[0];
  c->slave = fds[1];
  return 0;
}

/* Up to where the process waits to hear that it may go on. */
static int begin(const struct zl_container_spec *spec, struct zl_container *c, struct zl_error *err)
{
  ZL_CLEANUP(zl_init_done) struct zl_init init = ZL_INIT_INIT;
  int ends[2], r = open_parts(spec, c, &init, err);

  if (r == 0)
    r = zl_sync_pair(ends, err);
  if (r < 0)
    return r;
  zl_caps_learn();
  zl_debug("nsexec container setup: namespaces %#x", (unsigned)init.plan.own);
  c->sync_fd = ends[0];
  init.sync_fd = ends[1];
  r = clone_init(&init, spec->cgroup_fd, c, err);
  zl_fd_closep(&init.sync_fd);
  return r;
}

int zl_container_create(const struct zl_container_spec *spec, struct zl_container *ret,
                        struct zl_error *err)
{
  struct zl_container c = ZL_CONTAINER_INIT;
  int r = begin(spec, &c, err);

  if (r == 0)
    r = serve_init(spec, &c, err);
  if (r < 0) {
    zl_container_done(&c);
    return r;
  }
  *ret = c;
  return 0;
}

int zl_container_prepare(const struct zl_container_spec *spec, struct zl_container *ret,
                         struct zl_error *err)
{
  struct zl_container c = ZL_CONTAINER_INIT;
  int r = 0;

  if (spec->gate_fd >= 0 || spec->amended == NULL || zl_hooks_see_mounts(spec->config) ||
      spec->config->namespaces[ZL_NS_USER].present)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "such a container cannot be prepared");
  r = begin(spec, &c, err);
  if (r == 0)
    r = zl_sync_expect(c.sync_fd, ZL_BARRIER_PREPARED, NULL, NULL, NULL, err);
  if (r < 0) {
    zl_container_done(&c);
    return r;
  }
  *ret = c;
  return 0;
}

int zl_container_finish(const struct zl_container_spec *spec, const char *amendment,
                        struct zl_container *container, struct zl_error *err)
{
  int r = zl_sync_send_text(container->sync_fd, ZL_BARRIER_AMENDED, amendment, err);

  return r < 0 ? r : serve_init(spec, container, err);
}

int zl_container_start(struct zl_container *container, struct zl_error *err)
{
  int r = zl_sync_send(container->sync_fd, ZL_BARRIER_START, 0, NULL, 0, err);

  if (r == 0)
    r = zl_sync_await_exec(container->sync_fd, err);
  zl_fd_closep(&container->sync_fd);
  return r;
}

void zl_container_leave(struct zl_container *container)
{
  zl_fd_closep(&container->init.pidfd);
  zl_container_done(container);
}

void zl_container_done(struct zl_container *container)
{
  zl_child_kill(&container->init);
  zl_fd_closep(&container->sync_fd);
  zl_fd_closep(&container->master);
  zl_fd_closep(&container->slave);
  zl_fd_closep(&container->rootfs_fd);
  zl_seccomp_filter_done(&container->filter);
  container->confined = false;
}
