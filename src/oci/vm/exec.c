/* SPDX-License-Identifier: Apache-2.0
 *
 * One more process in the machine.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"
#include "engine/child.h"
#include "oci/console.h"
#include "oci/vm/vm.h"
#include "runtime/shim/control.h"

#define EXEC_PATIENCE (90 * ZL_NS_PER_S) /* more than the shim has with the guest */

struct executor {
  const struct oci_container *c;
  json_t *process;
  struct oci_vm_terminal terminal;
  int dir_fd, report_fd;
};

static void executor_done(struct executor *e)
{
  zl_fd_closep(&e->terminal.master);
  zl_fd_closep(&e->terminal.slave);
  zl_fd_closep(&e->dir_fd);
  zl_fd_closep(&e->report_fd);
}

/* ---- In the process ------------------------------------------------------------------------ */

static int open_pipe(int ours_is, int *ret_ours, int *ret_theirs, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_ours = ends[ours_is];
  *ret_theirs = ends[1 - ours_is];
  return 0;
}

static int use_terminal(struct oci_vm_stand *stand, int terminal, struct zl_error *err)
{
  if (terminal < 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the shim gave no terminal");
  stand->in = terminal;
  stand->out = zl_fd_copy(terminal);
  return stand->out < 0 ? zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&stand->out), "terminal") : 0;
}

static int ask(struct executor *e, struct oci_vm_stand *stand, struct zl_error *err)
{
  zl_autofd in = -1, out = -1, error = -1, terminal = -1;
  zl_autojson *reply = NULL;
  int r = stand->terminal ? 0 : open_pipe(1, &stand->in, &in, err);

  if (r == 0 && !stand->terminal)
    r = open_pipe(0, &stand->out, &out, err);
  if (r == 0 && !stand->terminal)
    r = open_pipe(0, &stand->err, &error, err);
  if (r == 0)
    r = zl_control_send(
        stand->control_fd,
        json_pack("{s:s, s:O, s:b}", "op", "exec", "process", e->process, "bound", 1),
        (const int[]){ in, out, error }, stand->terminal ? 0 : 3, err);
  if (r == 0)
    r = zl_control_receive(stand->control_fd, zl_time_boot() + EXEC_PATIENCE, -1, &reply, &terminal,
                           err);
  return r == 0 && stand->terminal ? use_terminal(stand, zl_steal_fd(&terminal), err) : r;
}

static int make(struct executor *e, struct oci_vm_stand *stand, struct zl_error *err)
{
  int keep[] = { e->report_fd, e->dir_fd, e->terminal.slave, e->c->cgroup_root.fd,
                 e->c->cgroup.unified_fd };
  int r = oci_vm_stand_begin(keep, ZL_COUNT(keep), e->terminal.slave, stand, err);

  e->terminal.master = -1; /* closed with all others */
  if (r == 0)
    r = oci_enter_cgroup((void *)(uintptr_t)&e->c->cgroup, err);
  if (r == 0)
    r = zl_control_connect(e->dir_fd, &stand->control_fd, err);
  if (r == 0)
    r = ask(e, stand, err);
  return r == 0 ? oci_vm_stand_free(err) : r;
}

__attribute__((noreturn)) static void be_process(struct executor *e)
{
  struct oci_vm_stand stand = OCI_VM_STAND_INIT;
  struct zl_error err = { 0 };
  int r;

  stand.is_exec = true;
  r = make(e, &stand, &err);
  oci_vm_report(e->report_fd, r < 0 ? &err : NULL);
  if (r < 0)
    _exit(1);
  executor_done(e);
  oci_vm_stand(&stand);
}

/* ---- The command's side -------------------------------------------------------------------- */

static int prepare(struct executor *e, bool adopt_size, struct zl_error *err)
{
  zl_autoprocess *process = NULL;
  int r = zl_engine_process_parse(e->process, "process", &process, err);

  if (r == 0)
    r = oci_vm_check_process(process, err);
  if (r == 0 && adopt_size)
    oci_console_adopt_size(process);
  if (r == 0)
    r = oci_vm_set_size(e->process, process, err);
  if (r == 0)
    r = oci_vm_terminal_open(process, &e->terminal, err);
  if (r < 0)
    return r;
  e->dir_fd = zl_fd_open(e->c->dir_fd, OCI_VM_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  return e->dir_fd < 0
             ? zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&e->dir_fd), "directory of the machine")
             : 0;
}

static int start_process(struct executor *e, struct zl_child *child, struct zl_error *err)
{
  zl_autofd ours = -1;
  int pair[2], r = oci_vm_report_open(pair, err);

  if (r < 0)
    return r;
  ours = pair[0];
  e->report_fd = pair[1];
  r = zl_child_clone(0, e->c->cgroup.unified_fd, child, err);
  if (r == 0)
    be_process(e);
  if (r < 0)
    return r;
  zl_fd_closep(&e->report_fd);
  r = oci_vm_report_await(ours, err);
  if (r < 0)
    zl_child_kill(child);
  return r;
}

int oci_machine_exec(const struct oci_container *c, json_t *process, bool adopt_size,
                     struct zl_child *child, int *ret_master, struct zl_error *err)
{
  struct executor e = {
    .c = c, .process = process, .terminal = { -1, -1 }, .dir_fd = -1, .report_fd = -1
  };
  int r = prepare(&e, adopt_size, err);

  if (r == 0)
    r = start_process(&e, child, err);
  if (r == 0)
    *ret_master = zl_steal_fd(&e.terminal.master);
  executor_done(&e);
  return r;
}
