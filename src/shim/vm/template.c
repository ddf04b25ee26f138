/* SPDX-License-Identifier: Apache-2.0
 *
 * A template: a machine that has booted, mounted its scratch disk and been stopped. Its memory is a
 * file from the start, so saving it costs only the state of the devices.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "bridge/guest.h"
#include "shim/text.h"
#include "shim/vm/machine.h"
#include "shim/vm/modes.h"
#include "shim/vm/patience.h"
#include "shim/vm/stock.h"
#include "vmm/clone.h"
#include "vmm/code.h"
#include "vmm/template.h"

enum {
  MAX_PATH = 4096
};

static int create_file(int dir_fd, const char *name, int *ret, struct zl_error *err)
{
  int fd = zl_fd_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "creating '%s' of the template", name);
  *ret = fd;
  return 0;
}

static int mount_scratch(struct vm_shim *vm, struct zl_error *err)
{
  static const struct zl_rpc_disk scratch = { .lun = ZL_GUEST_LUN_SCRATCH,
                                              .mount_path = ZL_GUEST_SCRATCH,
                                              .filesystem = "ext4" };
  struct guest_batch batch;

  guest_batch_begin(&batch, &vm->guest, PATIENCE_GUEST);
  guest_batch_made(
      &batch, zl_rpc_disk_add(vm->guest.client, &scratch, guest_batch_next(&batch), &batch.err));
  return guest_batch_wait(&batch, err);
}

/* A template of one image has it in its memory, with a container that waits for its program. */
static int fill(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  zl_autojson *bundle = NULL, *contents = NULL;
  zl_autofree char *text = NULL;
  int r;

  if (vm->machine.image == NULL)
    return 0;
  bundle = stock_bundle();
  if (bundle == NULL)
    return zl_fail_nomem(err, "bundle");
  r = warm_template(vm, bundle, err);
  contents = json_pack("{s:O, s:I}", "bundle", bundle, "nextPort", (json_int_t)vm->guest.next_port);
  if (r == 0)
    r = contents != NULL ? zl_json_render(contents, &text, err) : zl_fail_nomem(err, "bundle");
  return r < 0 ? r
               : zl_file_replace(dir_fd, TEMPLATE_CONTENTS, text, strlen(text), 0600, true, err);
}

static int save(struct vm_shim *vm, struct machine_files *files, int state_fd, struct zl_error *err)
{
  const int fds[] = { files->qemu.memory_fd, files->qemu.scratch_fd, state_fd };
  int r;

  warm_settle();
  r = zl_vm_save(&vm->qemu.qmp, state_fd, patience_end(PATIENCE_SAVE), err);
  machine_stop(vm); /* nothing is written after this */
  for (size_t i = 0; r == 0 && i < ZL_COUNT(fds); i++)
    if (fdatasync(fds[i]) < 0)
      r = zl_fail_errno(err, "writing the template to the disk");
  return r;
}

/* ---- Its code ------------------------------------------------------------------------------ */

/* Blocks know which processor translated them only as far as there is one. */
static int can_keep_code(struct vm_shim *vm, bool *ret, struct zl_error *err)
{
  *ret = false;
  if (vm->machine.accel != ZL_VM_TCG || vm->machine.vcpus != 1)
    return 0;
  return zl_vm_code_can(&vm->qemu.qmp, patience_end(PATIENCE_MONITOR), ret, err);
}

/* What every clone would have to translate anew, one does: it runs containers as those of the pool
 * do, and ends. */
