/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/hresult.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"

#define E_FAIL_ UINT32_C(0x80004005)

#define OF_HCS(low)   (UINT32_C(0x80370000) | (low))
#define OF_WIN32(low) (UINT32_C(0x80070000) | (low))
#define OF_HCN(low)   (UINT32_C(0x803b0000) | (low))

enum {
  SHUTDOWN = ZL_HRESULT_SHUTDOWN,
  TERMINATE = ZL_HRESULT_TERMINATE,
  SIGNAL = ZL_HRESULT_SIGNAL,
  END = ZL_HRESULT_END,
  DELETE = ZL_HRESULT_DELETE
};

/* {code, its two names, what the library calls it, how to try again, done for, hint} */
#define ROW(code_, name_, vmcompute_, error_, retry_, done_, hint_)                      \
  {                                                                                      \
    .code = (code_), .name = (name_), .vmcompute = (vmcompute_), .error = ZL_E_##error_, \
    .retry = ZL_HRESULT_##retry_, .done_for = (done_), .hint = (hint_)                   \
  }
/* Of the compute service with both spellings, or with the first one only. */
#define BOTH(low, name, ...) ROW(OF_HCS(low), "HCS_E_" name, "ERROR_VMCOMPUTE_" name, __VA_ARGS__)
#define ONE(low, name, ...)  ROW(OF_HCS(low), "HCS_E_" name, NULL, __VA_ARGS__)
#define W32(low, name, ...)  ROW(OF_WIN32(low), "ERROR_" name, NULL, __VA_ARGS__)
#define NET(low, name, ...)  ROW(OF_HCN(low), "HCN_E_" name, NULL, __VA_ARGS__)

