/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

void zl_vm_machine_done(struct zl_vm_machine_plan *machine)
{
  zl_vm_guest_done(&machine->guest);
  free(machine->qemu);
  free(machine->scratch);
  free(machine->image);
  machine->qemu = machine->scratch = machine->image = NULL;
}

/* ---- Shape ---- */

unsigned zl_vm_memory_of(const struct zl_vm_settings *settings, const struct zl_service *service)
{
  return zl_vm_shape_memory(settings, service != NULL ? service->resources.memory : 0);
}

unsigned zl_vm_cpus_of(const struct zl_vm_settings *settings, const struct zl_service *service)
{
  return zl_vm_shape_cpus(settings, service != NULL ? service->resources.cpu : 0);
}

static bool is_shared(const struct zl_storage *storage)
{
  return storage->type == ZL_STORAGE_BIND || storage->type == ZL_STORAGE_NAMED ||
         storage->type == ZL_STORAGE_ANONYMOUS;
}

size_t zl_vm_count_binds(const struct zl_service *service)
{
  size_t n = 0;

  for (size_t i = 0; i < service->n_storage; i++)
    n += is_shared(&service->storage[i]);
  return n;
}

/* ---- The plan ---- */

int zl_vm_dir(struct zl_runtime *rt, const char *name, int *ret_fd, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("vm/%s", name);
  int fd;

  if (path == NULL)
    return zl_fail_nomem(err, "directory of the machines");
  fd = zl_path_open_dir(rt->root_fd, path, 0700);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening directory '%s'", path);
  *ret_fd = fd;
  return 0;
}

char *zl_vm_template_path(struct zl_runtime *rt, const char *key)
{
  zl_autofree char *dir = zl_asprintf("%s/vm/templates/%s", rt->root, key);
  zl_autofree char *seal = zl_asprintf("%s/vm/templates/%s/template.json", rt->root, key);

  if (dir == NULL || seal == NULL || access(seal, F_OK) < 0)
    return NULL;
  return zl_steal_ptr(&dir);
}

char *zl_vm_template_best(struct zl_runtime *rt, const struct zl_vm_machine_plan *machine)
{
  char *path = machine->image_key[0] != '\0' ? zl_vm_template_path(rt, machine->image_key) : NULL;

  return path != NULL ? path : zl_vm_template_path(rt, machine->key);
}

/* A wish of whoever looks for a fault, not a setting of the node. */
static int read_wish(bool *ret_keep, struct zl_error *err)
{
  const char *given = getenv("ZLAYER_KEEP_VM_ON_FAILURE");

  if (given != NULL && *given != '\0' && strcmp(given, "0") != 0 && strcmp(given, "1") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "ZLAYER_KEEP_VM_ON_FAILURE: '%.20s' is neither 0 nor 1",
                   given);
  *ret_keep = given != NULL && strcmp(given, "1") == 0;
  return 0;
}

int zl_vm_machine_look(struct zl_runtime *rt, struct zl_vm_machine_plan *ret, struct zl_error *err)
{
  zl_automachine machine = { 0 };
  zl_autofree char *helpers = NULL, *guest_dir = NULL;
  int r = zl_vm_settings_load(rt->root_fd, &machine.settings, err);

  if (r == 0)
    r = read_wish(&machine.keep_on_failure, err);
  if (r == 0)
    r = zl_node_helper_dir(rt, &helpers, err);
  if (r == 0)
    r = zl_vm_guest_dir(helpers, &guest_dir, err);
  if (r == 0)
    r = zl_vm_qemu_find(guest_dir, ZL_VM_QEMU, &machine.qemu, err);
  if (r == 0)
    r = zl_vm_guest_find(guest_dir, machine.settings.kernel, &machine.guest, err);
  if (r < 0)
    return r;
  *ret = machine;
  machine = (struct zl_vm_machine_plan){ 0 };
  return 0;
}

static int make_scratch(struct zl_runtime *rt, struct zl_vm_machine_plan *machine,
                        struct zl_error *err)
{
  char name[ZL_VM_SCRATCH_NAME];
  zl_autofd dir = -1;
  int r = zl_vm_dir(rt, "scratch", &dir, err);

  if (r == 0)
    r = zl_vm_scratch_ensure(dir, machine->settings.scratch_bytes, name, err);
  if (r < 0)
    return r;
  machine->scratch = zl_asprintf("%s/vm/scratch/%s", rt->root, name);
  return machine->scratch != NULL ? 0 : zl_fail_nomem(err, "scratch disk");
}

