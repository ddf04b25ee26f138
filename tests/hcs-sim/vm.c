/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines: what the service checks when one is made, started or changed.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAX_LUN = 63
};

static const char *const controllers[] = { "df6d0690-79e5-55b6-a5ec-c1e2f77f580a",
                                           "0110f83b-de10-5172-a266-78bca56bf50a",
                                           "b5d2d8d4-3a75-51bf-945b-3444dc6b8579",
                                           "305891a9-b251-5dfe-91a2-c25d9212275b" };

static uint32_t bad(struct call *call, const char *path, const char *what)
{
  return sim_refuse(call, HR_CONSTRUCT, "Construct", "%s: %s", path, what);
}

/* ---- Create ---------------------------------------------------------------------------------- */

static uint32_t check_topology(struct call *call, const json_t *topology)
{
  json_int_t mb =
      json_integer_value(json_object_get(json_object_get(topology, "Memory"), "SizeInMB"));
  json_int_t count =
      json_integer_value(json_object_get(json_object_get(topology, "Processor"), "Count"));

  if (mb <= 0 || mb % 2 != 0)
    return bad(call, "$.VirtualMachine.ComputeTopology.Memory.SizeInMB",
               "missing, or no multiple of 2");
  if (count <= 0 || count > sim_host_number("processors"))
    return bad(call, "$.VirtualMachine.ComputeTopology.Processor.Count",
               "missing, or more than the host has");
  return 0;
}

static uint32_t check_controllers(struct call *call, const json_t *scsi)
{
  const char *controller, *lun;
  const json_t *value, *attachment;

  json_object_foreach ((json_t *)(uintptr_t)scsi, controller, value) {
    bool known = false;

    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
      known = known || _stricmp(controllers[i], controller) == 0;
    if (!known)
      return bad(call, "$.VirtualMachine.Devices.Scsi", "no such controller");
    json_object_foreach (json_object_get(value, "Attachments"), lun, attachment)
      if (strspn(lun, "0123456789") != strlen(lun) || strtoul(lun, NULL, 10) > MAX_LUN)
        return bad(call, "$.VirtualMachine.Devices.Scsi", "no such LUN");
  }
  return 0;
}

uint32_t sim_vm_check(struct call *call, json_t *document)
{
  const json_t *devices = json_object_get(document, "Devices");
  const char *const boot[] = { "Chipset", "Uefi", "BootThis" };
  const json_t *entry = document;
  uint32_t hr;

  for (size_t i = 0; i < sizeof(boot) / sizeof(boot[0]); i++)
    entry = json_object_get(entry, boot[i]);
  if (sim_text(entry, "DevicePath")[0] == '\0' || sim_text(entry, "DeviceType")[0] == '\0')
    return bad(call, "$.VirtualMachine.Chipset.Uefi.BootThis", "missing");
  hr = check_topology(call, json_object_get(document, "ComputeTopology"));
  if (hr == 0)
    hr = check_controllers(call, json_object_get(devices, "Scsi"));
  return hr;
}

/* ---- Devices --------------------------------------------------------------------------------- */

static uint32_t attach(struct call *call, struct system *vm, const char *place,
                       const json_t *attachment)
{
  const char *path = sim_text(attachment, "Path");
  uint32_t hr;
  char *by;

  if (json_object_get(vm->disks, place) != NULL)
    return sim_refuse(call, HR_CONSTRUCT, "PowerOnCold", "Scsi/%s is taken", place);
  if (!sim_exists(path))
    return sim_refuse(call, HR_FILE, "PowerOnCold", "Scsi/%s: no '%s'", place, path);
  if (!sim_granted(vm->id, path))
    return sim_refuse(call, HR_ACCESS, "PowerOnCold", "Scsi/%s: '%s' is not granted to '%s'", place,
                      path, vm->id);
  by = sim_format("machine %s", vm->id);
  hr = sim_disk_hold(path, by);
  free(by);
  if (hr != 0)
    return sim_refuse(call, hr, "PowerOnCold", "Scsi/%s: '%s' is in use", place, path);
  (void)json_object_set_new(vm->disks, place, json_deep_copy(attachment));
  return 0;
}

static uint32_t detach(struct call *call, struct system *vm, const char *place)
{
  const json_t *attachment = json_object_get(vm->disks, place);
  char *by;

  if (attachment == NULL)
    return sim_refuse(call, HR_NOT_FOUND, "Modify", "Scsi/%s has no disk", place);
  by = sim_format("machine %s", vm->id);
  sim_disk_release(sim_text(attachment, "Path"), by);
  free(by);
  (void)json_object_del(vm->disks, place);
  return 0;
}

static bool is_writable(const json_t *share)
{
  return !json_is_true(json_object_get(json_object_get(share, "Options"), "ReadOnly"));
}

static uint32_t check_allowed(struct call *call, struct system *vm, const json_t *share)
{
  const json_t *file;
  size_t i;

  json_array_foreach (json_object_get(share, "AllowedFiles"), i, file) {
    const char *path = json_string_value(file);

    if (!sim_exists(path))
      return sim_refuse(call, HR_FILE, "VirtualSmb", "no '%s'", path);
    if (!sim_granted(vm->id, path))
      return sim_refuse(call, HR_ACCESS, "VirtualSmb", "'%s' is not granted to '%s'", path, vm->id);
  }
  return 0;
}

