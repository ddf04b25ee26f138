/* SPDX-License-Identifier: Apache-2.0
 *
 * Import of layers, what becomes of a base layer and of its utility VM, and small things of the
 * host.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streams.h"

#define GIGABYTE (INT64_C(1) << 30)

enum {
  TEMPLATE_GB = 10,
  BLANK_GB = 20,
  ATTRIBUTES = 4,
  CHUNK = 1 << 16
};

static const char marker[] = ".$wcidirs$";

/* ---- Import ---------------------------------------------------------------------------------- */

static HANDLE open_path(const char *path, DWORD access, DWORD how)
{
  wchar_t *wide = sim_wide(path);
  HANDLE file =
      CreateFileW(wide, access, FILE_SHARE_READ, NULL, how, FILE_FLAG_BACKUP_SEMANTICS, NULL);

  free(wide);
  return file;
}

static bool make_directory(const char *path)
{
  wchar_t *wide = sim_wide(path);
  bool good = CreateDirectoryW(wide, NULL) || GetLastError() == ERROR_ALREADY_EXISTS;

  free(wide);
  return good;
}

/* A staged file: its attributes, then streams. */
static bool unpack_to(HANDLE from, HANDLE to)
{
  struct stream_writer writer;
  uint8_t chunk[CHUNK];
  uint32_t attributes;
  DWORD got = 0;
  bool good = ReadFile(from, &attributes, ATTRIBUTES, &got, NULL) && got == ATTRIBUTES;

  if (!good)
    return false;
  stream_writer_init(&writer, to, true);
  while (good && ReadFile(from, chunk, sizeof(chunk), &got, NULL) && got > 0)
    good = stream_writer_feed(&writer, chunk, got);
  good = good && stream_writer_is_whole(&writer);
  stream_writer_done(&writer);
  return good;
}

static uint32_t unpack_file(struct call *call, const char *from, const char *to, bool directory)
{
  HANDLE source = open_path(from, GENERIC_READ, OPEN_EXISTING);
  HANDLE target =
      open_path(to, GENERIC_READ | GENERIC_WRITE, directory ? OPEN_EXISTING : CREATE_ALWAYS);
  bool good =
      source != INVALID_HANDLE_VALUE && target != INVALID_HANDLE_VALUE && unpack_to(source, target);

  if (source != INVALID_HANDLE_VALUE)
    (void)CloseHandle(source);
  if (target != INVALID_HANDLE_VALUE)
    (void)CloseHandle(target);
  return good ? 0
              : sim_refuse(call, UINT32_C(0x8007000d), "Import", "'%s' is no staged file", from);
}

static uint32_t copy_file(struct call *call, const char *from, const char *to)
{
  wchar_t *source = sim_wide(from), *target = sim_wide(to);
  bool good = CopyFileW(source, target, FALSE);
  DWORD code = GetLastError();

  free(source);
  free(target);
  return good ? 0 : sim_refuse(call, UINT32_C(0x80070000) | code, "Import", "copying '%s'", from);
}

static uint32_t import_tree(struct call *call, const char *from, const char *to, bool staged);

static uint32_t import_directory(struct call *call, const char *from, const char *to, bool staged)
{
  char *mark = sim_format("%s%s", from, marker);
  uint32_t hr = 0;

  if (staged && !sim_exists(mark))
    hr = sim_refuse(call, HR_FILE, "Import", "no '%s'", mark);
  if (hr == 0 && !make_directory(to))
    hr = sim_refuse(call, HR_PATH, "Import", "making '%s'", to);
  if (hr == 0 && staged)
    hr = unpack_file(call, mark, to, true);
  if (hr == 0)
    hr = import_tree(call, from, to, staged);
  free(mark);
  return hr;
}

static bool is_marker(const char *name)
{
  size_t len = strlen(name), mark = sizeof(marker) - 1;

  return len > mark && strcmp(name + len - mark, marker) == 0;
}

static uint32_t import_entry(struct call *call, const char *from, const char *to, const char *name,
                             bool staged)
{
  char *source = sim_join(from, name), *target = sim_join(to, name);
  uint32_t hr = 0;

  if (sim_is_directory(source))
    hr = import_directory(call, source, target, staged);
  else if (!staged)
    hr = copy_file(call, source, target);
  else if (!is_marker(name))
    hr = unpack_file(call, source, target, false);
  free(source);
  free(target);
  return hr;
}

static uint32_t import_tree(struct call *call, const char *from, const char *to, bool staged)
{
  char *all = sim_join(from, "*"), *name;
  wchar_t *wide = sim_wide(all);
  WIN32_FIND_DATAW found;
  HANDLE search = FindFirstFileW(wide, &found);
  uint32_t hr = 0;

  free(wide);
  free(all);
  if (search == INVALID_HANDLE_VALUE)
    return 0;
  do {
    name = sim_narrow(found.cFileName);
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
      hr = import_entry(call, from, to, name, staged);
    free(name);
  } while (hr == 0 && FindNextFileW(search, &found));
  (void)FindClose(search);
  return hr;
}

