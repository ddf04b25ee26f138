/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers: directories, and scratch disks with the states Created, Activated and Prepared.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIGABYTE (INT64_C(1) << 30)

enum {
  DEFAULT_GB = 20,
  PREPARE_MS = 5 /* so that two at once meet */
};

/* ---- Finding --------------------------------------------------------------------------------- */

static json_t *find_layer(const char *path)
{
  char *key = sim_path_key(path);
  json_t *layer = json_object_get(machine.layers, key);

  free(key);
  return layer;
}

json_t *sim_layer_of_volume(const char *volume)
{
  const char *key;
  json_t *layer;

  json_object_foreach (machine.layers, key, layer)
    if (sim_text(layer, "volume")[0] != '\0' && strcmp(sim_text(layer, "volume"), volume) == 0)
      return layer;
  return NULL;
}

static bool is_in(const json_t *layer, const char *state)
{
  return strcmp(sim_text(layer, "state"), state) == 0;
}

static void set_state(json_t *layer, const char *state)
{
  (void)json_object_set_new(layer, "state", json_string(state));
}

static char *disk_of(const json_t *layer)
{
  return sim_join(sim_text(layer, "path"), "sandbox.vhdx");
}

void sim_layer_detached(const char *disk)
{
  const char *key;
  json_t *layer;

  json_object_foreach (machine.layers, key, layer) {
    char *own = disk_of(layer), *a = sim_path_key(own), *b = sim_path_key(disk);

    if (strcmp(a, b) == 0) {
      set_state(layer, "Created");
      (void)json_object_del(layer, "volume");
    }
    free(own);
    free(a);
    free(b);
  }
}

static bool needs_privileges(struct call *call)
{
  return !json_is_true(json_object_get(call->args, "privileged"));
}

static uint32_t unprivileged(struct call *call)
{
  return sim_refuse(call, HR_PRIVILEGE, "Layer",
                    "SeBackupPrivilege and SeRestorePrivilege are not enabled");
}

/* ---- Chains ---------------------------------------------------------------------------------- */

static bool has_blank(const char *layer)
{
  char *blank = sim_join(layer, "blank.vhdx");
  bool found = sim_exists(blank);

  free(blank);
  return found;
}

static uint32_t check_parent(struct call *call, const json_t *parent, bool last)
{
  const char *path = sim_text(parent, "path");
  char id[SIM_GUID_TEXT];
  GUID guid;

  if (json_integer_value(json_object_get(parent, "flags")) != 0)
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "flags of '%s' are not 0", path);
  if (!sim_is_directory(path))
    return sim_refuse(call, HR_PATH, "Layer", "no layer '%s'", path);
  sim_name_to_guid(sim_basename(path), &guid);
  sim_guid_format(&guid, id);
  if (strcmp(id, sim_text(parent, "id")) != 0)
    return sim_refuse(call, HR_FILE, "Layer", "'%s' is not the id of '%s'", sim_text(parent, "id"),
                      path);
  if (last && !has_blank(path))
    return sim_refuse(call, HR_FILE, "Layer", "'%s' is no base layer: it has no blank.vhdx", path);
  if (!last && has_blank(path))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "'%s' is a base layer, and not the last", path);
  return 0;
}

static uint32_t check_chain(struct call *call, json_t **ret)
{
  const json_t *parents = json_object_get(call->args, "parents"), *parent;
  size_t count = json_array_size(parents), i;

  if (count == 0)
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "no parents");
  json_array_foreach (parents, i, parent) {
    uint32_t hr = check_parent(call, parent, i + 1 == count);

    if (hr != 0)
      return hr;
  }
  *ret = json_array();
  json_array_foreach (parents, i, parent)
    (void)json_array_append(*ret, json_object_get(parent, "path"));
  return 0;
}

/* ---- Scratch --------------------------------------------------------------------------------- */

static void make_directory(const char *path)
{
  wchar_t *wide = sim_wide(path);

  (void)CreateDirectoryW(wide, NULL);
  free(wide);
}

static void remember(const char *path, json_t *parents, int64_t size)
{
  char *key = sim_path_key(path);

  (void)json_object_set_new(machine.layers, key,
                            json_pack("{s:s,s:s,s:o,s:I}", "path", path, "state", "Created",
                                      "parents", parents, "size", (json_int_t)size));
  free(key);
}

