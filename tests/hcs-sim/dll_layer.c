/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of vmcompute.dll and computestorage.dll.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dll_disk.h"

struct driver {
  int32_t flavour;
  const wchar_t *home;
};

struct descriptor {
  GUID id;
  ULONG flags;
  const wchar_t *path;
};

enum {
  FILTER_DRIVER = 1
};

/* NULL: the call is one that the real library does not survive, or refuses. */
static json_t *arguments(const char *name, const struct driver *driver, const wchar_t *id)
{
  char *home, *layer, *path;
  json_t *args;

  if (driver == NULL || driver->home == NULL || id == NULL) {
    client_misuse("%s without a home directory or an id: vmcompute.dll crashes", name);
    return NULL;
  }
  if (driver->flavour != FILTER_DRIVER)
    return NULL;
  home = sim_narrow(driver->home);
  layer = sim_narrow(id);
  path = home[0] == '\0' ? sim_copy(layer) : sim_join(home, layer);
  args = json_pack("{s:s,s:b}", "layer", path, "privileged", client_is_privileged());
  free(path);
  free(layer);
  free(home);
  return args;
}

static void add_parents(json_t *args, const struct descriptor *parents, ULONG count)
{
  json_t *list = json_array();

  for (ULONG i = 0; parents != NULL && i < count; i++)
    (void)json_array_append_new(
        list, json_pack("{s:o,s:I,s:o}", "id", client_json_guid(&parents[i].id), "flags",
                        (json_int_t)parents[i].flags, "path", client_json_text(parents[i].path)));
  (void)json_object_set_new(args, "parents", list);
}

static hr_t on_layer(const char *name, const struct driver *driver, const wchar_t *id)
{
  json_t *args = arguments(name, driver, id);

  return args == NULL ? HR_INVALID : client_simple(name, args);
}

static hr_t with_parents(const char *name, const struct driver *driver, const wchar_t *id,
                         const wchar_t *other, const struct descriptor *parents, ULONG count)
{
  json_t *args = arguments(name, driver, id);

  if (args == NULL)
    return HR_INVALID;
  if (other != NULL)
    (void)json_object_set_new(args, "other", client_json_text(other));
  add_parents(args, parents, count);
  return client_simple(name, args);
}