static int keep_code(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  struct machine_files files = { .qemu = QEMU_FILES_INIT, .dir_fd = dir_fd, .unnamed = true };
  zl_autofd image = -1, code = -1;
  int r = create_file(dir_fd, "code", &code, err);

  vm_init_machine(vm);
  if (r == 0)
    r = warm_open_image(vm, &image, err);
  files.qemu.image_fd = image;
  if (r == 0)
    r = machine_clone(vm, &files, err);
  if (r == 0)
    r = warm_clone(vm, err);
  vm->qemu.stopping = true;
  if (r == 0)
    r = zl_vm_stop(&vm->qemu.qmp, patience_end(PATIENCE_MONITOR), err);
  if (r == 0)
    r = zl_vm_code_save(&vm->qemu.qmp, code, patience_end(PATIENCE_SAVE), err);
  machine_stop(vm);
  zl_fd_closep(&files.qemu.scratch_fd);
  if (r == 0 && fdatasync(code) < 0)
    r = zl_fail_errno(err, "writing the template's code to the disk");
  return r;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* The directory is named by the template's key, which *ret_key points to. */
static int find_path(int dir_fd, char path[MAX_PATH], const char **ret_key, struct zl_error *err)
{
  char link[ZL_FD_PATH];
  ssize_t n = readlink(zl_path_of_fd(dir_fd, link), path, MAX_PATH - 1);
  const char *name;

  if (n <= 0)
    return zl_fail_errno(err, "name of the template");
  path[n] = '\0';
  name = strrchr(path, '/');
  if (name == NULL || strlen(name + 1) >= ZL_VM_KEY_TEXT)
    return zl_fail(err, ZL_E_INVALID, 0, "'%.80s' is no template's directory", path);
  *ret_key = name + 1;
  return 0;
}

static int build(struct vm_shim *vm, int dir_fd, bool *ret_keeps_code, struct zl_error *err)
{
  struct machine_files files = { .qemu = QEMU_FILES_INIT, .dir_fd = dir_fd, .keep_scratch = true };
  zl_autofd memory = -1, state = -1, image = -1;
  int r = create_file(dir_fd, "memory", &memory, err);

  if (r == 0)
    r = create_file(dir_fd, "state", &state, err);
  if (r == 0 && vm->machine.image != NULL)
    r = warm_open_image(vm, &image, err);
  files.qemu.memory_fd = memory;
  files.qemu.image_fd = image;
  if (r == 0)
    r = machine_boot(vm, &files, ZL_VM_TEMPLATE, err);
  if (r == 0)
    r = mount_scratch(vm, err);
  if (r == 0)
    r = fill(vm, dir_fd, err);
  if (r == 0)
    r = can_keep_code(vm, ret_keeps_code, err);
  if (r == 0)
    r = save(vm, &files, state, err);
  machine_stop(vm);
  zl_fd_closep(&files.qemu.scratch_fd);
  return r;
}

static int make(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  char path[MAX_PATH];
  const char *key = "";
  bool keeps_code = false;
  struct zl_error why = { 0 };
  int r = find_path(dir_fd, path, &key, err);

  if (r == 0)
    r = machine_config_load(dir_fd, &vm->machine, err);
  if (r == 0)
    r = build(vm, dir_fd, &keeps_code, err);
  if (r == 0)
    r = zl_vm_template_seal(dir_fd, key, err);
  if (r < 0 || !keeps_code)
    return r;
  vm->machine.template = path;
  r = keep_code(vm, dir_fd, &why);
  if (r == 0)
    r = zl_vm_template_seal_code(dir_fd, key, &why);
  if (r < 0) { /* without its code the template is worth less, but whole */
    zl_warning("%s", why.msg);
    (void)unlinkat(dir_fd, "code", 0);
  }
  return 0;
}

static void answer(int fd, const struct zl_error *failure)
{
  zl_autojson *json =
      failure == NULL
          ? json_pack("{s:b}", "ok", 1)
          : json_pack("{s:b, s:s, s:i, s:o}", "ok", 0, "code", zl_code_name(failure->code),
                      "os_error", failure->os_error, "message", text_json(failure->msg));
  zl_autofree char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

  if (text != NULL)
    (void)zl_fd_send(fd, text, strlen(text), NULL, 0);
}

int mode_template(struct vm_shim *vm, int dir_fd, int reply_fd)
{
  struct zl_error err = { 0 };
  int r = loop_open(&vm->shim.loop, &err);

  if (r == 0)
    r = make(vm, dir_fd, &err);
  if (reply_fd >= 0)
    answer(reply_fd, r < 0 ? &err : NULL);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
