/* SPDX-License-Identifier: Apache-2.0
 *
 * Disk files, who has them attached, and which machine may open which file.
 *
 * A disk is a small file: a mark, and JSON ({"size","formatted","parent"}). So copying it copies
 * the disk. Who has it attached holds it open for himself, and everybody else meets a sharing
 * violation.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "vhdxfile";

enum {
  MAX_DISK_FILE = 4096,
  ERROR_NONE = 0,
  ATTACH_PERMANENT = 4
};

static struct hold {
  char *path, *key, *by;
  HANDLE file;
  struct hold *next;
} * holds;

/* ---- The file -------------------------------------------------------------------------------- */

static HANDLE open_file(const char *path, DWORD access, DWORD share, DWORD how)
{
  wchar_t *wide = sim_wide(path);
  HANDLE file = CreateFileW(wide, access, share, NULL, how, 0, NULL);

  free(wide);
  return file;
}

static struct hold *find_hold(const char *path)
{
  char *key = sim_path_key(path);
  struct hold *h = holds;

  while (h != NULL && strcmp(h->key, key) != 0)
    h = h->next;
  free(key);
  return h;
}

json_t *sim_disk_read(const char *path)
{
  struct hold *held = find_hold(path);
  HANDLE file = held != NULL ? held->file
                             : open_file(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                         OPEN_EXISTING);
  char text[MAX_DISK_FILE] = { 0 };
  json_t *content = NULL;
  DWORD size = 0;

  if (file == INVALID_HANDLE_VALUE)
    return NULL;
  (void)SetFilePointer(file, 0, NULL, FILE_BEGIN);
  if (ReadFile(file, text, sizeof(text) - 1, &size, NULL) &&
      strncmp(text, mark, sizeof(mark) - 1) == 0)
    content = json_loads(text + sizeof(mark) - 1, JSON_DISABLE_EOF_CHECK, NULL);
  if (held == NULL)
    (void)CloseHandle(file);
  return content;
}

bool sim_disk_write(const char *path, const json_t *content)
{
  struct hold *held = find_hold(path);
  HANDLE file = held != NULL ? held->file : open_file(path, GENERIC_WRITE, 0, OPEN_ALWAYS);
  char *json = json_dumps(content, JSON_COMPACT), *text = sim_format("%s%s\n", mark, json);
  DWORD size = 0;
  bool good = false;

  if (file != INVALID_HANDLE_VALUE) {
    (void)SetFilePointer(file, 0, NULL, FILE_BEGIN);
    good = WriteFile(file, text, (DWORD)strlen(text), &size, NULL) && SetEndOfFile(file);
    if (held == NULL)
      (void)CloseHandle(file);
  }
  free(json);
  free(text);
  return good;
}

uint32_t sim_disk_hold(const char *path, const char *by)
{
  struct hold *h;
  HANDLE file;

  if (find_hold(path) != NULL)
    return HR_SHARING;
  file = open_file(path, GENERIC_READ | GENERIC_WRITE, 0, OPEN_EXISTING);
  if (file == INVALID_HANDLE_VALUE)
    return UINT32_C(0x80070000) | GetLastError();
  h = sim_alloc(sizeof(*h));
  h->path = sim_copy(path);
  h->key = sim_path_key(path);
  h->by = sim_copy(by);
  h->file = file;
  h->next = holds;
  holds = h;
  return 0;
}

void sim_disk_release(const char *path, const char *by)
{
  char *key = path == NULL ? NULL : sim_path_key(path);
  struct hold **at = &holds;

  while (*at != NULL) {
    struct hold *h = *at;

    if ((key != NULL && strcmp(h->key, key) != 0) || (by != NULL && strcmp(h->by, by) != 0)) {
      at = &h->next;
      continue;
    }
    *at = h->next;
    (void)CloseHandle(h->file);
    free(h->path);
    free(h->key);
    free(h->by);
    free(h);
  }
  free(key);
}

const char *sim_disk_holder(const char *path)
{
  struct hold *h = find_hold(path);

  return h == NULL ? NULL : h->by;
}

json_t *sim_disk_list(void)
{
  json_t *list = json_array();

  for (const struct hold *h = holds; h != NULL; h = h->next)
    (void)json_array_append_new(list,
                                json_pack("{s:s,s:s}", "path", h->path, "attached_by", h->by));
  return list;
}

