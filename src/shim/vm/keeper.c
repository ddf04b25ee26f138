/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "net/linux/link.h"
#include "shim/lifecycle.h"
#include "shim/vm/create.h"
#include "shim/vm/machine.h"
#include "shim/vm/session.h"
#include "shim/vm/stats.h"
#include "vmm/disk.h"

enum {
  DISK_TOLD = 224 /* of an error message */
};

void vm_init_machine(struct vm_shim *vm)
{
  vm->qemu = (struct qemu)QEMU_INIT;
  vm->guest = (struct guest)GUEST_INIT;
  vm->console = (struct console){ .source = SOURCE_INIT, .fd = -1 };
  vm->ports = (struct ports){ .guest = &vm->guest };
  zl_json_decref(&vm->prepared);
  free(vm->mounted);
  vm->mounted = NULL;
  vm->has_code = false;
}

void vm_init(struct vm_shim *vm)
{
  *vm = (struct vm_shim){ .stdin_end = -1, .scratch_fd = -1, .tap_fd = -1 };
  vm_init_machine(vm);
  shim_init(&vm->shim, &vm_keeper);
}

/* ---- The end ------------------------------------------------------------------------------- */

void vm_end(struct vm_shim *vm, const struct exit_record *exit)
{
  if (!vm->has_exit)
    vm->exit = *exit;
  vm->has_exit = true;
  qemu_kill(&vm->qemu); /* also a machine whose workload has ended: it may keep its streams open */
}

void vm_fail(struct vm_shim *vm, const struct zl_error *why)
{
  struct exit_record record;

  if (vm->has_exit) {
    qemu_kill(&vm->qemu);
    return;
  }
  (void)zl_fail(&vm->failure, ZL_E_REMOTE, 0, "%.160s", why->msg);
  machine_explain(vm, "the virtual machine failed: ", &vm->failure);
  record = exit_from_error(&vm->failure);
  vm->failed = true;
  vm->start_failed = vm->shim.starting; /* who waits for the start is told why */
  vm_end(vm, &record);
}

static void guest_failed(struct guest *guest)
{
  struct vm_shim *vm = container_of(guest, struct vm_shim, guest);

  vm_fail(vm, &guest->why);
}

/* Its first process has ended: from now on its output is not held up by anybody, so that the
 * guest can pass on the rest and say how it ended. */
static void guest_exited(struct guest *guest)
{
  struct vm_shim *vm = container_of(guest, struct vm_shim, guest);

  ports_be_generous(&vm->ports);
}

static void qemu_stuck(struct qemu *qemu, const char *why)
{
  struct vm_shim *vm = container_of(qemu, struct vm_shim, qemu);
  struct zl_error err = { 0 };

  (void)zl_fail(&err, ZL_E_REMOTE, 0, "it came to a halt (%.40s)", why);
  vm_fail(vm, &err);
}

static void write_console(const struct vm_shim *vm)
{
  ZL_UNCLEARED char text[CONSOLE_KEPT];
  size_t len = console_text(&vm->console, text);
  struct zl_error err = { 0 };

  if (zl_file_replace(vm->shim.dir_fd, "console.log", text, len, 0600, false, &err) < 0)
    zl_warning("%s", err.msg);
}

/* A copy under a name again, for who wants to look into it. `told` says where it is. */
static void keep_disk(const struct vm_shim *vm, char *told, size_t size)
{
  struct zl_error err = { 0 };
  char link[ZL_FD_PATH], dir[4096];
  ssize_t n = readlink(zl_path_of_fd(vm->shim.dir_fd, link), dir, sizeof(dir) - 1);
  int fd = -1;

  dir[n > 0 ? n : 0] = '\0';
  if (zl_disk_copy(vm->scratch_fd, vm->shim.dir_fd, "scratch", &fd, &err) < 0)
    (void)snprintf(told, size, "; its disk could not be kept: %.80s", err.msg);
  else
    (void)snprintf(told, size, "; its disk is kept as '%.*s/scratch'", (int)size - 40, dir);
  zl_fd_closep(&fd);
}