static uint32_t create_scratch(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  char *disk = sim_join(path, "sandbox.vhdx");
  json_t *parents = NULL, *content;
  uint32_t hr = needs_privileges(call) ? unprivileged(call) : check_chain(call, &parents);

  if (hr == 0 && sim_exists(disk))
    hr = sim_refuse(call, HR_EXISTS, "Layer", "'%s' exists", disk);
  if (hr == 0) {
    make_directory(path);
    content = json_pack("{s:I,s:b}", "size", (json_int_t)(DEFAULT_GB * GIGABYTE), "formatted", 1);
    if (sim_disk_write(disk, content))
      remember(path, json_incref(parents), DEFAULT_GB * GIGABYTE);
    else
      hr = sim_refuse(call, HR_PATH, "Layer", "cannot write '%s'", disk);
    json_decref(content);
  }
  json_decref(parents);
  free(disk);
  return hr;
}

/* A disk that was copied there is a scratch as well. */
static json_t *scratch_at(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  json_t *layer = find_layer(path), *content;
  char *disk;

  if (layer != NULL)
    return layer;
  disk = sim_join(path, "sandbox.vhdx");
  content = sim_disk_read(disk);
  if (content != NULL)
    remember(path, json_array(), json_integer_value(json_object_get(content, "size")));
  json_decref(content);
  free(disk);
  return find_layer(path);
}

static uint32_t no_scratch(struct call *call)
{
  return sim_refuse(call, HR_FILE, "Layer", "no scratch disk in '%s'",
                    sim_text(call->args, "layer"));
}

static uint32_t expand(struct call *call)
{
  json_int_t size = json_integer_value(json_object_get(call->args, "size"));
  json_t *layer = scratch_at(call), *content;
  char *disk;

  if (layer == NULL)
    return no_scratch(call);
  if (size < json_integer_value(json_object_get(layer, "size")))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "smaller than the disk is");
  disk = disk_of(layer);
  content = sim_disk_read(disk);
  if (!is_in(layer, "Created") || sim_disk_holder(disk) != NULL || content == NULL) {
    json_decref(content);
    free(disk);
    return sim_refuse(call, HR_SHARING, "Layer", "the disk is in use");
  }
  (void)json_object_set_new(content, "size", json_integer(size));
  (void)sim_disk_write(disk, content);
  (void)json_object_set_new(layer, "size", json_integer(size));
  json_decref(content);
  free(disk);
  return 0;
}

static void give_volume(json_t *layer)
{
  char volume[64], text[SIM_GUID_TEXT];
  GUID guid;

  sim_guid_random(&guid);
  sim_guid_format(&guid, text);
  (void)snprintf(volume, sizeof(volume), "\\\\?\\Volume{%s}\\", text);
  (void)json_object_set_new(layer, "volume", json_string(volume));
}

static uint32_t activate(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  json_t *layer = scratch_at(call);
  uint32_t hr;
  char *disk;

  if (layer == NULL) /* a layer that is only read is its directory */
    return sim_is_directory(path) ? 0 : sim_refuse(call, HR_PATH, "Layer", "no layer '%s'", path);
  if (!is_in(layer, "Created"))
    return sim_refuse(call, HR_SHARING, "Layer", "'%s' is activated", path);
  disk = disk_of(layer);
  hr = sim_disk_hold(disk, "host");
  free(disk);
  if (hr != 0)
    return sim_refuse(call, hr, "Layer", "the disk of '%s' is in use", path);
  set_state(layer, "Activated");
  give_volume(layer);
  return 0;
}

static uint32_t deactivate(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  json_t *layer = scratch_at(call);
  char *disk;

  if (layer == NULL)
    return sim_is_directory(path) ? 0 : sim_refuse(call, HR_PATH, "Layer", "no layer '%s'", path);
  if (is_in(layer, "Prepared"))
    return sim_refuse(call, HR_SHARING, "Layer", "'%s' is prepared", path);
  if (is_in(layer, "Created"))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "'%s' is not activated", path);
  if (sim_host_number("flush") == 0) {
    disk = disk_of(layer);
    sim_disk_release(disk, "host");
    free(disk);
  }
  set_state(layer, "Created");
  (void)json_object_del(layer, "volume");
  return 0;
}

/* Two at once, of one process, run into a fault of Windows. */
static uint32_t serialised(struct call *call)
{
  static DWORD preparing;
  DWORD pid = call->session == NULL ? 0 : call->session->pid;

  if (preparing != 0 && preparing == pid) {
    sim_misuse("PrepareLayer twice at once in process %lu", pid);
    return HR_TIMEOUT;
  }
  preparing = pid;
  sim_unlock();
  Sleep(PREPARE_MS);
  sim_lock();
  preparing = 0;
  return 0;
}