/* ---- virtdisk: the answers are Win32 codes ----------------------------------------------------
 */

static uint32_t create_disk(struct call *call)
{
  const char *path = sim_text(call->args, "path"), *parent = sim_text(call->args, "parent");
  json_int_t size = json_integer_value(json_object_get(call->args, "size"));
  json_t *content = NULL;
  struct handle *handle;
  bool good;

  if (sim_exists(path))
    return ERROR_FILE_EXISTS;
  if (parent[0] != '\0') {
    content = sim_disk_read(parent);
    if (content == NULL)
      return ERROR_FILE_NOT_FOUND;
    (void)json_object_set_new(content, "parent", json_string(parent));
  } else if (size <= 0) {
    return ERROR_INVALID_PARAMETER;
  } else {
    content = json_pack("{s:I,s:b}", "size", size, "formatted", 0);
  }
  good = sim_disk_write(path, content);
  json_decref(content);
  if (!good)
    return ERROR_PATH_NOT_FOUND;
  handle = sim_handle_new(call->session, DISK);
  handle->name = sim_copy(path);
  (void)json_object_set_new(call->reply, "disk", json_integer((json_int_t)handle->id));
  return ERROR_NONE;
}

static uint32_t open_disk(struct call *call)
{
  const char *path = sim_text(call->args, "path"), *by = sim_disk_holder(path);
  json_t *content = sim_disk_read(path);
  struct handle *handle;

  json_decref(content);
  if (!sim_exists(path))
    return ERROR_FILE_NOT_FOUND;
  if (by != NULL && strncmp(by, "machine ", 8) == 0)
    return ERROR_SHARING_VIOLATION;
  if (content == NULL)
    return ERROR_FILE_CORRUPT;
  handle = sim_handle_new(call->session, DISK);
  handle->name = sim_copy(path);
  (void)json_object_set_new(call->reply, "disk", json_integer((json_int_t)handle->id));
  return ERROR_NONE;
}

static uint32_t attach_disk(struct call *call)
{
  json_int_t flags = json_integer_value(json_object_get(call->args, "flags"));
  uint32_t hr;
  char *by;

  if (call->handle == NULL)
    return ERROR_INVALID_HANDLE;
  by = (flags & ATTACH_PERMANENT) != 0
           ? sim_copy("host")
           : sim_format("handle %llu", (unsigned long long)call->handle->id);
  hr = sim_disk_hold(call->handle->name, by);
  free(by);
  return hr & 0xffff;
}

static uint32_t detach_disk(struct call *call)
{
  if (call->handle == NULL)
    return ERROR_INVALID_HANDLE;
  if (sim_disk_holder(call->handle->name) == NULL)
    return ERROR_NOT_READY;
  sim_disk_release(call->handle->name, NULL);
  sim_layer_detached(call->handle->name);
  return ERROR_NONE;
}

static uint32_t disk_information(struct call *call)
{
  json_t *content;

  if (call->handle == NULL)
    return ERROR_INVALID_HANDLE;
  content = sim_disk_read(call->handle->name);
  if (content == NULL)
    return ERROR_FILE_NOT_FOUND;
  (void)json_object_set(call->reply, "size", json_object_get(content, "size"));
  (void)json_object_set_new(call->reply, "attached",
                            json_boolean(sim_disk_holder(call->handle->name) != NULL));
  (void)json_object_set_new(call->reply, "number", json_integer((json_int_t)call->handle->id));
  json_decref(content);
  return ERROR_NONE;
}

static uint32_t set_information(struct call *call)
{
  return call->handle == NULL ? ERROR_INVALID_HANDLE : ERROR_NONE;
}

static uint32_t format_disk(struct call *call)
{
  json_t *content;
  bool formatted;

  if (call->handle == NULL)
    return HR_HANDLE;
  content = sim_disk_read(call->handle->name);
  formatted = json_is_true(json_object_get(content, "formatted"));
  if (content != NULL && !formatted) {
    (void)json_object_set_new(content, "formatted", json_true());
    (void)sim_disk_write(call->handle->name, content);
  }
  json_decref(content);
  if (content == NULL)
    return HR_FILE;
  return formatted ? sim_refuse(call, HR_CONSTRUCT, "Format", "the disk is formatted already") : 0;
}

