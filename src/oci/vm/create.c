/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine and the container in it. The process that will stand for the container's first one is
 * the parent of the shim, which is that of QEMU: each dies with its parent. It is in the
 * container's cgroup and network namespace, and in a mount namespace of its own, in which the
 * machine's share is mounted: all of that ends with it.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/child.h"
#include "engine/hooks.h"
#include "oci/vm/vm.h"
#include "runtime/shim/control.h"

enum {
  SHIM_DIR_FD = 3, /* docs/shim.md */
  SHIM_CONTROL_FD = 4,
  KEPT = 8, /* descriptors besides the shares */
  PATH_TEXT = 4096
};

#define CREATE_PATIENCE (180 * ZL_NS_PER_S) /* an emulated processor, a busy host */

struct maker {
  struct oci_container *c;
  const struct oci_machine_spec *spec;
  struct oci_vm_shares shares;
  struct oci_vm_terminal terminal;
  int dir_fd, netns_fd, report_fd;
  char *share; /* path of what the machine sees */
  char *shape; /* machine.json */
  char *shim;  /* the program */
};

static void maker_done(struct maker *m)
{
  oci_vm_shares_done(&m->shares);
  zl_fd_closep(&m->terminal.master);
  zl_fd_closep(&m->terminal.slave);
  zl_fd_closep(&m->dir_fd);
  zl_fd_closep(&m->netns_fd);
  zl_fd_closep(&m->report_fd);
  free(m->share);
  free(m->shape);
  free(m->shim);
}

/* ---- Before the process -------------------------------------------------------------------- */

static int make_dir(struct maker *m, struct zl_error *err)
{
  if (mkdirat(m->c->dir_fd, OCI_VM_DIR, 0700) < 0)
    return zl_fail_errno(err, "making the directory of the machine");
  m->dir_fd = zl_fd_open(m->c->dir_fd, OCI_VM_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (m->dir_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&m->dir_fd), "directory of the machine");
  return mkdirat(m->dir_fd, OCI_VM_SHARE, 0700) < 0
             ? zl_fail_errno(err, "making the machine's share")
             : 0;
}

static int plan_shape(struct maker *m, struct zl_error *err)
{
  char link[ZL_FD_PATH], path[PATH_TEXT];
  ssize_t n = readlink(zl_path_of_fd(m->dir_fd, link), path, sizeof(path) - 1);
  int r;

  path[n > 0 ? n : 0] = '\0';
  m->share = zl_asprintf("%s/" OCI_VM_SHARE, path);
  r = m->share != NULL ? oci_vm_shim_path(&m->shim, err)
                       : zl_fail_nomem(err, "the machine's share");
  return r < 0 ? r
               : oci_vm_shape_render(m->c, &m->spec->config->resources, m->share, m->shares.scratch,
                                     &m->shape, err);
}

static int open_netns(struct maker *m, struct zl_error *err)
{
  const char *path = m->spec->config->namespaces[ZL_NS_NETWORK].path;
  int fd;

  if (path == NULL)
    return 0;
  fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "config.json: linux.namespaces: network: '%s'", path);
  m->netns_fd = fd;
  return 0;
}

static int prepare(struct maker *m, struct zl_error *err)
{
  bool scratch = false;
  int r = oci_vm_check(m->spec, err);

  if (r == 0)
    r = oci_vm_uses_scratch(m->spec->doc, &scratch, err);
  if (r == 0)
    r = oci_vm_shares_open(&m->shares, m->spec, scratch, err);
  if (r == 0)
    r = open_netns(m, err);
  if (r == 0)
    r = make_dir(m, err);
  if (r == 0)
    r = plan_shape(m, err);
  return r == 0 ? oci_vm_terminal_open(&m->spec->config->process, &m->terminal, err) : r;
}

/* ---- In the process: where it is ----------------------------------------------------------- */

static int begin(struct maker *m, struct oci_vm_stand *stand, struct zl_error *err)
{
  int keep[KEPT + OCI_VM_MAX_SHARES] = { m->report_fd,         m->dir_fd,
                                         m->netns_fd,          m->terminal.slave,
                                         m->c->cgroup_root.fd, m->c->cgroup.unified_fd,
                                         m->shares.root_fd };
  size_t n = KEPT - 1;

  for (size_t i = 0; i < m->shares.n; i++)
    keep[n++] = m->shares.items[i].tree_fd;
  m->terminal.master = -1; /* closed with all others */
  return oci_vm_stand_begin(keep, n, m->terminal.slave, stand, err);
}

static int settle(struct maker *m, struct zl_error *err)
{
  const struct zl_process *process = &m->spec->config->process;
  int r = oci_enter_cgroup(&m->c->cgroup, err);

  if (r == 0 && process->has_oom_score_adj)
    r = zl_child_set_oom_score(0, process->oom_score_adj, err);
  if (r < 0)
    return r;
  if (m->netns_fd < 0)
    return zl_link_lo_up(err);
  if (setns(m->netns_fd, CLONE_NEWNET) < 0)
    return zl_fail_errno(err, "config.json: linux.namespaces: network: joining it");
  return 0;
}

/* ---- In the process: the machine ----------------------------------------------------------- */

static int write_bundle(struct maker *m, struct zl_error *err)
{
  struct zl_link_pod pod;
  zl_autofree char *text = NULL;
  bool has_link;
  int r = zl_link_find_pod(&pod, err);

  if (r < 0)
    return zl_wrap(err, "config.json: linux.namespaces: network");
  has_link = r > 0;
  r = oci_vm_bundle_render(m->spec, &m->shares, has_link ? &pod : NULL, &text, err);
  if (r == 0 && !has_link)
    r = zl_file_replace(m->dir_fd, OCI_VM_NO_LINK, "", 0, 0600, false, err);
  if (r == 0)
    r = zl_file_replace(m->dir_fd, "config.json", text, strlen(text), 0600, false, err);
  return r == 0 ? zl_file_replace(m->dir_fd, "machine.json", m->shape, strlen(m->shape), 0600,
                                  false, err)
                : r;
}

