/* SPDX-License-Identifier: Apache-2.0
 *
 * virtdisk.dll. Its answers are Win32 codes.
 */
#include "dll_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <virtdisk.h>

enum {
  MAX_HANDLES = 256
};

static struct {
  HANDLE handle;
  uint64_t id;
} open_handles[MAX_HANDLES];
static SRWLOCK lock = SRWLOCK_INIT;

HANDLE handle_for(uint64_t id)
{
  HANDLE handle = CreateEventW(NULL, TRUE, FALSE, NULL);

  AcquireSRWLockExclusive(&lock);
  for (size_t i = 0; i < MAX_HANDLES; i++)
    if (open_handles[i].handle == NULL) {
      open_handles[i].handle = handle;
      open_handles[i].id = id;
      break;
    }
  ReleaseSRWLockExclusive(&lock);
  return handle;
}

bool handle_find(HANDLE handle, uint64_t *ret)
{
  bool found = false;

  AcquireSRWLockShared(&lock);
  for (size_t i = 0; handle != NULL && i < MAX_HANDLES && !found; i++)
    if (open_handles[i].handle == handle) {
      *ret = open_handles[i].id;
      found = true;
    }
  ReleaseSRWLockShared(&lock);
  return found;
}

BOOL WINAPI double_CloseHandle(HANDLE handle)
{
  uint64_t id = 0;

  if (handle_find(handle, &id)) {
    AcquireSRWLockExclusive(&lock);
    for (size_t i = 0; i < MAX_HANDLES; i++)
      if (open_handles[i].handle == handle)
        open_handles[i].handle = NULL;
    ReleaseSRWLockExclusive(&lock);
    (void)client_simple("sim.close", json_pack("{s:I}", "id", (json_int_t)id));
  }
  return CloseHandle(handle);
}

uint64_t disk_id(HANDLE disk, const char *name)
{
  uint64_t id = 0;

  if (!handle_find(disk, &id))
    client_misuse("%s with what is no handle of a disk", name);
  return id;
}

static DWORD make(const char *name, json_t *args, HANDLE *ret)
{
  json_t *reply = client_call(name, args);
  DWORD code = client_hr(reply);

  if (code == 0)
    *ret = handle_for((uint64_t)json_integer_value(json_object_get(reply, "disk")));
  json_decref(reply);
  return code & 0x80000000 ? ERROR_GEN_FAILURE : code;
}

DWORD WINAPI double_CreateVirtualDisk(PVIRTUAL_STORAGE_TYPE type, PCWSTR path,
                                      VIRTUAL_DISK_ACCESS_MASK access,
                                      PSECURITY_DESCRIPTOR security, CREATE_VIRTUAL_DISK_FLAG flags,
                                      ULONG provider, PCREATE_VIRTUAL_DISK_PARAMETERS parameters,
                                      LPOVERLAPPED overlapped, PHANDLE handle)
{
  (void)security;
  (void)flags;
  (void)provider;
  (void)overlapped;
  if (type == NULL || path == NULL || parameters == NULL || handle == NULL ||
      parameters->Version != CREATE_VIRTUAL_DISK_VERSION_2 || access != VIRTUAL_DISK_ACCESS_NONE)
    return ERROR_INVALID_PARAMETER;
  return make("CreateVirtualDisk",
              json_pack("{s:o,s:I,s:o}", "path", client_json_text(path), "size",
                        (json_int_t)parameters->Version2.MaximumSize, "parent",
                        client_json_text(parameters->Version2.ParentPath)),
              handle);
}

DWORD WINAPI double_OpenVirtualDisk(PVIRTUAL_STORAGE_TYPE type, PCWSTR path,
                                    VIRTUAL_DISK_ACCESS_MASK access, OPEN_VIRTUAL_DISK_FLAG flags,
                                    POPEN_VIRTUAL_DISK_PARAMETERS parameters, PHANDLE handle)
{
  (void)flags;
  if (type == NULL || path == NULL || handle == NULL)
    return ERROR_INVALID_PARAMETER;
  if (parameters != NULL && parameters->Version == OPEN_VIRTUAL_DISK_VERSION_2 &&
      access != VIRTUAL_DISK_ACCESS_NONE)
    return ERROR_INVALID_PARAMETER;
  return make("OpenVirtualDisk", json_pack("{s:o}", "path", client_json_text(path)), handle);
}

