/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of the system's own libraries that a double has to see.
 */
#include "dll_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char address_prefix[] = "\\\\.\\HvSocketSystem\\AddressInfo\\{";
static const char volume_prefix[] = "\\\\?\\Volume{";

enum {
  IOCTL_SET_ADDRESS = 0x21c004,
  IOCTL_LENGTH = 0x7405c,
  FSCTL_EXTEND = 0x900f0,
  ADDRESS_SIZE = 52
};

LONG NTAPI RtlGetVersion(RTL_OSVERSIONINFOW *version);

/* The machine's version, not Wine's. */
LONG NTAPI double_RtlGetVersion(RTL_OSVERSIONINFOW *version)
{
  json_t *reply = client_call("RtlGetVersion", json_object());
  LONG status = RtlGetVersion(version);

  version->dwMajorVersion = 10;
  version->dwMinorVersion = 0;
  version->dwBuildNumber = (DWORD)json_integer_value(json_object_get(reply, "build"));
  json_decref(reply);
  return status;
}

BOOL WINAPI double_AdjustTokenPrivileges(HANDLE token, BOOL none, PTOKEN_PRIVILEGES wanted,
                                         DWORD size, PTOKEN_PRIVILEGES before, PDWORD need)
{
  DWORD code = client_simple("AdjustTokenPrivileges", json_object());

  if (code == 0)
    return AdjustTokenPrivileges(token, none, wanted, size, before, need);
  SetLastError(code & 0xffff); /* ERROR_NOT_ALL_ASSIGNED is no failure of the call */
  return (code & 0xffff) == ERROR_NOT_ALL_ASSIGNED;
}

/* ---- Files of the doubles -------------------------------------------------------------------- */

static HANDLE open_double(const char *name, const char *path)
{
  json_t *reply = client_call(name, json_pack("{s:s}", "path", path));
  hr_t hr = client_hr(reply);
  HANDLE handle = INVALID_HANDLE_VALUE;

  if (hr == 0)
    handle = handle_for((uint64_t)json_integer_value(json_object_get(reply, "object")));
  else
    SetLastError(hr & 0xffff);
  json_decref(reply);
  return handle;
}

HANDLE WINAPI double_CreateFileW(const wchar_t *path, DWORD access, DWORD share,
                                 SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags,
                                 HANDLE template)
{
  char *text = sim_narrow(path);
  HANDLE handle;

  if (text != NULL && strncmp(text, address_prefix, strlen(address_prefix)) == 0)
    handle = open_double("sim.address", text);
  else if (text != NULL && _strnicmp(text, volume_prefix, strlen(volume_prefix)) == 0)
    handle = open_double("sim.volume", text);
  else
    handle = CreateFileW(path, access, share, security, how, flags, template);
  free(text);
  return handle;
}

static BOOL control(uint64_t id, DWORD code, const void *in, DWORD in_size, void *out,
                    DWORD out_size, DWORD *done)
{
  json_t *reply =
      client_call("sim.control", json_pack("{s:I,s:I,s:I,s:I}", "id", (json_int_t)id, "code",
                                           (json_int_t)code, "size", (json_int_t)in_size, "value",
                                           (json_int_t)(in_size == 8 ? *(const uint64_t *)in : 0)));
  uint64_t length = (uint64_t)json_integer_value(json_object_get(reply, "length"));
  hr_t hr = client_hr(reply);

  json_decref(reply);
  if (hr != 0) {
    SetLastError(hr & 0xffff);
    return FALSE;
  }
  if (code == IOCTL_LENGTH && out_size >= sizeof(length))
    memcpy(out, &length, sizeof(length));
  if (done != NULL)
    *done = code == IOCTL_LENGTH ? sizeof(length) : 0;
  return TRUE;
}

BOOL WINAPI double_DeviceIoControl(HANDLE handle, DWORD code, void *in, DWORD in_size, void *out,
                                   DWORD out_size, DWORD *done, OVERLAPPED *overlapped)
{
  uint64_t id;

  if (handle_find(handle, &id))
    return control(id, code, in, in_size, out, out_size, done);
  return DeviceIoControl(handle, code, in, in_size, out, out_size, done, overlapped);
}
