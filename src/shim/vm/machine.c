/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/machine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "shim/vm/patience.h"
#include "vmm/clone.h"
#include "vmm/code.h"
#include "vmm/disk.h"
#include "vmm/template.h"

/* Nobody ever opens it by its name: it goes with the last descriptor. */
static int make_scratch(int from_fd, struct machine_files *files, struct zl_error *err)
{
  const char *name = files->unnamed ? NULL : "scratch";
  int r = zl_disk_copy(from_fd, files->dir_fd, name, &files->qemu.scratch_fd, err);

  if (r < 0)
    return r;
  if (!files->keep_scratch && name != NULL && unlinkat(files->dir_fd, "scratch", 0) < 0)
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

struct negotiation {
  bool done;
  struct zl_error failure; /* code 0: none */
};

static void negotiated(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct negotiation *talk = ctx;
  struct zl_rpc_capabilities guest;

  talk->done = true;
  if (r < 0)
    talk->failure = *err;
  else
    (void)zl_rpc_parse_capabilities(reply, &guest, &talk->failure);
}

static int negotiate(struct vm_shim *vm, struct patience patience, struct zl_error *err)
{
  struct negotiation talk = { 0 };
  struct zl_rpc_then then = guest_then(negotiated, &talk, patience);
  int r = zl_rpc_negotiate(vm->guest.client, &then, err);

  guest_flush(&vm->guest);
  while (r == 0 && !talk.done)
    r = loop_turn(&vm->shim.loop, err);
  if (!talk.done)
    zl_bridge_client_hangup(vm->guest.client); /* no answer may come when `talk` is gone */
  if (r < 0 || talk.failure.code == ZL_OK)
    return r;
  *err = talk.failure;
  return -(int)talk.failure.code;
}

/* What the guest last said tells more than that it said nothing. A dying QEMU closes its end of the
 * bridge first, and may be noticed by that. */
void machine_explain(struct vm_shim *vm, const char *prefix, struct zl_error *err)
{
  bool is_dead = vm->guest.client != NULL && qemu_is_dead(&vm->qemu, QEMU_DEATH_MS);
  struct zl_error why = *err;
  ZL_UNCLEARED char tail[CONSOLE_TAIL];

  console_drain(&vm->console);
  console_tail(&vm->console, tail);
  (void)zl_fail(err, why.code, 0, "%s%.200s%s%s", is_dead ? "" : prefix,
                is_dead ? "the virtual machine ended unexpectedly" : why.msg,
                *tail != '\0' ? "; its console: " : "", tail);
}

void machine_stop(struct vm_shim *vm)
{
  qemu_destroy(&vm->qemu);
  console_close(&vm->console);
  guest_close(&vm->guest);
}

/* The directory of a machine without records may be in memory; where the prepared disk is, is room
 * for others. */
static int copy_beside(const struct vm_shim *vm, int from_fd, struct machine_files *files,
                       struct zl_error *err)
{
  const char *path = vm->machine.scratch, *slash = strrchr(path, '/');
  zl_autofree char *dir = slash != NULL ? strndup(path, (size_t)(slash - path)) : strdup(".");
  zl_autofd fd = dir != NULL ? zl_fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0) : -ENOMEM;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&fd), "directory of '%s'", path);
  return zl_disk_copy(from_fd, fd, NULL, &files->qemu.scratch_fd, err);
}

static int copy_scratch(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  zl_autofd scratch = zl_fd_open(AT_FDCWD, vm->machine.scratch, O_RDONLY, 0);

  if (scratch < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -zl_steal_fd(&scratch), "opening '%s'",
                   vm->machine.scratch);
  return vm->machine.unrecorded ? copy_beside(vm, scratch, files, err)
                                : make_scratch(scratch, files, err);
}

int machine_boot(struct vm_shim *vm, struct machine_files *files, enum zl_vm_start start,
                 struct zl_error *err)
{
  struct qemu_ends ends = { -1, -1, -1 };
  int r = vm->machine.scratch != NULL ? copy_scratch(vm, files, err) : 0;

  if (r < 0)
    return r;
  if (r == 0)
    r = qemu_start(&vm->qemu, &vm->machine, start, &files->qemu, &ends, PATIENCE_MONITOR, err);
  if (r == 0)
    r = connect_guest(vm, &ends, err);
  if (r == 0)
    r = negotiate(vm, PATIENCE_BOOT, err);
  if (r < 0) {
    machine_explain(vm, "", err);
    machine_stop(vm);
    zl_fd_closep(&files->qemu.scratch_fd);
    return zl_wrap(err, "booting the virtual machine");
  }
  vm->shim.tier = VM_TIER_BOOT;
  return 0;
}

/* ---- Templates ----------------------------------------------------------------------------- */