static uint32_t disk_mount_path(struct call *call)
{
  char volume[64], guid[SIM_GUID_TEXT];
  GUID id;

  if (call->handle == NULL)
    return HR_HANDLE;
  if (sim_disk_holder(call->handle->name) == NULL)
    return HR_NOT_READY;
  sim_guid_of_name(call->handle->name, &id);
  sim_guid_format(&id, guid);
  (void)snprintf(volume, sizeof(volume), "\\\\?\\Volume{%s}\\", guid);
  (void)json_object_set_new(call->reply, "result", json_string(volume));
  return 0;
}

const struct handler sim_disk_handlers[] = {
  { "CreateVirtualDisk", create_disk, false, NULL, DISK },
  { "OpenVirtualDisk", open_disk, false, NULL, DISK },
  { "AttachVirtualDisk", attach_disk, false, NULL, DISK },
  { "DetachVirtualDisk", detach_disk, false, NULL, DISK },
  { "GetVirtualDiskPhysicalPath", disk_information, false, NULL, DISK },
  { "GetVirtualDiskInformation", disk_information, false, NULL, DISK },
  { "SetVirtualDiskInformation", set_information, false, NULL, DISK },
  { "HcsFormatWritableLayerVhd", format_disk, false, NULL, DISK },
  { "HcsGetLayerVhdMountPath", disk_mount_path, false, NULL, DISK },
  { .name = NULL },
};

/* ---- Grants: entries of the file's access list, which go with the file ------------------------
 */

/* 0: there is no such file. */
static json_int_t identity(const char *path)
{
  wchar_t *wide = sim_wide(path);
  HANDLE file = CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                            OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  struct hold *held = find_hold(path);
  BY_HANDLE_FILE_INFORMATION info;
  json_int_t id = 0;

  free(wide);
  if (GetFileInformationByHandle(held != NULL ? held->file : file, &info))
    id = (json_int_t)((uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow);
  if (file != INVALID_HANDLE_VALUE)
    (void)CloseHandle(file);
  return id;
}

static bool has_grant(const char *vm, const char *path)
{
  char *key = sim_path_key(path), *entry = sim_format("%s|%s", vm, key);
  const json_t *grant = json_object_get(machine.grants, entry);
  bool found =
      grant != NULL && json_integer_value(json_object_get(grant, "file")) == identity(path);

  free(key);
  free(entry);
  return found;
}

bool sim_granted(const char *vm, const char *path)
{
  char *at = sim_copy(path), *slash;
  bool found = has_grant(vm, at) || has_grant("", at);

  while (!found && (slash = strrchr(at, '\\')) != NULL && slash > at + 2) {
    *slash = '\0';
    found = has_grant(vm, at);
  }
  free(at);
  return found;
}

static uint32_t grant(struct call *call)
{
  const char *vm = sim_text(call->args, "vm"), *path = sim_text(call->args, "path");
  json_int_t file = identity(path);
  char *key, *entry;

  if (file == 0)
    return sim_refuse(call, HR_FILE, "Grant", "no '%s'", path);
  key = sim_path_key(path);
  entry = sim_format("%s|%s", vm, key);
  (void)json_object_set_new(machine.grants, entry,
                            json_pack("{s:s,s:s,s:I}", "vm", vm, "path", path, "file", file));
  free(entry);
  free(key);
  return 0;
}

static uint32_t revoke(struct call *call)
{
  const char *path = sim_text(call->args, "path");
  char *key = sim_path_key(path), *entry = sim_format("%s|%s", sim_text(call->args, "vm"), key);

  (void)json_object_del(machine.grants, entry);
  free(entry);
  free(key);
  return sim_exists(path) ? 0 : HR_FILE;
}

void sim_grants_sweep(void)
{
  const char *key;
  json_t *value;
  void *next;

  json_object_foreach_safe(machine.grants, next, key,
                           value) if (identity(sim_text(value, "path")) !=
                                      json_integer_value(json_object_get(value, "file")))(void)
      json_object_del(machine.grants, key);
}

const struct handler sim_grant_handlers[] = {
  { "HcsGrantVmAccess", grant, false, NULL, SYSTEM },
  { "HcsRevokeVmAccess", revoke, false, NULL, SYSTEM },
  { "HcsGrantVmGroupAccess", grant, false, NULL, SYSTEM },
  { "HcsRevokeVmGroupAccess", revoke, false, NULL, SYSTEM },
  { "GrantVmAccess", grant, false, NULL, SYSTEM },
  { .name = NULL },
};
