/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "shim/vm/patience.h"
#include "vmm/clone.h"
#include "vmm/disk.h"
#include "vmm/template.h"

/* Generous for an emulated processor on a busy host: what is slower is taken for hung. */
#define BOOT_PATIENCE    (90 * ZL_NS_PER_S)
#define CLONE_PATIENCE   (15 * ZL_NS_PER_S)
#define MONITOR_PATIENCE (20 * ZL_NS_PER_S)

/* Nobody ever opens it by its name: it goes with the last descriptor. */
static int make_scratch(int from_fd, struct machine_files *files, struct zl_error *err)
{
  int r = zl_disk_copy(from_fd, files->dir_fd, "scratch", &files->qemu.scratch_fd, err);

  if (r < 0)
    return r;
  if (!files->keep_scratch && unlinkat(files->dir_fd, "scratch", 0) < 0)
    return zl_fail_errno(err, "scratch disk");
  return 0;
}

static int connect_guest(struct vm_shim *vm, struct qemu_ends *ends, struct zl_error *err)
{
  struct zl_mux_hooks hooks = ports_hooks(&vm->ports);
  int r = console_open(&vm->console, &vm->shim.loop, ends->console_fd, err);

  if (r < 0)
    zl_fd_closep(&ends->console_fd);
  if (r == 0)
    return guest_open(&vm->guest, &vm->shim.loop, ends->bridge_fd, ends->stdio_fd, &hooks, err);
  zl_fd_closep(&ends->bridge_fd);
  zl_fd_closep(&ends->stdio_fd);
  return r;
}

static int negotiate(struct vm_shim *vm, uint64_t patience_ns, struct zl_error *err)
{
  struct guest_batch batch;

  guest_batch_begin(&batch, &vm->guest, patience_ns);
  guest_batch_made(&batch,
                   zl_rpc_negotiate(vm->guest.client, guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

/* What the guest last said tells more than that it said nothing. */
static int explain(struct vm_shim *vm, struct zl_error *err)
{
  ZL_UNCLEARED char tail[CONSOLE_TAIL];
  struct zl_error why = *err;

  console_close(&vm->console);
  console_tail(&vm->console, tail);
  return zl_fail(err, why.code, 0, "%.200s%s%s", why.msg, *tail != '\0' ? "; its console: " : "",
                 tail);
}

void machine_stop(struct vm_shim *vm)
{
  qemu_destroy(&vm->qemu);
  console_close(&vm->console);
  guest_close(&vm->guest);
}

int machine_boot(struct vm_shim *vm, struct machine_files *files, enum zl_vm_start start,
                 struct zl_error *err)
{
  struct qemu_ends ends = { -1, -1, -1 };
  zl_autofd scratch = zl_fd_open(AT_FDCWD, vm->machine.scratch, O_RDONLY, 0);
  int r;

  if (scratch < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -zl_steal_fd(&scratch), "opening '%s'",
                   vm->machine.scratch);
  r = make_scratch(scratch, files, err);
  if (r == 0)
    r = qemu_start(&vm->qemu, &vm->machine, start, &files->qemu, &ends, MONITOR_PATIENCE, err);
  if (r == 0)
    r = connect_guest(vm, &ends, err);
  if (r == 0)
    r = negotiate(vm, BOOT_PATIENCE, err);
  if (r < 0) {
    (void)explain(vm, err);
    machine_stop(vm);
    zl_fd_closep(&files->qemu.scratch_fd);
    return zl_wrap(err, "booting the virtual machine");
  }
  vm->shim.tier = VM_TIER_BOOT;
  return 0;
}

/* ---- Templates ----------------------------------------------------------------------------- */

static int load(struct vm_shim *vm, struct machine_files *files, int state_fd, struct zl_error *err)
{
  struct qemu_ends ends = { -1, -1, -1 };
  uint64_t deadline = patience_end(CLONE_PATIENCE);
  int r =
      qemu_start(&vm->qemu, &vm->machine, ZL_VM_CLONE, &files->qemu, &ends, MONITOR_PATIENCE, err);

  if (r == 0)
    r = connect_guest(vm, &ends, err);
  if (r == 0)
    r = zl_vm_load(&vm->qemu.qmp, state_fd, deadline, err);
  if (r == 0)
    r = zl_vm_continue(&vm->qemu.qmp, deadline, err);
  return r < 0 ? r : negotiate(vm, CLONE_PATIENCE, err);
}

int machine_clone(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  const char *key = strrchr(vm->machine.template, '/');
  zl_autofd dir = zl_fd_open(AT_FDCWD, vm->machine.template, O_RDONLY | O_DIRECTORY, 0);
  struct zl_vm_template template = { -1, -1, -1 };
  int r;

  if (dir < 0 || key == NULL) {
    (void)zl_steal_fd(&dir);
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "there is no template '%s'", vm->machine.template);
  }
  r = zl_vm_template_open(dir, key + 1, &template, err);
  if (r == 0)
    r = make_scratch(template.scratch_fd, files, err);
  if (r == 0) {
    files->qemu.memory_fd = template.memory_fd;
    r = load(vm, files, template.state_fd, err);
    files->qemu.memory_fd = -1;
  }
  zl_vm_template_close(&template);
  if (r < 0) {
    machine_stop(vm);
    zl_fd_closep(&files->qemu.scratch_fd);
    return zl_wrap(err, "cloning template '%s'", key + 1);
  }
  vm->shim.tier = VM_TIER_CLONE;
  return 0;
}

/* Without its seal it is no template any more: the library has it built anew. */
static void set_template_aside(const struct vm_shim *vm)
{
  zl_autofd dir = zl_fd_open(AT_FDCWD, vm->machine.template, O_RDONLY | O_DIRECTORY, 0);

  if (dir >= 0)
    (void)unlinkat(dir, "template.json", 0);
  else
    (void)zl_steal_fd(&dir);
}

int machine_start(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r;

  if (vm->machine.template == NULL)
    return machine_boot(vm, files, ZL_VM_BOOT, err);
  r = machine_clone(vm, files, &why);
  if (r == 0)
    return 0;
  /* One that is not there was removed since the library looked: no reason to say anything. */
  if (r != -ZL_E_NOT_FOUND) {
    set_template_aside(vm);
    memcpy(vm->shim.warning, why.msg, sizeof(vm->shim.warning));
  }
  vm_init_machine(vm);
  return machine_boot(vm, files, ZL_VM_BOOT, err);
}