/* A directory has to be granted, unless files in it are named one by one: then these. */
static uint32_t share(struct call *call, struct system *vm, const json_t *wanted, bool boot)
{
  const char *name = sim_text(wanted, "Name"), *path = sim_text(wanted, "Path");

  if (name[0] == '\0' || json_object_get(vm->shares, name) != NULL)
    return sim_refuse(call, HR_CONSTRUCT, "VirtualSmb", "'%s': no name, or taken", name);
  if (!sim_is_directory(path))
    return sim_refuse(call, HR_PATH, "VirtualSmb", "'%s': no directory '%s'", name, path);
  if (boot && is_writable(wanted))
    return sim_refuse(call, HR_CONSTRUCT, "PowerOnCold", "'%s': a writable share", name);
  if (json_array_size(json_object_get(wanted, "AllowedFiles")) > 0) {
    uint32_t hr = check_allowed(call, vm, wanted);

    if (hr != 0)
      return hr;
  } else if (!sim_granted(vm->id, path)) {
    return sim_refuse(call, HR_ACCESS, boot ? "PowerOnCold" : "VirtualSmb",
                      "'%s': '%s' is not granted to '%s'", name, path, vm->id);
  }
  (void)json_object_set_new(vm->shares, name, json_deep_copy(wanted));
  return 0;
}

static uint32_t unshare(struct call *call, struct system *vm, const char *name)
{
  const json_t *found = json_object_get(vm->shares, name);

  if (found == NULL)
    return sim_refuse(call, HR_NOT_FOUND, "Modify", "no share '%s'", name);
  if (!json_is_true(json_object_get(json_object_get(found, "Options"), "NoDirectmap")))
    return sim_refuse(call, HR_SHARING, "Modify",
                      "share '%s' is mapped directly: the guest has it open", name);
  (void)json_object_del(vm->shares, name);
  return 0;
}

static bool all_in(const json_t *files, const json_t *more)
{
  const json_t *file, *other;
  size_t i, j;

  json_array_foreach (files, i, file) {
    bool found = false;

    json_array_foreach (more, j, other)
      found = found || json_equal(file, other);
    if (!found)
      return false;
  }
  return true;
}

static uint32_t update_share(struct call *call, struct system *vm, const json_t *wanted)
{
  json_t *found = json_object_get(vm->shares, sim_text(wanted, "Name"));
  uint32_t hr;

  if (found == NULL)
    return sim_refuse(call, HR_NOT_FOUND, "Modify", "no share '%s'", sim_text(wanted, "Name"));
  if (!json_is_true(json_object_get(json_object_get(found, "Options"), "RestrictFileAccess")) ||
      !all_in(json_object_get(found, "AllowedFiles"), json_object_get(wanted, "AllowedFiles")))
    return sim_refuse(call, HR_CONSTRUCT, "Modify",
                      "only AllowedFiles of a restricted share can grow");
  hr = check_allowed(call, vm, wanted);
  if (hr == 0)
    (void)json_object_set(found, "AllowedFiles", json_object_get(wanted, "AllowedFiles"));
  return hr;
}

static uint32_t change_nic(struct call *call, struct system *vm, const char *id, const json_t *nic,
                           bool add)
{
  char *key = sim_copy(sim_text(nic, "EndpointId"));
  uint32_t hr = 0;

  (void)_strlwr(key);
  if (!add && json_object_get(vm->nics, id) == NULL)
    hr = sim_refuse(call, HR_NOT_FOUND, "Modify", "no adapter %s", id);
  else if (!add)
    (void)json_object_del(vm->nics, id);
  else if (json_object_get(vm->nics, id) != NULL)
    hr = sim_refuse(call, HR_CONSTRUCT, "Modify", "adapter %s is there", id);
  else if (json_object_get(machine.endpoints, key) == NULL)
    hr = sim_refuse(call, HR_NOT_FOUND, "Modify", "no endpoint %s", key);
  else
    (void)json_object_set_new(vm->nics, id, json_deep_copy(nic));
  free(key);
  return hr;
}

/* ---- Change ---------------------------------------------------------------------------------- */

static uint32_t check_request(struct call *call, const json_t *request)
{
  const char *path = sim_text(request, "ResourcePath");
  const char *type = sim_strict_of_path(path);
  const json_t *settings = json_object_get(request, "Settings");
  char why[512];

  if (type == NULL || strncmp(path, "VirtualMachine/", 15) != 0)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.ResourcePath: no '%s'", path);
  if (type[0] == '\0' && !json_is_integer(settings))
    return sim_refuse(call, HCS_JSON, "Modify", "$.Settings: no number");
  if (type[0] != '\0' && settings != NULL && !sim_strict(settings, type, why, sizeof(why)))
    return sim_refuse(call, HCS_JSON, "Modify", "$.Settings of %s: %s", path, why);
  return 0;
}