static const struct zl_hresult_info table[] = {
  /* The compute service. */
  BOTH(0x0100, "TERMINATED_DURING_START", SYSTEM, RENEW, 0,
       "it ended while it started; its exit event says how. A machine may need 2048 MiB of memory"),
  BOTH(0x0101, "IMAGE_MISMATCH", WRONG_PLATFORM, FINAL, 0,
       "the image is of another Windows build than this host; use isolation hyperv"),
  BOTH(0x0102, "HYPERV_NOT_INSTALLED", UNSUPPORTED, FINAL, 0,
       "enable the Hyper-V feature, on a virtual host nested virtualisation too"),
  ROW(OF_HCS(0x0103), NULL, "ERROR_VMCOMPUTE_OPERATION_PENDING", INTERNAL, FINAL, 0,
      "the answer comes by notification"),
  BOTH(0x0105, "INVALID_STATE", CONFLICT, FINAL, TERMINATE | SIGNAL | END,
       "the system's state does not allow this now"),
  BOTH(0x0106, "UNEXPECTED_EXIT", SYSTEM, FINAL, 0,
       "the guest crashed, its image is damaged, or its memory or disk is too small"),
  BOTH(0x0107, "TERMINATED", SYSTEM, FINAL, 0, "it was ended by force"),
  BOTH(0x0108, "CONNECT_FAILED", REMOTE, RENEW, 0, "the guest could not be reached"),
  ROW(OF_HCS(0x0109), "HCS_E_CONNECTION_TIMEOUT", "ERROR_VMCOMPUTE_TIMEOUT", TIMEOUT, RENEW, 0,
      "the guest did not answer in time; a machine may be of damaged boot files, or short of "
      "memory"),
  BOTH(0x010a, "CONNECTION_CLOSED", REMOTE, FINAL, 0, "the guest hung up"),
  BOTH(0x010b, "UNKNOWN_MESSAGE", UNSUPPORTED, FINAL, 0,
       "the other side is of a version without this request"),
  BOTH(0x010c, "UNSUPPORTED_PROTOCOL_VERSION", UNSUPPORTED, FINAL, 0,
       "the other side speaks another version of the protocol"),
  BOTH(0x010d, "INVALID_JSON", UNSUPPORTED, FINAL, 0,
       "this Windows version does not know a field of the document; the result's error names it"),
  BOTH(0x010e, "SYSTEM_NOT_FOUND", NOT_FOUND, FINAL, SHUTDOWN | TERMINATE | SIGNAL | END | DELETE,
       NULL),
  BOTH(0x010f, "SYSTEM_ALREADY_EXISTS", CONFLICT, REPLACE, 0,
       "an earlier system has this id: terminate it first"),
  BOTH(0x0110, "SYSTEM_ALREADY_STOPPED", CONFLICT, FINAL, SHUTDOWN | TERMINATE, NULL),
  BOTH(0x0111, "PROTOCOL_ERROR", REMOTE, FINAL, 0, NULL),
  BOTH(0x0112, "INVALID_LAYER", CORRUPT, FINAL, 0, "pull the image again"),
  BOTH(0x0113, "WINDOWS_INSIDER_REQUIRED", UNSUPPORTED, FINAL, 0, NULL),
  ONE(0x0114, "SERVICE_NOT_AVAILABLE", SYSTEM, SERVICE, 0,
      "start the service vmcompute (Hyper-V Host Compute Service)"),
  ONE(0x0115, "OPERATION_NOT_STARTED", INTERNAL, FINAL, 0, NULL),
  ONE(0x0116, "OPERATION_ALREADY_STARTED", INTERNAL, FINAL, 0, NULL),
  ONE(0x0117, "OPERATION_PENDING", INTERNAL, FINAL, 0, NULL),
  ONE(0x0118, "OPERATION_TIMEOUT", TIMEOUT, FINAL, 0, "the service still works on the request"),
  ONE(0x0119, "OPERATION_SYSTEM_CALLBACK_ALREADY_SET", INTERNAL, FINAL, 0, NULL),
  ONE(0x011a, "OPERATION_RESULT_ALLOCATION_FAILED", NO_MEMORY, FINAL, 0, NULL),
  ONE(0x011b, "ACCESS_DENIED", PERMISSION, FINAL, 0, "run it as an administrator or as SYSTEM"),
  ONE(0x011c, "GUEST_CRITICAL_ERROR", SYSTEM, FINAL, 0, "the guest's kernel crashed"),
  ONE(0x011d, "PROCESS_INFO_NOT_AVAILABLE", INTERNAL, FINAL, 0, NULL),
  ONE(0x011e, "SERVICE_DISCONNECT", REMOTE, SERVICE, 0, "the compute service (vmcompute) ended"),
  ONE(0x011f, "PROCESS_ALREADY_STOPPED", CONFLICT, FINAL, SIGNAL | END, NULL),

  /* Windows itself. */
  W32(2, "FILE_NOT_FOUND", NOT_FOUND, FINAL, 0, "a file of a layer is missing"),
  W32(3, "PATH_NOT_FOUND", NOT_FOUND, FINAL, 0,
      "a directory of a layer is missing, or a path is too long"),
  W32(5, "ACCESS_DENIED", PERMISSION, FINAL, END,
      "administrators only; a machine needs a grant for each of its files"),
  W32(6, "INVALID_HANDLE", CONFLICT, FINAL, 0, "it was closed meanwhile"),
  W32(13, "INVALID_DATA", CORRUPT, FINAL, 0, NULL),
  W32(14, "OUTOFMEMORY", NO_MEMORY, FINAL, 0, NULL),
  W32(21, "NOT_READY", SYSTEM, SOON, 0, "the disk is not there yet"),
  W32(32, "SHARING_VIOLATION", CONFLICT, RELEASE, 0,
      "the file is in use: a disk is attached still, or a scanner reads it"),
  W32(50, "NOT_SUPPORTED", UNSUPPORTED, FINAL, 0, NULL),
  ROW(OF_WIN32(87), "E_INVALIDARG", NULL, INVALID, FINAL, 0,
      "the service refused the document or an argument; the result's error says which"),
  W32(126, "MOD_NOT_FOUND", UNSUPPORTED, FINAL, 0, "enable the Containers feature of Windows"),
  W32(127, "PROC_NOT_FOUND", UNSUPPORTED, FINAL, 0, "this Windows version has no such function"),
  W32(1167, "DEVICE_NOT_CONNECTED", SYSTEM, SOON, 0, "the disk is not there yet"),
  W32(1168, "NOT_FOUND", NOT_FOUND, FINAL, SIGNAL | END | DELETE, NULL),
  W32(1314, "PRIVILEGE_NOT_HELD", PERMISSION, FINAL, 0,
      "run it as an administrator, whose privileges include backup and restore"),
  W32(1326, "LOGON_FAILURE", NOT_FOUND, FINAL, 0,
      "the container has no such user; most images have ContainerUser and ContainerAdministrator"),
  W32(1450, "NO_SYSTEM_RESOURCES", LIMIT, FINAL, 0,
      "network compartments or silos leaked: restart the service vmcompute"),
  W32(1460, "TIMEOUT", TIMEOUT, FINAL, 0, NULL),
  W32(4390, "NOT_A_REPARSE_POINT", INVALID, FINAL, 0,
      "Storage.Path must be the volume path of a prepared layer, not a directory"),
  ROW(UINT32_C(0x80004001), "E_NOTIMPL", NULL, UNSUPPORTED, FINAL, 0,
      "this Windows version has no such function"),
  ROW(E_FAIL_, "E_FAIL", NULL, SYSTEM, FINAL, 0, NULL),

  /* The network service. */
  NET(0x0001, "NETWORK_NOT_FOUND", NOT_FOUND, FINAL, DELETE, NULL),
  NET(0x0002, "ENDPOINT_NOT_FOUND", NOT_FOUND, FINAL, DELETE, NULL),
  NET(0x0005, "SUBNET_NOT_FOUND", NOT_FOUND, FINAL, 0, NULL),
  NET(0x0006, "ADAPTER_NOT_FOUND", NOT_FOUND, FINAL, 0, NULL),
  NET(0x000a, "INVALID_NETWORK", INVALID, FINAL, 0, NULL),
  NET(0x000c, "INVALID_ENDPOINT", INVALID, FINAL, 0, NULL),
  NET(0x000d, "INVALID_POLICY", INVALID, FINAL, 0, NULL),
  NET(0x0010, "NETWORK_ALREADY_EXISTS", CONFLICT, REPLACE, 0, NULL),
  NET(0x0013, "PORT_ALREADY_EXISTS", CONFLICT, FINAL, 0, "another endpoint publishes this port"),
  NET(0x0014, "ENDPOINT_ALREADY_ATTACHED", CONFLICT, REPLACE, 0, NULL),
  NET(0x0015, "REQUEST_UNSUPPORTED", UNSUPPORTED, FINAL, 0, NULL),
  NET(0x001b, "INVALID_JSON", UNSUPPORTED, FINAL, 0,
      "this Windows version does not know a field of the document"),
  NET(0x001e, "INVALID_IP", INVALID, FINAL, 0, NULL),
  NET(0x002b, "ENDPOINT_NAMESPACE_ALREADY_EXISTS", CONFLICT, REPLACE, 0, NULL),
  NET(0x002c, "ENTITY_HAS_REFERENCES", CONFLICT, FINAL, 0, "something still uses it"),
  NET(0x002e, "NAMESPACE_ATTACH_FAILED", CONFLICT, REPLACE, 0,
      "the endpoint is attached elsewhere, or the namespace is of a dead container"),
  NET(0x002f, "ADDR_INVALID_OR_RESERVED", NO_ADDRESS, REPLACE, 0,
      "an earlier endpoint still holds the address, or it is not one of the subnet"),
};