static uint32_t prepare(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  uint32_t hr = serialised(call);
  json_t *layer = scratch_at(call), *parents = NULL;

  if (hr != 0)
    return hr;
  if (layer == NULL)
    return no_scratch(call);
  if (is_in(layer, "Created"))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "'%s' is not activated", path);
  if (is_in(layer, "Prepared"))
    return sim_refuse(call, HR_EXISTS, "Layer", "'%s' is prepared", path);
  hr = check_chain(call, &parents);
  if (hr != 0)
    return hr;
  (void)json_object_set_new(layer, "parents", parents);
  set_state(layer, "Prepared");
  return 0;
}

/* By a container that has not ended. */
static bool is_used(const char *volume)
{
  for (const struct system *s = machine.systems; s != NULL; s = s->next) {
    const json_t *container = json_object_get(s->document, "Container");

    if (s->state != STOPPED && s->host == NULL && container != NULL &&
        strcmp(sim_text(json_object_get(container, "Storage"), "Path"), volume) == 0)
      return true;
  }
  return false;
}

static uint32_t unprepare(struct call *call)
{
  json_t *layer = scratch_at(call);

  if (layer == NULL)
    return no_scratch(call);
  if (!is_in(layer, "Prepared"))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "'%s' is not prepared",
                      sim_text(call->args, "layer"));
  if (is_used(sim_text(layer, "volume")))
    return sim_refuse(call, HR_SHARING, "Layer", "a container uses '%s'",
                      sim_text(call->args, "layer"));
  set_state(layer, "Activated");
  return 0;
}

static uint32_t mount_path(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  json_t *layer = scratch_at(call);

  if (layer == NULL && !sim_is_directory(path))
    return sim_refuse(call, HR_PATH, "Layer", "no layer '%s'", path);
  (void)json_object_set_new(call->reply, "result",
                            json_string(layer == NULL ? path : sim_text(layer, "volume")));
  return 0;
}

static uint32_t exists(struct call *call)
{
  (void)json_object_set_new(call->reply, "exists",
                            json_boolean(sim_is_directory(sim_text(call->args, "layer"))));
  return 0;
}

/* ---- Destroy --------------------------------------------------------------------------------- */

static uint32_t remove_tree(const wchar_t *path)
{
  size_t size = wcslen(path) + MAX_PATH + 8;
  wchar_t *place = sim_alloc(size * sizeof(*place));
  WIN32_FIND_DATAW found;
  HANDLE search;
  uint32_t code = 0;

  (void)_snwprintf(place, size, L"%ls\\*", path);
  search = FindFirstFileW(place, &found);
  while (search != INVALID_HANDLE_VALUE && code == 0) {
    (void)_snwprintf(place, size, L"%ls\\%ls", path, found.cFileName);
    if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
      code = 0;
    else if ((found.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) ==
             FILE_ATTRIBUTE_DIRECTORY)
      code = remove_tree(place);
    else {
      (void)SetFileAttributesW(place, FILE_ATTRIBUTE_NORMAL);
      code = DeleteFileW(place) || RemoveDirectoryW(place) ? 0 : GetLastError();
    }
    if (!FindNextFileW(search, &found))
      break;
  }
  if (search != INVALID_HANDLE_VALUE)
    (void)FindClose(search);
  free(place);
  if (code == 0 && !RemoveDirectoryW(path))
    code = GetLastError();
  return code;
}

static bool is_parent(const char *path)
{
  char *key = sim_path_key(path);
  const char *other;
  const json_t *layer, *parent;
  bool found = false;
  size_t i;

  json_object_foreach (machine.layers, other, layer)
    json_array_foreach (json_object_get(layer, "parents"), i, parent) {
      char *own = sim_path_key(json_string_value(parent));

      found = found || (!is_in(layer, "Created") && strcmp(own, key) == 0);
      free(own);
    }
  free(key);
  return found;
}

static bool is_shared(const char *path)
{
  char *key = sim_path_key(path);
  const char *name;
  const json_t *share;
  bool found = false;

  for (const struct system *s = machine.systems; s != NULL; s = s->next) {
    if (s->state == STOPPED)
      continue;
    json_object_foreach (s->shares, name, share) {
      char *own = sim_path_key(sim_text(share, "Path"));

      found = found || sim_path_under(own, key);
      free(own);
    }
  }
  free(key);
  return found;
}