static DWORD on_disk(const char *name, HANDLE disk, ULONG flags)
{
  uint64_t id = disk_id(disk, name);
  DWORD code;

  if (id == 0)
    return ERROR_INVALID_HANDLE;
  code = client_simple(
      name, json_pack("{s:I,s:I}", "handle", (json_int_t)id, "flags", (json_int_t)flags));
  return code & 0xffff;
}

DWORD WINAPI double_AttachVirtualDisk(HANDLE disk, PSECURITY_DESCRIPTOR security,
                                      ATTACH_VIRTUAL_DISK_FLAG flags, ULONG provider,
                                      PATTACH_VIRTUAL_DISK_PARAMETERS parameters,
                                      LPOVERLAPPED overlapped)
{
  (void)security;
  (void)provider;
  (void)parameters;
  (void)overlapped;
  return on_disk("AttachVirtualDisk", disk, (ULONG)flags);
}

DWORD WINAPI double_DetachVirtualDisk(HANDLE disk, DETACH_VIRTUAL_DISK_FLAG flags, ULONG provider)
{
  (void)provider;
  return on_disk("DetachVirtualDisk", disk, (ULONG)flags);
}

DWORD WINAPI double_SetVirtualDiskInformation(HANDLE disk, PSET_VIRTUAL_DISK_INFO info)
{
  return info == NULL ? ERROR_INVALID_PARAMETER : on_disk("SetVirtualDiskInformation", disk, 0);
}

static json_t *information(const char *name, HANDLE disk, DWORD *code)
{
  uint64_t id = disk_id(disk, name);
  json_t *reply = client_call(name, json_pack("{s:I}", "handle", (json_int_t)id));

  *code = client_hr(reply) & 0xffff;
  return reply;
}

DWORD WINAPI double_GetVirtualDiskPhysicalPath(HANDLE disk, PULONG size, PWSTR path)
{
  DWORD code;
  json_t *reply = information("GetVirtualDiskPhysicalPath", disk, &code);
  wchar_t text[64];
  ULONG need;

  (void)_snwprintf(text, 64, L"\\\\.\\PhysicalDrive%u",
                   (unsigned)(json_integer_value(json_object_get(reply, "number")) & 0xffff));
  need = (ULONG)((wcslen(text) + 1) * sizeof(*text));
  if (code == 0 && !json_is_true(json_object_get(reply, "attached")))
    code = ERROR_DEV_NOT_EXIST;
  if (code == 0 && *size < need)
    code = ERROR_INSUFFICIENT_BUFFER;
  if (code == 0)
    memcpy(path, text, need);
  *size = need;
  json_decref(reply);
  return code;
}

DWORD WINAPI double_GetVirtualDiskInformation(HANDLE disk, PULONG size, PGET_VIRTUAL_DISK_INFO info,
                                              PULONG used)
{
  DWORD code;
  json_t *reply = information("GetVirtualDiskInformation", disk, &code);

  if (code == 0 && (*size < sizeof(*info) || info->Version != GET_VIRTUAL_DISK_INFO_SIZE))
    code = ERROR_INVALID_PARAMETER;
  if (code == 0) {
    memset(&info->Size, 0, sizeof(info->Size));
    info->Size.VirtualSize = (ULONGLONG)json_integer_value(json_object_get(reply, "size"));
    info->Size.PhysicalSize = info->Size.VirtualSize;
    info->Size.BlockSize = 1 << 20;
    info->Size.SectorSize = 512;
    if (used != NULL)
      *used = sizeof(*info);
  }
  json_decref(reply);
  return code;
}