#define ON_LAYER(name)                                             \
  hr_t WINAPI name(const struct driver *driver, const wchar_t *id) \
  {                                                                \
    return on_layer(#name, driver, id);                            \
  }

ON_LAYER(ActivateLayer)
ON_LAYER(DeactivateLayer)
ON_LAYER(UnprepareLayer)
ON_LAYER(DestroyLayer)

hr_t WINAPI CreateLayer(const struct driver *driver, const wchar_t *id, const wchar_t *parent)
{
  (void)parent;
  return on_layer("CreateLayer", driver, id);
}

hr_t WINAPI CreateSandboxLayer(const struct driver *driver, const wchar_t *id,
                               const wchar_t *parent, const struct descriptor *parents, ULONG count)
{
  (void)parent;
  return with_parents("CreateSandboxLayer", driver, id, NULL, parents, count);
}

hr_t WINAPI PrepareLayer(const struct driver *driver, const wchar_t *id,
                         const struct descriptor *parents, ULONG count)
{
  return with_parents("PrepareLayer", driver, id, NULL, parents, count);
}

#define MOVE(name)                                                                              \
  hr_t WINAPI name(const struct driver *driver, const wchar_t *id, const wchar_t *other,        \
                   const struct descriptor *parents, ULONG count)                               \
  {                                                                                             \
    return other == NULL ? HR_INVALID : with_parents(#name, driver, id, other, parents, count); \
  }

MOVE(ImportLayer)
MOVE(ExportLayer)
MOVE(CopyLayer)

hr_t WINAPI ExpandSandboxSize(const struct driver *driver, const wchar_t *id, uint64_t bytes)
{
  json_t *args = arguments("ExpandSandboxSize", driver, id);

  if (args == NULL)
    return HR_INVALID;
  (void)json_object_set_new(args, "size", json_integer((json_int_t)bytes));
  return client_simple("ExpandSandboxSize", args);
}

/* Called twice: without a buffer for the length. */
hr_t WINAPI GetLayerMountPath(const struct driver *driver, const wchar_t *id, size_t *len,
                              wchar_t *buffer)
{
  json_t *args = arguments("GetLayerMountPath", driver, id), *reply;
  wchar_t *path;
  size_t need;
  hr_t hr;

  if (args == NULL || len == NULL) {
    json_decref(args);
    return HR_INVALID;
  }
  reply = client_call("GetLayerMountPath", args);
  hr = client_hr(reply);
  path = sim_wide(json_string_value(json_object_get(reply, "result")));
  need = path == NULL || path[0] == L'\0' ? 0 : wcslen(path) + 1;
  if (hr == 0 && buffer != NULL && need > 0) {
    if (*len < need)
      hr = UINT32_C(0x8007007a);
    else
      memcpy(buffer, path, need * sizeof(*path));
  }
  if (hr == 0)
    *len = need;
  free(path);
  json_decref(reply);
  return hr;
}

hr_t WINAPI LayerExists(const struct driver *driver, const wchar_t *id, uint32_t *exists)
{
  json_t *args = arguments("LayerExists", driver, id), *reply;
  hr_t hr;

  if (args == NULL || exists == NULL) {
    json_decref(args);
    return HR_INVALID;
  }
  reply = client_call("LayerExists", args);
  hr = client_hr(reply);
  *exists = json_is_true(json_object_get(reply, "exists"));
  json_decref(reply);
  return hr;
}

static hr_t text_answer(const char *name, json_t *args, wchar_t **ret)
{
  json_t *reply = client_call(name, args);
  hr_t hr = client_hr(reply);

  if (ret != NULL)
    *ret = hr == 0 ? client_cotask_text(json_string_value(json_object_get(reply, "result"))) : NULL;
  json_decref(reply);
  return hr;
}

hr_t WINAPI GetBaseImages(wchar_t **ret)
{
  return text_answer("GetBaseImages", json_object(), ret);
}

hr_t WINAPI HNSCall(const wchar_t *method, const wchar_t *path, const wchar_t *body, wchar_t **ret)
{
  return text_answer("HNSCall",
                     json_pack("{s:o,s:o,s:o}", "method", client_json_text(method), "path",
                               client_json_text(path), "body", client_json_text(body)),
                     ret);
}

hr_t WINAPI NameToGuid(const wchar_t *name, GUID *ret)
{
  json_t *reply = client_call("NameToGuid", json_pack("{s:o}", "name", client_json_text(name)));
  const char *text = json_string_value(json_object_get(reply, "result"));
  hr_t hr = client_hr(reply);

  if (hr == 0 && text != NULL)
    (void)sim_guid_parse(text, ret);
  json_decref(reply);
  return hr;
}

static json_t *path_arguments(const wchar_t *path)
{
  return json_pack("{s:o,s:b}", "layer", client_json_text(path), "privileged",
                   client_is_privileged());
}

hr_t WINAPI ProcessBaseImage(const wchar_t *path)
{
  return client_simple("ProcessBaseImage", path_arguments(path));
}

hr_t WINAPI ProcessUtilityImage(const wchar_t *path)
{
  return client_simple("ProcessUtilityImage", path_arguments(path));
}

/* ---- computestorage -------------------------------------------------------------------------- */

static hr_t storage(const char *name, const wchar_t *layer, const char *key, const wchar_t *second,
                    const wchar_t *data, const wchar_t *options)
{
  json_t *args = path_arguments(layer);

  if (second != NULL)
    (void)json_object_set_new(args, key, client_json_text(second));
  (void)json_object_set_new(args, "data", client_json_text(data));
  (void)json_object_set_new(args, "options", client_json_text(options));
  return client_simple(name, args);
}

hr_t WINAPI HcsImportLayer(const wchar_t *layer, const wchar_t *source, const wchar_t *data)
{
  return storage("HcsImportLayer", layer, "other", source, data, NULL);
}

hr_t WINAPI HcsExportLayer(const wchar_t *layer, const wchar_t *folder, const wchar_t *data,
                           const wchar_t *options)
{
  return storage("HcsExportLayer", layer, "other", folder, data, options);
}

hr_t WINAPI HcsExportLegacyWritableLayer(const wchar_t *mount, const wchar_t *layer,
                                         const wchar_t *folder, const wchar_t *data)
{
  (void)mount;
  return storage("HcsExportLegacyWritableLayer", layer, "other", folder, data, NULL);
}

hr_t WINAPI HcsDestroyLayer(const wchar_t *layer)
{
  return storage("HcsDestroyLayer", layer, NULL, NULL, NULL, NULL);
}

hr_t WINAPI HcsSetupBaseOSLayer(const wchar_t *layer, HANDLE disk, const wchar_t *options)
{
  json_t *args = path_arguments(layer);
  uint64_t id = disk == NULL ? 0 : disk_id(disk, "HcsSetupBaseOSLayer");

  if (id != 0)
    (void)json_object_set_new(args, "handle", json_integer((json_int_t)id));
  (void)json_object_set_new(args, "options", client_json_text(options));
  return client_simple("HcsSetupBaseOSLayer", args);
}

hr_t WINAPI HcsSetupBaseOSVolume(const wchar_t *layer, const wchar_t *volume,
                                 const wchar_t *options)
{
  return storage("HcsSetupBaseOSVolume", layer, "volume", volume, NULL, options);
}

hr_t WINAPI HcsInitializeWritableLayer(const wchar_t *layer, const wchar_t *data,
                                       const wchar_t *options)
{
  return storage("HcsInitializeWritableLayer", layer, NULL, NULL, data, options);
}

hr_t WINAPI HcsInitializeLegacyWritableLayer(const wchar_t *mount, const wchar_t *layer,
                                             const wchar_t *data, const wchar_t *options)
{
  (void)mount;
  return storage("HcsInitializeLegacyWritableLayer", layer, NULL, NULL, data, options);
}

hr_t WINAPI HcsAttachLayerStorageFilter(const wchar_t *layer, const wchar_t *data)
{
  return storage("HcsAttachLayerStorageFilter", layer, NULL, NULL, data, NULL);
}

hr_t WINAPI HcsDetachLayerStorageFilter(const wchar_t *layer)
{
  return storage("HcsDetachLayerStorageFilter", layer, NULL, NULL, NULL, NULL);
}

hr_t WINAPI HcsFormatWritableLayerVhd(HANDLE disk)
{
  uint64_t id = disk_id(disk, "HcsFormatWritableLayerVhd");

  return id == 0 ? HR_HANDLE
                 : client_simple("HcsFormatWritableLayerVhd",
                                 json_pack("{s:I}", "handle", (json_int_t)id));
}

hr_t WINAPI HcsGetLayerVhdMountPath(HANDLE disk, wchar_t **path)
{
  uint64_t id = disk_id(disk, "HcsGetLayerVhdMountPath");
  json_t *reply;
  hr_t hr;

  if (id == 0 || path == NULL)
    return HR_HANDLE;
  reply = client_call("HcsGetLayerVhdMountPath", json_pack("{s:I}", "handle", (json_int_t)id));
  hr = client_hr(reply);
  *path = hr == 0 ? client_local_text(json_string_value(json_object_get(reply, "result"))) : NULL;
  json_decref(reply);
  return hr;
}