static uint32_t import_part(struct call *call, const char *from, const char *to, const char *part,
                            bool staged)
{
  char *source = sim_join(from, part), *target = sim_join(to, part);
  uint32_t hr = 0;

  if (sim_is_directory(source))
    hr = make_directory(target) ? import_tree(call, source, target, staged)
                                : sim_refuse(call, HR_PATH, "Import", "making '%s'", target);
  free(source);
  free(target);
  return hr;
}

static uint32_t import(struct call *call)
{
  const char *layer = sim_text(call->args, "layer"), *source = sim_text(call->args, "other");
  char *files = sim_join(source, "Files");
  uint32_t hr = 0;

  if (!json_is_true(json_object_get(call->args, "privileged")))
    hr = sim_refuse(call, HR_PRIVILEGE, "Import",
                    "SeBackupPrivilege and SeRestorePrivilege are not enabled");
  else if (!sim_is_directory(files) || !make_directory(layer))
    hr = sim_refuse(call, HR_PATH, "Import", "no '%s', or no '%s'", files, layer);
  if (hr == 0)
    hr = import_part(call, source, layer, "Files", true);
  if (hr == 0)
    hr = import_part(call, source, layer, "Hives", false);
  free(files);
  return hr;
}

/* ---- Base layers ----------------------------------------------------------------------------- */

static bool write_disk(const char *layer, const char *name, int64_t gigabytes, const char *parent)
{
  char *path = sim_join(layer, name);
  json_t *content =
      json_pack("{s:I,s:b}", "size", (json_int_t)(gigabytes * GIGABYTE), "formatted", 1);
  bool good;

  if (parent != NULL)
    (void)json_object_set_new(content, "parent", json_string(parent));
  good = sim_disk_write(path, content);
  json_decref(content);
  free(path);
  return good;
}

static bool has(const char *layer, const char *name)
{
  char *path = sim_join(layer, name);
  bool found = sim_exists(path);

  free(path);
  return found;
}

static uint32_t check_image(struct call *call, const char *layer, const char *result)
{
  if (!json_is_true(json_object_get(call->args, "privileged")))
    return sim_refuse(call, HR_PRIVILEGE, "Image",
                      "SeBackupPrivilege and SeRestorePrivilege are not enabled");
  if (!has(layer, "Files"))
    return sim_refuse(call, HR_PATH, "Image", "no Files in '%s'", layer);
  if (has(layer, result))
    return sim_refuse(call, HR_EXISTS, "Image", "'%s' has %s", layer, result);
  return 0;
}

static uint32_t base_image(struct call *call)
{
  const char *layer = sim_text(call->args, "layer");
  uint32_t hr = check_image(call, layer, "blank.vhdx");

  if (hr == 0 && !has(layer, "Hives"))
    hr = sim_refuse(call, HR_PATH, "Image", "no Hives in '%s'", layer);
  if (hr == 0 && (!write_disk(layer, "blank-base.vhdx", BLANK_GB, NULL) ||
                  !write_disk(layer, "blank.vhdx", BLANK_GB, "blank-base.vhdx")))
    hr = HR_ACCESS;
  return hr;
}

/* The boot configuration is changed by it: whoever wants the original has to keep it. */
static void touch_bcd(const char *layer)
{
  char *path = sim_join(layer, "Files\\EFI\\Microsoft\\Boot\\BCD");
  HANDLE file =
      sim_exists(path) ? open_path(path, GENERIC_WRITE, OPEN_EXISTING) : INVALID_HANDLE_VALUE;
  DWORD done;

  if (file != INVALID_HANDLE_VALUE) {
    (void)SetFilePointer(file, 0, NULL, FILE_END);
    (void)WriteFile(file, "changed", 7, &done, NULL);
    (void)CloseHandle(file);
  }
  free(path);
}

static uint32_t utility_image(struct call *call)
{
  const char *layer = sim_text(call->args, "layer");
  uint32_t hr = check_image(call, layer, "SystemTemplate.vhdx");

  if (hr != 0)
    return hr;
  touch_bcd(layer);
  return write_disk(layer, "SystemTemplateBase.vhdx", TEMPLATE_GB, NULL) &&
                 write_disk(layer, "SystemTemplate.vhdx", TEMPLATE_GB, "SystemTemplateBase.vhdx")
             ? 0
             : HR_ACCESS;
}