static uint32_t change_disk(struct call *call, struct system *vm, const json_t *request)
{
  const char *path = sim_text(request, "ResourcePath") + strlen("VirtualMachine/Devices/Scsi/");
  const char *kind = sim_text(request, "RequestType");
  char place[128], controller[SIM_GUID_TEXT];
  json_t *scsi = json_object_get(
      json_object_get(json_object_get(vm->document, "VirtualMachine"), "Devices"), "Scsi");

  (void)snprintf(controller, sizeof(controller), "%s", path);
  (void)snprintf(place, sizeof(place), "%s/%s", controller, strrchr(path, '/') + 1);
  if (json_object_get(scsi, controller) == NULL ||
      strtoul(strrchr(path, '/') + 1, NULL, 10) > MAX_LUN)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.ResourcePath: no such controller or LUN");
  if (strcmp(kind, "Remove") == 0)
    return detach(call, vm, place);
  if (strcmp(kind, "Add") != 0)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.RequestType: neither Add nor Remove");
  return attach(call, vm, place, json_object_get(request, "Settings"));
}

static uint32_t change_share(struct call *call, struct system *vm, const json_t *request)
{
  const char *kind = sim_text(request, "RequestType");
  const json_t *settings = json_object_get(request, "Settings");

  if (settings == NULL)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.Settings: missing");
  if (strcmp(kind, "Remove") == 0)
    return unshare(call, vm, sim_text(settings, "Name"));
  if (strcmp(kind, "Update") == 0)
    return update_share(call, vm, settings);
  return strcmp(kind, "Add") == 0
             ? share(call, vm, settings, false)
             : sim_refuse(call, HR_CONSTRUCT, "Modify", "$.RequestType: missing");
}

static uint32_t change_memory(struct call *call, struct system *vm, const json_t *request)
{
  json_t *topology =
      json_object_get(json_object_get(vm->document, "VirtualMachine"), "ComputeTopology");
  json_t *size = json_object_get(request, "Settings");

  if (json_integer_value(size) <= 0 || json_integer_value(size) % 2 != 0)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.Settings: no multiple of 2");
  (void)json_object_set(json_object_get(topology, "Memory"), "SizeInMB", size);
  return 0;
}

static uint32_t change_processor(struct system *vm, const json_t *request)
{
  json_t *topology =
      json_object_get(json_object_get(vm->document, "VirtualMachine"), "ComputeTopology");

  (void)json_object_update(json_object_get(topology, "Processor"),
                           json_object_get(request, "Settings"));
  return 0;
}

uint32_t sim_vm_modify(struct call *call, struct system *vm, const json_t *request)
{
  const char *path = sim_text(request, "ResourcePath");
  uint32_t hr = check_request(call, request);

  if (hr != 0)
    return hr;
  if (strstr(path, "/Scsi/") != NULL)
    return change_disk(call, vm, request);
  if (strstr(path, "/VirtualSmb/") != NULL)
    return change_share(call, vm, request);
  if (strstr(path, "/NetworkAdapters/") != NULL)
    return change_nic(call, vm, strrchr(path, '/') + 1, json_object_get(request, "Settings"),
                      strcmp(sim_text(request, "RequestType"), "Add") == 0);
  if (strstr(path, "/Memory/") != NULL)
    return change_memory(call, vm, request);
  if (strstr(path, "/Processor/Limits") != NULL)
    return change_processor(vm, request);
  return 0; /* pipes, socket services, CPU groups: nothing of them shows here */
}

/* ---- Start and end --------------------------------------------------------------------------- */

static uint32_t power_on_disks(struct call *call, struct system *vm, const json_t *scsi)
{
  const char *controller, *lun;
  const json_t *value, *attachment;
  char place[128];
  uint32_t hr;

  json_object_foreach ((json_t *)(uintptr_t)scsi, controller, value)
    json_object_foreach (json_object_get(value, "Attachments"), lun, attachment) {
      (void)snprintf(place, sizeof(place), "%s/%s", controller, lun);
      hr = attach(call, vm, place, attachment);
      if (hr != 0)
        return hr;
    }
  return 0;
}

uint32_t sim_vm_start(struct call *call, struct system *vm)
{
  const json_t *devices =
      json_object_get(json_object_get(vm->document, "VirtualMachine"), "Devices");
  const json_t *wanted;
  uint32_t hr = power_on_disks(call, vm, json_object_get(devices, "Scsi"));
  size_t i;

  json_array_foreach (json_object_get(json_object_get(devices, "VirtualSmb"), "Shares"), i,
                      wanted) {
    if (hr == 0)
      hr = share(call, vm, wanted, true);
  }
  return hr;
}

void sim_vm_end(struct system *vm)
{
  char *by = sim_format("machine %s", vm->id);

  sim_guest_end(vm);
  for (struct system *s = machine.systems; s != NULL; s = s->next)
    if (s->host == vm)
      sim_system_end(s, "ForcedExit", 0);
  sim_disk_release(NULL, by);
  (void)json_object_clear(vm->disks);
  (void)json_object_clear(vm->shares);
  (void)json_object_clear(vm->nics);
  free(by);
}
