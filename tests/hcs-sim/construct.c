/* SPDX-License-Identifier: Apache-2.0
 *
 * What is checked of a Container object when its system is made, on the host or by a guest.
 */
#include "machine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bad(struct call *call, const char *path, const char *what)
{
  return sim_refuse(call, HR_CONSTRUCT, "Construct", "%s: %s", path, what);
}

static uint32_t check_processor(struct call *call, const json_t *processor)
{
  json_int_t count = json_integer_value(json_object_get(processor, "Count"));
  json_int_t maximum = json_integer_value(json_object_get(processor, "Maximum"));
  json_int_t weight = json_integer_value(json_object_get(processor, "Weight"));

  if (json_object_size(processor) > 1)
    return bad(call, "$.Container.Processor", "only one of Count, Maximum and Weight");
  if (count > sim_host_number("processors"))
    return bad(call, "$.Container.Processor.Count", "more than the host has");
  if (maximum > 10000 || weight > 10000)
    return bad(call, "$.Container.Processor", "more than 10000");
  return 0;
}

static uint32_t check_networking(struct call *call, const json_t *container)
{
  const json_t *networking = json_object_get(container, "Networking");
  const char *namespace = sim_text(networking, "Namespace");

  if (networking == NULL)
    return 0;
  if (sim_text(json_object_get(container, "GuestOs"), "HostName")[0] == '\0')
    return bad(call, "$.Container.GuestOs", "missing, and there is Networking");
  return namespace[0] == '\0' ? 0 : sim_namespace_check(call, namespace);
}

static uint32_t check_layer(struct call *call, const json_t *layer)
{
  const char *path = sim_text(layer, "Path");
  char id[SIM_GUID_TEXT];
  GUID guid;

  if (path[0] == '\0' || strchr(path, ':') == NULL)
    return bad(call, "$.Container.Storage.Layers", "a path that is not absolute");
  if (!sim_is_directory(path))
    return sim_refuse(call, HR_PATH, "Construct", "$.Container.Storage.Layers: no '%s'", path);
  sim_name_to_guid(sim_basename(path), &guid);
  sim_guid_format(&guid, id);
  if (_stricmp(id, sim_text(layer, "Id")) != 0)
    return sim_refuse(call, HR_FILE, "Construct",
                      "$.Container.Storage.Layers: '%s' is not the id of '%s'",
                      sim_text(layer, "Id"), path);
  return 0;
}

static bool same_layers(const json_t *layers, const json_t *parents)
{
  const json_t *layer;
  bool same = json_array_size(layers) == json_array_size(parents);
  size_t i;

  json_array_foreach (layers, i, layer) {
    char *key = sim_path_key(sim_text(layer, "Path"));
    char *parent = sim_path_key(same ? json_string_value(json_array_get(parents, i)) : "");

    same = same && strcmp(key, parent) == 0;
    free(key);
    free(parent);
  }
  return same;
}

/* The volume of a scratch disk that was prepared with just these layers. */
static uint32_t check_storage(struct call *call, const json_t *storage)
{
  const json_t *layers = json_object_get(storage, "Layers"), *layer;
  const char *path = sim_text(storage, "Path");
  json_t *scratch;
  size_t i;

  if (json_array_size(layers) == 0)
    return bad(call, "$.Container.Storage.Layers", "missing");
  if (isalpha((unsigned char)path[0]) && path[1] == ':')
    return sim_refuse(call, HR_NOT_REPARSE, "Construct",
                      "$.Container.Storage.Path: '%s' is a directory", path);
  scratch = sim_layer_of_volume(path);
  if (scratch == NULL)
    return bad(call, "$.Container.Storage.Path", "no volume of a scratch disk");
  if (strcmp(sim_text(scratch, "state"), "Prepared") != 0)
    return bad(call, "$.Container.Storage.Path", "the disk is not prepared");
  json_array_foreach (layers, i, layer) {
    uint32_t hr = check_layer(call, layer);

    if (hr != 0)
      return hr;
  }
  if (!same_layers(layers, json_object_get(scratch, "parents")))
    return bad(call, "$.Container.Storage.Layers",
               "others than the disk was prepared with, or in another order");
  return 0;
}

