/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/init.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "engine/console.h"
#include "engine/execve.h"
#include "engine/gate.h"
#include "engine/hooks.h"
#include "engine/keyring.h"
#include "engine/labels.h"
#include "engine/launch.h"
#include "engine/masks.h"
#include "engine/mount_fd.h"
#include "engine/procfs.h"
#include "engine/reaper.h"
#include "engine/rootfs.h"
#include "engine/sync.h"
#include "engine/view.h"

enum {
  EXIT_NO_START = 127
};

/* The child's own state while it builds. */
struct build {
  struct zl_init *init;
  const struct zl_engine_config *config;
  int proc_fd; /* our own */
  struct zl_view view;
  int stdio[3]; /* borrowed */
  bool staged;  /* the root file system is attached, but not the root yet */
  struct zl_console console;
};

void zl_init_done(struct zl_init *init)
{
  zl_ns_plan_done(&init->plan);
  zl_mounts_done(&init->mounts);
  zl_device_binds_done(&init->device_binds);
  zl_listener_done(&init->listener);
  zl_fd_closep(&init->sync_fd);
}

/* ---- Birth --------------------------------------------------------------------------------- */

static int keep_parts(const struct zl_init *init, struct zl_error *err)
{
  size_t n_mounts = init->mounts.fds != NULL ? init->mounts.config->n_mounts : 0, n = 0;
  size_t n_devices = init->device_binds.count;
  size_t n_preserved = init->spec->preserved_fds;
  zl_autofree int *keep =
      calloc(n_mounts + n_devices + n_preserved + ZL_NS_COUNT + 7, sizeof(*keep));

  if (keep == NULL)
    return zl_fail_nomem(err, "descriptors");
  for (size_t i = 0; i < n_mounts; i++)
    keep[n++] = init->mounts.fds[i];
  for (size_t i = 0; i < n_devices; i++)
    keep[n++] = init->device_binds.fds[i];
  for (size_t i = 0; i < ZL_NS_COUNT; i++)
    keep[n++] = init->plan.join_fd[i];
  for (size_t i = 0; i < 3; i++)
    keep[n++] = init->spec->stdio[i];
  for (size_t i = 0; i < n_preserved; i++)
    keep[n++] = 3 + (int)i;
  keep[n++] = init->rootfs_fd;
  keep[n++] = init->sync_fd;
  keep[n++] = init->spec->gate_fd;
  keep[n++] = init->listener.sock;
  return zl_child_begin(keep, n, err);
}

/* In a new user namespace the process has no id until the maps are written. */
static int become_root(struct zl_init *init, struct zl_error *err)
{
  int r;

  if (!(init->plan.create & CLONE_NEWUSER))
    return 0;
  r = zl_sync_expect(init->sync_fd, ZL_BARRIER_MAPPED, NULL, NULL, NULL, err);
  if (r < 0)
    return r;
  if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
      syscall(SYS_setresuid, 0, 0, 0) < 0)
    return zl_fail_errno(err, "becoming root of the user namespace");
  return 0;
}

static int set_names(const struct build *b, struct zl_error *err)
{
  const char *host = b->config->hostname, *domain = b->config->domainname;

  if (host != NULL && sethostname(host, strlen(host)) < 0)
    return zl_fail_errno(err, "setting the host name '%s'", host);
  if (domain != NULL && setdomainname(domain, strlen(domain)) < 0)
    return zl_fail_errno(err, "setting the domain name '%s'", domain);
  return 0;
}

/* ---- File systems -------------------------------------------------------------------------- */

/* The root of a cgroup namespace is where its maker is at that moment: in the container's cgroups
 * by now. */