/* What is left of a machine that failed, and the message that says so. */
static void leave_traces(struct vm_shim *vm)
{
  struct zl_error why = vm->failure;
  char disk[DISK_TOLD] = "";

  write_console(vm);
  if (vm->machine.keep_on_failure && vm->scratch_fd >= 0)
    keep_disk(vm, disk, sizeof(disk));
  (void)zl_fail(&vm->failure, ZL_E_REMOTE, 0, "%s%s", why.msg, disk);
  memcpy(vm->exit.message, vm->failure.msg, sizeof(vm->exit.message));
}

static void qemu_ended(struct qemu *qemu)
{
  struct vm_shim *vm = container_of(qemu, struct vm_shim, qemu);
  struct zl_error err = { 0 };

  console_close(&vm->console);
  (void)zl_fail(&err, ZL_E_REMOTE, 0, "the virtual machine ended unexpectedly");
  vm_fail(vm, &err); /* no-op when it was expected */
  if (vm->failed)
    leave_traces(vm);
  if (vm->start_failed)
    lifecycle_start_failed(&vm->shim, &vm->failure);
  else
    lifecycle_ended(&vm->shim, &vm->exit);
}

static void clear(struct shim *shim)
{
  struct vm_shim *vm = vm_of(shim);

  vm->has_exit = true;
  vm_session_kill_all(vm);
  machine_stop(vm);
  ports_close(&vm->ports);
  vm_session_end_all(vm);
}

static void undo(struct shim *shim)
{
  struct vm_shim *vm = vm_of(shim);
  struct zl_error err = { 0 };

  clear(shim);
  zl_fd_closep(&vm->stdin_end);
  zl_fd_closep(&shim->stdin_fd);
  if (vm->tap_fd >= 0 && vm->bundle.bridged && zl_link_set_down(vm->bundle.link, &err) < 0)
    zl_warning("%s", err.msg);
}

/* ---- Requests ------------------------------------------------------------------------------ */

static int watch(struct shim *shim, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);

  vm->guest.failed = guest_failed;
  vm->guest.exited = guest_exited;
  vm->qemu.ended = qemu_ended;
  vm->qemu.stuck = qemu_stuck;
  return qemu_watch(&vm->qemu, &shim->loop, err);
}

/* Nothing in the machine is worth asking for its end: directories of the host are written through
 * (9p without a cache), and the scratch disk goes with it. */
static int kill_machine(struct vm_shim *vm)
{
  struct exit_record record = exit_killed();

  vm_end(vm, &record);
  return 0;
}

static int send_signal(struct shim *shim, int signal, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);
  struct zl_rpc_then then = guest_then(NULL, NULL, PATIENCE_CONTROL);
  int r;

  if (signal == SIGKILL)
    return kill_machine(vm);
  if (vm->has_exit)
    return 0; /* it ends already */
  r = guest_check(&vm->guest, err);
  if (r == 0)
    r = zl_rpc_signal(vm->guest.client, shim->id, vm->init_pid, signal, &then, err);
  if (r == 0)
    guest_flush(&vm->guest);
  return r;
}

static void frozen(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  (void)reply;
  lifecycle_paused(ctx, r < 0 ? err : NULL);
}

static int freeze(struct shim *shim, bool freeze_it, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);
  struct zl_rpc_then then = guest_then(frozen, shim, PATIENCE_CONTROL);
  int r = guest_check(&vm->guest, err);

  if (r == 0)
    r = zl_rpc_freeze(vm->guest.client, shim->id, freeze_it, &then, err);
  if (r == 0)
    guest_flush(&vm->guest);
  return r < 0 ? r : 1;
}

const struct keeper vm_keeper = {
  .load = vm_load,
  .create = vm_create,
  .watch = watch,
  .start = vm_init_start,
  .signal = send_signal,
  .freeze = freeze,
  .stats = vm_stats,
  .exec = vm_session_start,
  .resize = vm_session_resize,
  .forget = vm_session_forget,
  .signal_session = vm_session_signal,
  .clear = clear,
  .undo = undo,
};