int zl_vm_machine_accel(struct zl_shimclient *client, int vm_fd, struct zl_accel *ret,
                        struct zl_error *err)
{
  struct zl_vm_helper helper = { .program = client->program, .fd = -1 };
  int r = zl_shimclient_program(client, &helper.fd, err);

  return r < 0 ? r : zl_vm_accel_get(&helper, vm_fd, client->base.rt->boot_id, ret, err);
}

static int find_key(const struct zl_vm_machine_plan *machine, const char *image,
                    char key[ZL_VM_KEY_TEXT], struct zl_error *err)
{
  const struct zl_vm_shape shape = { .qemu = machine->qemu,
                                     .kernel = machine->guest.kernel,
                                     .initrd = machine->guest.initrd,
                                     .scratch = machine->scratch,
                                     .image = image,
                                     .accel = machine->accel.accel,
                                     .memory_mib = machine->memory_mib,
                                     .vcpus = machine->vcpus,
                                     .acpi = machine->guest.acpi };

  return zl_vm_shape_key(&shape, key, err);
}

int zl_vm_machine_of_image(struct zl_runtime *rt, const char *image,
                           struct zl_vm_machine_plan *machine, struct zl_error *err)
{
  int r;

  free(machine->image);
  machine->image_key[0] = '\0';
  machine->image = zl_asprintf("%s/vm/images/%s.erofs", rt->root, image);
  if (machine->image == NULL)
    return zl_fail_nomem(err, "image");
  if (!machine->settings.image_templates)
    return 0;
  r = find_key(machine, machine->image, machine->image_key, err);
  return r == -ZL_E_NOT_FOUND ? 0 : r; /* nobody has needed it as a disk yet */
}

int zl_vm_machine_plan(struct zl_shimclient *client, const struct zl_service *service,
                       struct zl_vm_machine_plan *ret, struct zl_error *err)
{
  struct zl_runtime *rt = client->base.rt;
  zl_automachine machine = { 0 };
  zl_autofd vm = -1;
  int r = zl_vm_machine_look(rt, &machine, err);

  if (r == 0)
    r = zl_vm_dir(rt, "", &vm, err);
  if (r == 0)
    r = zl_vm_machine_accel(client, vm, &machine.accel, err);
  if (r == 0)
    r = make_scratch(rt, &machine, err);
  if (r < 0)
    return r;
  machine.memory_mib = zl_vm_memory_of(&machine.settings, service);
  machine.vcpus = zl_vm_cpus_of(&machine.settings, service);
  machine.may_clone =
      machine.settings.templates && (service == NULL || zl_vm_count_binds(service) == 0);
  r = find_key(&machine, NULL, machine.key, err);
  if (r < 0)
    return r;
  *ret = machine;
  machine = (struct zl_vm_machine_plan){ 0 };
  return 0;
}

/* ---- machine.json ---- */

static json_t *binds_of(const struct zl_vm_machine_files *files)
{
  const struct zl_service *service = files->service;
  json_t *list = json_array();

  for (size_t i = 0; service != NULL && i < service->n_storage; i++) {
    const struct zl_storage *storage = &service->storage[i];

    if (is_shared(storage))
      (void)json_array_append_new(
          list, json_pack("{s:s, s:b}", "source",
                          storage->type == ZL_STORAGE_BIND ? storage->source : files->volumes[i],
                          "readonly", (int)storage->readonly));
  }
  return list;
}

int zl_vm_machine_render(const struct zl_vm_machine_plan *machine,
                         const struct zl_vm_machine_files *files, char **ret, struct zl_error *err)
{
  zl_autojson *json = json_pack(
      "{s:s, s:s, s:s, s:b, s:s, s:I, s:i, s:i, s:s*, s:s*, s:s*, s:s*, s:s, s:o, s:b}", "qemu",
      machine->qemu, "kernel", machine->guest.kernel, "initrd", machine->guest.initrd, "acpi",
      (int)machine->guest.acpi, "accel", zl_vm_accel_text(machine->accel.accel), "tscKhz",
      (json_int_t)machine->accel.tsc_khz, "memoryMiB", (int)machine->memory_mib, "vcpus",
      (int)machine->vcpus, "template", files->template, "image", files->image, "program",
      files->habit.program, "cwd", files->habit.cwd, "scratch", machine->scratch, "binds",
      binds_of(files), "keepOnFailure", (int)machine->keep_on_failure);

  return json != NULL ? zl_json_render(json, ret, err) : zl_fail_nomem(err, "machine.json");
}