/* FACILITY_WIN32 in the bits of the facility, whatever the severity. */
uint32_t zl_hresult_fold(uint32_t hr)
{
  return (hr & UINT32_C(0x1fff0000)) == UINT32_C(0x00070000) ? hr & 0xffff : hr;
}

uint32_t zl_hresult_of_number(int64_t number)
{
  return number >= INT32_MIN && number <= (int64_t)UINT32_MAX ? (uint32_t)number : E_FAIL_;
}

static bool is_vmcompute(uint32_t hr)
{
  return (hr & UINT32_C(0xffff0000)) == UINT32_C(0xc0370000);
}

static uint32_t canonical(uint32_t hr)
{
  uint32_t folded = zl_hresult_fold(hr);

  if (is_vmcompute(hr))
    return OF_HCS(hr & 0xffff);
  return folded <= 0xffff ? OF_WIN32(folded) : hr;
}

const struct zl_hresult_info *zl_hresult_find(uint32_t hr)
{
  uint32_t code = canonical(hr);

  for (size_t i = 0; hr != 0 && i < ZL_COUNT(table); i++)
    if (table[i].code == code)
      return (is_vmcompute(hr) ? table[i].vmcompute : table[i].name) != NULL ? &table[i] : NULL;
  return NULL;
}

const struct zl_hresult_info *zl_hresult_at(unsigned i)
{
  return i < ZL_COUNT(table) ? &table[i] : NULL;
}

/* A bare Win32 code has no sign, but it is none of success. */
static bool is_failure(uint32_t hr)
{
  return zl_hresult_failed(hr) || zl_hresult_find(hr) != NULL;
}

enum zl_code zl_hresult_error(uint32_t hr)
{
  const struct zl_hresult_info *info = zl_hresult_find(hr);

  if (!is_failure(hr))
    return ZL_OK;
  return info != NULL ? info->error : ZL_E_SYSTEM;
}

enum zl_hresult_retry zl_hresult_retry(uint32_t hr)
{
  const struct zl_hresult_info *info = zl_hresult_find(hr);

  return info != NULL ? info->retry : ZL_HRESULT_FINAL;
}

bool zl_hresult_is_done(uint32_t hr, enum zl_hresult_call call)
{
  const struct zl_hresult_info *info = zl_hresult_find(hr);

  return !is_failure(hr) || (info != NULL && (info->done_for & (unsigned)call) != 0);
}

const char *zl_hresult_format(uint32_t hr, char text[ZL_HRESULT_TEXT])
{
  const struct zl_hresult_info *info = zl_hresult_find(hr);
  const char *name = NULL;

  if (info != NULL)
    name = is_vmcompute(hr) ? info->vmcompute : info->name;
  if (name != NULL)
    (void)snprintf(text, ZL_HRESULT_TEXT, "%s (0x%08" PRIx32 ")", name, hr);
  else
    (void)snprintf(text, ZL_HRESULT_TEXT, "0x%08" PRIx32, hr);
  return text;
}

int zl_hresult_fail(struct zl_error *err, uint32_t hr, const char *what)
{
  const struct zl_hresult_info *info = zl_hresult_find(hr);
  const char *hint = info != NULL ? info->hint : NULL;
  enum zl_code code = zl_hresult_error(hr);
  char text[ZL_HRESULT_TEXT];
  /* Without its number: zl_fail would look that up as an errno. */
  int r = zl_fail(err, code != ZL_OK ? code : ZL_E_INTERNAL, 0, "%s: %s%s%s", what,
                  zl_hresult_format(hr, text), hint != NULL ? ": " : "", hint != NULL ? hint : "");

  if (err != NULL)
    err->os_error = (int)hr;
  return r;
}