static uint32_t destroy(struct call *call)
{
  const char *path = sim_text(call->args, "layer");
  json_t *layer = find_layer(path);
  char *disk = sim_join(path, "sandbox.vhdx"), *key = sim_path_key(path);
  wchar_t *wide = sim_wide(path);
  uint32_t hr = 0, code;

  if (!sim_is_directory(path))
    hr = sim_refuse(call, HR_PATH, "Layer", "no layer '%s'", path);
  else if ((layer != NULL && !is_in(layer, "Created")) || sim_disk_holder(disk) != NULL)
    hr = sim_refuse(call, HR_SHARING, "Layer", "the disk of '%s' is in use", path);
  else if (is_parent(path) || is_shared(path))
    hr = sim_refuse(call, HR_SHARING, "Layer", "'%s' is part of a system", path);
  else if ((code = remove_tree(wide)) != 0)
    hr = sim_refuse(call, UINT32_C(0x80070000) | code, "Layer", "removing '%s'", path);
  else
    (void)json_object_del(machine.layers, key);
  free(wide);
  free(disk);
  free(key);
  return hr;
}

/* ---- Other ----------------------------------------------------------------------------------- */

static uint32_t not_supported(struct call *call)
{
  return sim_refuse(call, HR_NOT_SUPPORTED, "Layer", "the double does not have it");
}

static uint32_t create_layer(struct call *call)
{
  const char *path = sim_text(call->args, "layer");

  if (sim_exists(path))
    return HR_EXISTS;
  make_directory(path);
  return 0;
}

static uint32_t base_images(struct call *call)
{
  (void)json_object_set_new(call->reply, "result", json_string("[]"));
  return 0;
}

static bool layer_data(struct call *call, char *why, size_t size)
{
  json_t *data = sim_parse(call->args, "data");
  bool good = sim_strict(data, "LayerData", why, size);

  json_decref(data);
  return good;
}

static uint32_t initialise(struct call *call)
{
  char why[512];

  if (!layer_data(call, why, sizeof(why)))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "%s", why);
  return sim_is_directory(sim_text(call->args, "layer")) ? 0 : HR_PATH;
}

/* The filter over a volume that is attached, in place of Prepare. */
static uint32_t attach_filter(struct call *call)
{
  json_t *layer = sim_layer_of_volume(sim_text(call->args, "layer"));
  char why[512];

  if (!layer_data(call, why, sizeof(why)))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "%s", why);
  if (layer == NULL)
    layer = scratch_at(call);
  if (layer == NULL)
    return no_scratch(call);
  if (!is_in(layer, "Activated"))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "the volume is not there, or has the filter");
  set_state(layer, "Prepared");
  return 0;
}

static uint32_t detach_filter(struct call *call)
{
  json_t *layer = sim_layer_of_volume(sim_text(call->args, "layer"));

  if (layer == NULL)
    layer = scratch_at(call);
  if (layer == NULL || !is_in(layer, "Prepared"))
    return sim_refuse(call, HR_CONSTRUCT, "Layer", "there is no filter");
  set_state(layer, "Activated");
  return 0;
}

const struct handler sim_layer_handlers[] = {
  { "CreateLayer", create_layer, false, NULL, SYSTEM },
  { "CreateSandboxLayer", create_scratch, false, NULL, SYSTEM },
  { "ExpandSandboxSize", expand, false, NULL, SYSTEM },
  { "ActivateLayer", activate, false, NULL, SYSTEM },
  { "DeactivateLayer", deactivate, false, NULL, SYSTEM },
  { "PrepareLayer", prepare, false, NULL, SYSTEM },
  { "UnprepareLayer", unprepare, false, NULL, SYSTEM },
  { "GetLayerMountPath", mount_path, false, NULL, SYSTEM },
  { "ExportLayer", not_supported, false, NULL, SYSTEM },
  { "CopyLayer", not_supported, false, NULL, SYSTEM },
  { "DestroyLayer", destroy, false, NULL, SYSTEM },
  { "LayerExists", exists, false, NULL, SYSTEM },
  { "GetBaseImages", base_images, false, NULL, SYSTEM },
  { "HcsExportLayer", not_supported, false, NULL, SYSTEM },
  { "HcsExportLegacyWritableLayer", not_supported, false, NULL, SYSTEM },
  { "HcsDestroyLayer", destroy, false, NULL, SYSTEM },
  { "HcsInitializeWritableLayer", initialise, false, NULL, SYSTEM },
  { "HcsInitializeLegacyWritableLayer", initialise, false, NULL, SYSTEM },
  { "HcsAttachLayerStorageFilter", attach_filter, false, NULL, SYSTEM },
  { "HcsDetachLayerStorageFilter", detach_filter, false, NULL, SYSTEM },
  { .name = NULL },
};