static int start_shim(const struct maker *m, int control_fd, struct zl_error *err)
{
  const char *argv[] = { "zlayer-shim-vm", "container", NULL };
  const struct zl_proc_fd fds[] = { { m->dir_fd, SHIM_DIR_FD }, { control_fd, SHIM_CONTROL_FD } };
  struct zl_proc proc = { .pidfd = -1 };
  int r = zl_proc_spawn(&(struct zl_proc_options){ .path = m->shim,
                                                   .exec_fd = -1,
                                                   .argv = argv,
                                                   .fds = fds,
                                                   .n_fds = ZL_COUNT(fds),
                                                   .bound = true },
                        &proc, err);

  zl_fd_closep(&proc.pidfd);
  return r;
}

static int await_shim(int control_fd, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_receive(control_fd, zl_time_boot() + CREATE_PATIENCE, -1, &reply, NULL, err);

  return r == -ZL_E_REMOTE ? zl_fail(err, ZL_E_INTERNAL, 0, "its shim ended while it was made") : r;
}

static int build(struct maker *m, struct oci_vm_stand *stand, struct zl_error *err)
{
  zl_autofd theirs = -1;
  int pair[2], r;

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  stand->control_fd = pair[0];
  theirs = pair[1];
  r = oci_vm_shares_attach(&m->shares, m->share, err);
  if (r == 0)
    r = write_bundle(m, err);
  if (r == 0)
    r = start_shim(m, theirs, err);
  zl_fd_closep(&theirs);
  return r == 0 ? await_shim(stand->control_fd, err) : r;
}

/* ---- In the process: its streams ----------------------------------------------------------- */

static int attach(struct oci_vm_stand *stand, struct zl_error *err)
{
  zl_autofd out = -1, error = -1;
  zl_autojson *reply = NULL;
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  stand->out = ends[0];
  out = ends[1];
  if (!stand->terminal) {
    r = zl_fd_pipe(ends, err);
    if (r < 0)
      return r;
    stand->err = ends[0];
    error = ends[1];
  }
  r = zl_control_send(stand->control_fd, json_pack("{s:s}", "op", "attach"),
                      (const int[]){ out, error }, stand->terminal ? 1 : 2, err);
  return r < 0 ? r
               : zl_control_receive(stand->control_fd, zl_time_boot() + ZL_CONTROL_PATIENCE, -1,
                                    &reply, &stand->in, err);
}

static int make(struct maker *m, struct oci_vm_stand *stand, struct zl_error *err)
{
  int r = begin(m, stand, err);

  if (r == 0)
    r = settle(m, err);
  if (r < 0)
    return r;
  oci_vm_report(m->report_fd, NULL);
  r = oci_vm_report_await(m->report_fd, err);
  if (r == 0)
    r = build(m, stand, err);
  if (r == 0)
    r = attach(stand, err);
  return r == 0 ? oci_vm_stand_free(err) : r;
}

__attribute__((noreturn)) static void be_process(struct maker *m)
{
  struct oci_vm_stand stand = OCI_VM_STAND_INIT;
  struct zl_error err = { 0 };
  int r = make(m, &stand, &err);

  stand.dir_fd = zl_fd_copy(m->dir_fd);
  oci_vm_report(m->report_fd, r < 0 ? &err : NULL);
  if (r < 0)
    _exit(1);
  maker_done(m);
  oci_vm_stand(&stand);
}

/* ---- The command's side -------------------------------------------------------------------- */

static int accompany(const struct maker *m, int report_fd, const struct zl_child *child,
                     struct zl_error *err)
{
  int r = oci_vm_report_await(report_fd, err);

  if (r == 0)
    r = zl_hooks_run_runtime(m->spec->config, m->spec->state_json, child->pid, err);
  if (r == 0)
    r = oci_vm_report_go(report_fd, err);
  return r == 0 ? oci_vm_report_await(report_fd, err) : r;
}

static int start_process(struct maker *m, struct zl_child *child, struct zl_error *err)
{
  int namespaces = CLONE_NEWNS | (m->netns_fd < 0 ? CLONE_NEWNET : 0), pair[2];
  zl_autofd ours = -1;
  int r = oci_vm_report_open(pair, err);

  if (r < 0)
    return r;
  ours = pair[0];
  m->report_fd = pair[1];
  r = zl_child_clone(namespaces, m->c->cgroup.unified_fd, child, err);
  if (r == 0)
    be_process(m);
  if (r < 0)
    return r;
  zl_fd_closep(&m->report_fd);
  r = accompany(m, ours, child, err);
  if (r < 0)
    zl_child_kill(child);
  return r;
}

int oci_machine_create(struct oci_container *c, const struct oci_machine_spec *spec,
                       struct zl_container *made, struct zl_error *err)
{
  struct maker m;
  int r;

  m = (struct maker){ .c = c,
                      .spec = spec,
                      .shares = { .root_fd = -1 },
                      .terminal = { -1, -1 },
                      .dir_fd = -1,
                      .netns_fd = -1,
                      .report_fd = -1 };
  r = prepare(&m, err);
  if (r == 0)
    r = start_process(&m, &made->init, err);
  if (r == 0)
    made->master = zl_steal_fd(&m.terminal.master);
  maker_done(&m);
  return r;
}