static int load(struct vm_shim *vm, struct machine_files *files,
                const struct zl_vm_template *template, struct zl_error *err)
{
  struct qemu_ends ends = { -1, -1, -1 };
  uint64_t deadline = patience_end(PATIENCE_CLONE);
  int r =
      qemu_start(&vm->qemu, &vm->machine, ZL_VM_CLONE, &files->qemu, &ends, PATIENCE_MONITOR, err);

  if (r == 0)
    r = connect_guest(vm, &ends, err);
  if (r == 0)
    r = zl_vm_load(&vm->qemu.qmp, template->state_fd, deadline, err);
  if (r == 0 && template->code_fd >= 0) {
    r = zl_vm_code_load(&vm->qemu.qmp, template->code_fd, deadline, err);
    vm->has_code = r == 0;
  }
  if (r == 0)
    r = zl_vm_continue(&vm->qemu.qmp, deadline, err);
  return r < 0 ? r : negotiate(vm, PATIENCE_CLONE, err);
}

static int take_contents(struct vm_shim *vm, const json_t *contents, struct zl_error *err)
{
  json_t *bundle = NULL;
  int64_t port = 0;
  int r = zl_json_get_object(contents, TEMPLATE_CONTENTS, "bundle", &bundle, err);

  if (r == 0)
    r = zl_json_get_int(contents, TEMPLATE_CONTENTS, "nextPort", ZL_MUX_FIRST_PORT, UINT32_MAX,
                        ZL_MUX_FIRST_PORT, &port, err);
  if (r < 0)
    return r;
  vm->prepared = json_incref(bundle);
  vm->guest.next_port = (uint32_t)port;
  return 0;
}

/* What is in its memory besides the system: an image, and a container prepared from a bundle. */
static int read_all(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  struct machine_config machine = { 0 };
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *contents = NULL;
  int r = machine_config_load(dir_fd, &machine, err);

  if (r < 0)
    return r;
  if (machine.image != NULL) {
    if (vm->machine.image == NULL || strcmp(machine.image, vm->machine.image) != 0)
      r = zl_fail(err, ZL_E_CORRUPT, 0, "it has another image");
    else if ((vm->mounted = strdup(machine.image)) == NULL)
      r = zl_fail_nomem(err, "template");
  }
  machine_config_done(&machine);
  if (r < 0 || vm->mounted == NULL)
    return r;
  r = zl_file_read(dir_fd, TEMPLATE_CONTENTS, &text, err);
  if (r == 0)
    r = zl_json_parse(text.data, text.len, TEMPLATE_CONTENTS, &contents, err);
  return r < 0 ? r : take_contents(vm, contents, err);
}

/* A template that is sealed has all of it. */
static int read_contents(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = read_all(vm, dir_fd, &why);

  return r < 0 ? zl_fail(err, r == -ZL_E_NO_MEMORY ? ZL_E_NO_MEMORY : ZL_E_CORRUPT, why.os_error,
                         "%.300s", why.msg)
               : 0;
}

int machine_clone(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  const char *key = strrchr(vm->machine.template, '/');
  zl_autofd dir = zl_fd_open(AT_FDCWD, vm->machine.template, O_RDONLY | O_DIRECTORY, 0);
  struct zl_vm_template template = ZL_VM_TEMPLATE_INIT;
  int r;

  if (dir < 0 || key == NULL) {
    (void)zl_steal_fd(&dir);
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "there is no template '%s'", vm->machine.template);
  }
  r = zl_vm_template_open(dir, key + 1, &template, err);
  if (r < 0)
    return r;
  r = read_contents(vm, dir, err);
  if (r == 0)
    r = make_scratch(template.scratch_fd, files, err);
  if (r == 0) {
    files->qemu.memory_fd = template.memory_fd;
    r = load(vm, files, &template, err);
    files->qemu.memory_fd = -1;
  }
  zl_vm_template_close(&template);
  if (r < 0) {
    if (vm->guest.client != NULL)
      machine_explain(vm, "", err);
    machine_stop(vm);
    zl_fd_closep(&files->qemu.scratch_fd);
    return zl_wrap(err, "cloning template %.12s", key + 1);
  }
  vm->shim.tier = VM_TIER_CLONE;
  return 0;
}

void machine_set_aside(const struct vm_shim *vm)
{
  zl_autofd dir = zl_fd_open(AT_FDCWD, vm->machine.template, O_RDONLY | O_DIRECTORY, 0);

  if (dir >= 0)
    (void)unlinkat(dir, "template.json", 0);
  else
    (void)zl_steal_fd(&dir);
}

int machine_boot_instead(struct vm_shim *vm, struct machine_files *files,
                         const struct zl_error *why, struct zl_error *err)
{
  struct zl_error warning = { 0 };

  /* One that is not there was removed since the library looked: no reason to say anything. */
  if (why->code != ZL_E_NOT_FOUND) {
    machine_set_aside(vm);
    (void)zl_fail(&warning, why->code, 0, "%.400s; the machine is booted, the template made anew",
                  why->msg);
    memcpy(vm->shim.warning, warning.msg, sizeof(vm->shim.warning));
  }
  machine_stop(vm);
  zl_fd_closep(&files->qemu.scratch_fd);
  vm_init_machine(vm);
  return machine_boot(vm, files, ZL_VM_BOOT, err);
}

int machine_start(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  struct zl_error why = { 0 };

  if (vm->machine.template == NULL)
    return machine_boot(vm, files, ZL_VM_BOOT, err);
  return machine_clone(vm, files, &why) < 0 ? machine_boot_instead(vm, files, &why, err) : 0;
}