static uint32_t check_directories(struct call *call, const json_t *container)
{
  const json_t *mount;
  size_t i;

  json_array_foreach (json_object_get(container, "MappedDirectories"), i, mount) {
    if (!sim_exists(sim_text(mount, "HostPath")))
      return sim_refuse(call, HR_FILE, "Construct", "$.Container.MappedDirectories: no '%s'",
                        sim_text(mount, "HostPath"));
    if (sim_text(mount, "ContainerPath")[0] == '\0')
      return bad(call, "$.Container.MappedDirectories", "no ContainerPath");
  }
  return 0;
}

uint32_t sim_check_container(struct call *call, json_t *container, struct system *inside)
{
  uint32_t hr = check_processor(call, json_object_get(container, "Processor"));

  if (hr == 0 && inside == NULL)
    hr = check_networking(call, container);
  if (hr == 0 && json_object_get(container, "Storage") == NULL)
    hr = bad(call, "$.Container.Storage", "missing");
  if (hr == 0 && inside == NULL)
    hr = check_storage(call, json_object_get(container, "Storage"));
  if (hr == 0 && inside == NULL)
    hr = check_directories(call, container);
  return hr;
}

/* ---- What it sees ---------------------------------------------------------------------------- */

static void add_root(struct system *system, const char *layer, const char *sub)
{
  char *path = sub == NULL ? sim_copy(layer) : sim_join(layer, sub);

  (void)json_array_append_new(system->root, json_string(path));
  free(path);
}

/* A guest's path of a share is that directory of the host; NULL: there is no such share. */
char *sim_vm_outside(const struct system *vm, const char *path)
{
  static const char prefix[] = "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\";
  size_t len = sizeof(prefix) - 1;
  const char *share, *host;
  char *name;

  if (_strnicmp(path, prefix, len) != 0)
    return NULL;
  share = path + len;
  name = sim_copy(share);
  name[strcspn(name, "\\")] = '\0';
  host = sim_text(json_object_get(vm->shares, name), "Path");
  len = strlen(name);
  free(name);
  if (host[0] == '\0')
    return NULL;
  return sim_format("%s%s", host, share + len);
}

/* By the mount, or by the share of the machine that it is of. */
static bool is_read_only(const json_t *mount, const struct system *inside)
{
  const char *name = sim_basename(sim_text(mount, "HostPath"));
  const json_t *share = inside == NULL ? NULL : json_object_get(inside->shares, name);

  return json_is_true(json_object_get(mount, "ReadOnly")) ||
         json_is_true(json_object_get(json_object_get(share, "Options"), "ReadOnly"));
}

void sim_container_root(struct system *system, json_t *container, struct system *inside)
{
  const json_t *layer, *mount;
  size_t i;

  json_array_foreach (json_object_get(json_object_get(container, "Storage"), "Layers"), i, layer) {
    char *path = inside == NULL ? sim_copy(sim_text(layer, "Path"))
                                : sim_vm_outside(inside, sim_text(layer, "Path"));

    if (path != NULL)
      add_root(system, path, "Files");
    free(path);
  }
  json_array_foreach (json_object_get(container, "MappedDirectories"), i, mount) {
    char *path = inside == NULL ? sim_copy(sim_text(mount, "HostPath"))
                                : sim_vm_outside(inside, sim_text(mount, "HostPath"));

    if (path != NULL)
      (void)json_array_append_new(
          system->binds, json_pack("{s:s,s:s,s:b}", "inside", sim_text(mount, "ContainerPath"),
                                   "outside", path, "readonly", (int)is_read_only(mount, inside)));
    free(path);
  }
}