static uint32_t base_os(struct call *call)
{
  const char *layer = sim_text(call->args, "layer");
  json_t *options = sim_parse(call->args, "options");
  bool is_vm = strcmp(sim_text(options, "Type"), "Vm") == 0;
  char why[512];
  uint32_t hr = 0;

  if (!sim_strict(options, "OsLayerOptions", why, sizeof(why)))
    hr = sim_refuse(call, HR_CONSTRUCT, "BaseOS", "%s", why);
  else if (is_vm && call->handle == NULL && sim_text(call->args, "volume")[0] == '\0')
    hr = sim_refuse(call, HR_CONSTRUCT, "BaseOS", "no disk for a machine");
  else if (!sim_is_directory(layer))
    hr = sim_refuse(call, HR_PATH, "BaseOS", "no layer '%s'", layer);
  else if (!is_vm && (has(layer, "Hives") || has(layer, "Layout")))
    hr = sim_refuse(call, HR_EXISTS, "BaseOS", "'%s' has Hives or Layout", layer);
  json_decref(options);
  return hr;
}

/* ---- Other ----------------------------------------------------------------------------------- */

static uint32_t name_to_guid(struct call *call)
{
  const char *name = sim_text(call->args, "name");
  char text[SIM_GUID_TEXT];
  GUID guid;

  if (name[0] == '\0')
    return HR_CONSTRUCT;
  sim_name_to_guid(name, &guid);
  sim_guid_format(&guid, text);
  (void)json_object_set_new(call->reply, "result", json_string(text));
  return 0;
}

static uint32_t backup(struct call *call)
{
  return json_is_true(json_object_get(call->args, "privileged")) ? 0 : HR_PRIVILEGE;
}

static uint32_t version(struct call *call)
{
  (void)json_object_set(call->reply, "build", json_object_get(machine.host, "build"));
  return 0;
}

static uint32_t privileges(struct call *call)
{
  (void)call;
  return sim_host_number("privileges") != 0 ? 0 : UINT32_C(0x80070000) | ERROR_NOT_ALL_ASSIGNED;
}

static uint32_t dropped(struct call *call)
{
  char *key = sim_path_key(sim_text(call->args, "path"));

  (void)json_object_set_new(machine.dropped, key, json_true());
  free(key);
  return 0;
}

static uint32_t open_address(struct call *call)
{
  struct handle *handle = sim_handle_new(call->session, ADDRESS);

  handle->name = sim_copy(sim_text(call->args, "path"));
  (void)json_object_set_new(call->reply, "object", json_integer((json_int_t)handle->id));
  return 0;
}

/* A volume without the backslash at its end. */
static uint32_t open_volume(struct call *call)
{
  char *volume = sim_format("%s\\", sim_text(call->args, "path"));
  const json_t *layer = sim_layer_of_volume(volume);
  struct handle *handle;

  free(volume);
  if (layer == NULL)
    return HR_PATH;
  handle = sim_handle_new(call->session, DISK);
  handle->name = sim_join(sim_text(layer, "path"), "sandbox.vhdx");
  (void)json_object_set_new(call->reply, "object", json_integer((json_int_t)handle->id));
  return 0;
}

static uint32_t control(struct call *call)
{
  struct handle *handle =
      sim_handle_find((uint64_t)json_integer_value(json_object_get(call->args, "id")));
  json_int_t code = json_integer_value(json_object_get(call->args, "code"));
  json_int_t size = json_integer_value(json_object_get(call->args, "size"));
  json_t *content;

  if (handle == NULL || handle->closed)
    return HR_HANDLE;
  if (handle->kind == ADDRESS)
    return code == 0x21c004 && size == 52 ? 0 : HR_CONSTRUCT;
  content = sim_disk_read(handle->name);
  (void)json_object_set(call->reply, "length", json_object_get(content, "size"));
  json_decref(content);
  return code == 0x7405c || code == 0x900f0 ? 0 : HR_NOT_SUPPORTED;
}

const struct handler sim_import_handlers[] = {
  { "ImportLayer", import, false, NULL, SYSTEM },
  { "HcsImportLayer", import, false, NULL, SYSTEM },
  { "ProcessBaseImage", base_image, false, NULL, SYSTEM },
  { "ProcessUtilityImage", utility_image, false, NULL, SYSTEM },
  { "HcsSetupBaseOSLayer", base_os, false, NULL, DISK },
  { "HcsSetupBaseOSVolume", base_os, false, NULL, DISK },
  { "NameToGuid", name_to_guid, false, NULL, SYSTEM },
  { "BackupRead", backup, false, NULL, SYSTEM },
  { "BackupWrite", backup, false, NULL, SYSTEM },
  { "RtlGetVersion", version, false, NULL, SYSTEM },
  { "AdjustTokenPrivileges", privileges, false, NULL, SYSTEM },
  { .name = "sim.dropped", .work = dropped },
  { .name = "sim.address", .work = open_address },
  { .name = "sim.volume", .work = open_volume },
  { .name = "sim.control", .work = control },
  { .name = NULL },
};