static int make_cgroup_namespace(const struct build *b, struct zl_error *err)
{
  if ((b->init->plan.create & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
    return zl_fail_errno(err, "making the cgroup namespace");
  return 0;
}

/* Hooks find the root file system with its mounts where the document says it is. Without them it
 * becomes the root at once. */
static int attach_root(struct build *b, struct zl_error *err)
{
  uint64_t kind = b->config->rootfs_propagation & ~(unsigned long)MS_REC;
  const char *path = b->staged ? b->config->root_path : "/";
  int r;

  if (path == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "hooks: need root.path");
  r = zl_rootfs_stage(b->init->rootfs_fd, path,
                      kind == MS_SLAVE || kind == MS_SHARED ? MS_SLAVE : MS_PRIVATE, err);
  if (r == 0 && !b->staged)
    r = zl_rootfs_pivot(b->init->rootfs_fd, err);
  if (r < 0)
    return r;
  b->view.root_fd = zl_fd_copy(b->init->rootfs_fd);
  if (b->view.root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -b->view.root_fd, "opening the new root");
  return 0;
}

static int share_root(const struct build *b, struct zl_error *err)
{
  uint64_t kind = b->config->rootfs_propagation & ~(unsigned long)MS_REC;

  if (kind == 0 || kind == MS_SLAVE)
    return 0;
  return zl_mount_change(b->view.root_fd, (b->config->rootfs_propagation & MS_REC) != 0, 0, 0, kind,
                         err);
}

static int attach_mounts(struct build *b, struct zl_error *err)
{
  struct zl_mounts *mounts = &b->init->mounts;

  for (size_t i = 0; i < b->config->n_mounts; i++) {
    int r = zl_mounts_attach(mounts, i, b->view.root_fd, b->proc_fd, err);

    if (r < 0)
      return r;
  }
  return 0;
}

static int make_console(struct build *b, uid_t uid, struct zl_error *err)
{
  const struct zl_process *p = &b->config->process;
  int r;

  if (!p->terminal)
    return 0;
  r = zl_console_open(b->view.root_fd, p->console_rows, p->console_cols, uid, &b->console, err);
  return r < 0 ? r : zl_console_bind(b->view.root_fd, b->console.slave, err);
}

static int protect_files(struct build *b, struct zl_error *err)
{
  int r = zl_masks_protect(&b->view, b->config->readonly_paths, err);

  if (r == 0)
    r = zl_masks_hide(&b->view, b->config->masked_paths, err);
  zl_fd_closep(&b->view.proc_fd);
  zl_fd_closep(&b->view.sys_fd);
  return r;
}

static int build_files(struct build *b, struct zl_error *err)
{
  const struct zl_engine_config *config = b->config;
  int r = zl_procfs_open(&b->proc_fd, err);

  if (r == 0)
    r = zl_mounts_open_new(&b->init->mounts, b->proc_fd, err);
  if (r == 0)
    r = attach_root(b, err);
  if (r == 0 && !b->staged)
    r = share_root(b, err);
  if (r == 0)
    r = attach_mounts(b, err);
  if (r == 0 && !zl_mounts_has_foreign_dev(config))
    r = zl_devices_create(b->view.root_fd, config, &b->init->device_binds, err);
  if (r == 0)
    r = zl_view_find(config, &b->view, err);
  return r == 0 && !b->staged ? protect_files(b, err) : r;
}

/* The runtime's hooks, then the container's own, then the change of root that waits for them. */
static int run_hooks(struct build *b, struct zl_error *err)
{
  const char *state = b->init->spec->state_json;
  int r = zl_sync_send(b->init->sync_fd, ZL_BARRIER_MOUNTED, 0, NULL, 0, err);

  if (r == 0)
    r = zl_sync_expect(b->init->sync_fd, ZL_BARRIER_HOOKED, NULL, NULL, NULL, err);
  /* The specification leaves the working directory open; hooks rely on runc's. */
  if (r == 0 && fchdir(b->view.root_fd) < 0)
    r = zl_fail_errno(err, "entering the root file system");
  if (r == 0)
    r = zl_hooks_run_phase(b->config, ZL_HOOK_CREATE_CONTAINER, state, "creating", getpid(), err);
  if (r == 0)
    r = zl_rootfs_pivot(b->init->rootfs_fd, err);
  if (r == 0)
    r = share_root(b, err);
  return r == 0 ? protect_files(b, err) : r;
}

int zl_init_serve_hooks(const struct zl_container_spec *spec, pid_t pid, int sync_fd,
                        struct zl_error *err)
{
  const struct zl_engine_config *config = spec->config;
  int r;

  if (!zl_hooks_see_mounts(config))
    return 0;
  r = zl_sync_expect(sync_fd, ZL_BARRIER_MOUNTED, NULL, NULL, NULL, err);
  if (r == 0)
    r = zl_hooks_run_runtime(config, spec->state_json, pid, err);
  return r == 0 ? zl_sync_send(sync_fd, ZL_BARRIER_HOOKED, 0, NULL, 0, err) : r;
}

/* ---- Amendments ---------------------------------------------------------------------------- */

/* All is there that does not depend on the program. What comes now is the runtime's word for the
 * rest; its own copy of the configuration has changed already, this process's has not. */
static int await_amendment(struct build *b, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autojson *doc = NULL;
  int r = zl_sync_send(b->init->sync_fd, ZL_BARRIER_PREPARED, 0, NULL, 0, err);

  if (r == 0)
    r = zl_sync_expect_text(b->init->sync_fd, ZL_BARRIER_AMENDED, &text, err);
  if (r == 0)
    r = zl_json_parse(text, strlen(text), "config.json", &doc, err);
  if (r == 0)
    r = zl_engine_config_amend(b->init->spec->amended, doc, err);
  if (r < 0)
    return r;
  if (!b->config->zlayer.open_stdin)
    b->stdio[0] = -1;
  return set_names(b, err);
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int build_rest(struct build *b, struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_container_hooks *hooks = &b->init->spec->hooks;
  const struct zl_engine_config *config = b->config;
  int r = zl_sync_expect(b->init->sync_fd, ZL_BARRIER_JOINED, NULL, NULL, NULL, err);

  if (r == 0 && hooks->configure != NULL)
    r = hooks->configure(hooks->ctx, b->proc_fd, err);
  if (r == 0 && b->staged)
    r = run_hooks(b, err);
  if (r == 0)
    r = zl_sysctl_apply(b->proc_fd, config->sysctls, config->n_sysctls, b->init->plan.own, err);
  launch->root_fd = b->view.root_fd;
  if (r == 0)
    r = zl_launch_prepare(launch, err);
  /* Callers of other runtimes' commands expect to hear now that its program is not there. */
  if (r == 0 && (b->init->spec->gate_fd >= 0 || b->init->spec->checks_program))
    r = zl_execve_check(config->process.args, launch->env, launch->cwd_fd, err);
  if (r == 0)
    r = make_console(b, launch->user.uid, err);
  if (r == 0)
    r = zl_mounts_finish(&b->init->mounts, err);
  if (r == 0 && config->root_readonly)
    r = zl_mount_change(b->view.root_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
  /* After the hooks of the host, which are no programs of the container. */
  return r == 0 ? zl_labels_apply(b->proc_fd, &config->process, err) : r;
}

static int build(struct build *b, struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_container_hooks *hooks = &b->init->spec->hooks;
  int r = hooks->enter != NULL && !b->init->entered ? hooks->enter(hooks->ctx, err) : 0;

  if (r == 0)
    r = zl_labels_check(b->config, &b->config->process, err);
  if (r == 0)
    r = zl_listener_describe(&b->init->listener, b->config->seccomp, b->init->spec->state_json, 0,
                             0, err);
  if (r == 0)
    r = keep_parts(b->init, err);
  if (r == 0)
    r = become_root(b->init, err);
  if (r == 0)
    r = zl_ns_join(&b->init->plan, err);
  if (r == 0)
    r = set_names(b, err);
  if (r == 0 && b->init->spec->keyring != NULL)
    r = zl_keyring_join(b->init->spec->keyring, (b->init->plan.own & CLONE_NEWUSER) != 0,
                        b->config->process.selinux_label, err);
  if (r == 0)
    r = make_cgroup_namespace(b, err);
  if (r == 0)
    r = build_files(b, err);
  if (r == 0 && b->init->spec->amended != NULL)
    r = await_amendment(b, err);
  if (r == 0)
    r = build_rest(b, launch, err);
  return r;
}

/* containerd reads what its runtime prints to the end: who waits for a start must not hold it. */
static int leave_streams(const struct build *b, struct zl_error *err)
{
  for (int i = 0; i < 3; i++)
    if (dup2(b->console.slave, i) < 0)
      return zl_fail_errno(err, "standard streams");
  return 0;
}

static int report_ready(struct build *b, struct zl_launch *launch, struct zl_error *err)
{
  bool terminal = b->config->process.terminal;
  int r = terminal && b->init->spec->is_free ? leave_streams(b, err) : 0;

  if (r < 0)
    return r;
  r = zl_sync_send(b->init->sync_fd, ZL_BARRIER_READY, 0, &b->console.master, terminal ? 2 : 0,
                   err);

  for (int i = 0; i < 3; i++)
    launch->stdio[i] = terminal ? b->console.slave : b->stdio[i];
  zl_fd_closep(&b->console.master);
  zl_fd_closep(&b->init->rootfs_fd);
  zl_ns_plan_done(&b->init->plan);
  zl_device_binds_done(&b->init->device_binds);
  return r;
}

/* *ret_fd: where to say why the program cannot be executed. */
static int await_start(struct build *b, struct zl_launch *launch, int *ret_fd, struct zl_error *err)
{
  const struct zl_container_spec *spec = b->init->spec;
  int r;

  /* Whoever has made it may go as soon as all is built, and not before. */
  if (spec->is_free && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "letting go of the runtime");
  if (spec->gate_fd < 0)
    zl_fd_closep(&b->proc_fd);
  r = spec->gate_fd >= 0 ? zl_procfs_confine(b->proc_fd, err) : 0;
  if (r == 0)
    r = report_ready(b, launch, err);
  if (r < 0)
    return r;
  if (spec->gate_fd < 0)
    r = zl_sync_expect(b->init->sync_fd, ZL_BARRIER_START, NULL, NULL, NULL, err);
  else
    r = zl_gate_wait(spec->gate_fd, b->proc_fd, ret_fd, err);
  zl_fd_closep(&b->proc_fd);
  return r;
}

static void tell_failure(const struct zl_init *init, int gate_fd, const struct zl_error *failure)
{
  if (gate_fd >= 0)
    zl_gate_report(gate_fd, failure);
  else
    zl_sync_send_error(init->sync_fd, failure);
}

_Noreturn void zl_init_main(struct zl_init *init)
{
  struct build b = { .init = init,
                     .config = init->spec->config,
                     .staged = zl_hooks_see_mounts(init->spec->config),
                     .proc_fd = -1,
                     .view = { .root_fd = -1, .proc_fd = -1, .sys_fd = -1 },
                     .console = { .master = -1, .slave = -1 } };
  struct zl_launch launch = { .process = &b.config->process,
                              .filter = init->filter,
                              .cwd_fd = -1,
                              .config = init->spec->config,
                              .is_init = true,
                              .listener = &init->listener,
                              .state_json = init->spec->state_json };
  struct zl_error err = { 0 };
  int gate_fd = -1, r;

  zl_debug("child process in init()");
  memcpy(b.stdio, init->spec->stdio, sizeof(b.stdio));
  r = build(&b, &launch, &err);

  launch.is_free = init->spec->is_free;
  launch.preserved_fds = init->spec->preserved_fds;
  if (r == 0)
    r = await_start(&b, &launch, &gate_fd, &err);
  if (r == 0 && b.config->zlayer.init)
    _exit(zl_reaper_run(&launch, init->sync_fd));
  if (r == 0)
    (void)zl_launch_exec(&launch, &err);
  tell_failure(init, gate_fd, &err);
  _exit(EXIT_NO_START);
}
