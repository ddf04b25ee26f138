/* SPDX-License-Identifier: Apache-2.0 */
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

#include "base/signals.h"
#include "base/strv.h"
#include "base/win32/handle.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"
#include "runtime/hcs/layer_services.h"
#include "runtime/host.h"

/* SYSTEM, the administrators and the owner, and nobody else, also below. */
#define PRIVATE L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"

const char *zl_host_os(void)
{
  return "windows";
}

const char *zl_host_arch(void)
{
  return "amd64"; /* the only one that this is compiled for */
}

const char *zl_host_name(char text[ZL_HOST_TEXT])
{
  wchar_t wide[ZL_HOST_TEXT];
  DWORD n = ZL_COUNT(wide);
  zl_autofree char *name =
      GetComputerNameExW(ComputerNameDnsHostname, wide, &n) ? zl_wide_to_utf8(wide, n) : NULL;

  if (name == NULL)
    return NULL;
  (void)snprintf(text, ZL_HOST_TEXT, "%s", name);
  return text;
}

int zl_host_facts(struct zl_host_facts *ret, struct zl_error *err)
{
  MEMORYSTATUSEX memory = { .dwLength = sizeof(memory) };
  RTL_OSVERSIONINFOW version = { .dwOSVersionInfoSize = sizeof(version) };
  LONG(WINAPI * get)(RTL_OSVERSIONINFOW *);
  FARPROC proc = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "RtlGetVersion");
  SYSTEM_INFO system;

  memcpy(&get, &proc, sizeof(get));
  if (proc == NULL || get(&version) != 0 || !GlobalMemoryStatusEx(&memory))
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "asking Windows about the node");
  GetSystemInfo(&system);
  *ret = (struct zl_host_facts){ .machine = "x86_64",
                                 .cpus = system.dwNumberOfProcessors,
                                 .memory_bytes = memory.ullTotalPhys };
  (void)snprintf(ret->kernel, sizeof(ret->kernel), "%lu.%lu.%lu", version.dwMajorVersion,
                 version.dwMinorVersion, version.dwBuildNumber);
  (void)zl_host_name(ret->hostname); /* else it stays empty */
  return 0;
}

char *zl_host_default_root(void)
{
  const char *data = getenv("ProgramData");

  return data != NULL ? zl_asprintf("%s\\zlayer", data) : strdup("C:\\ProgramData\\zlayer");
}

int zl_host_check_user(struct zl_error *err)
{
  SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
  PSID administrators = NULL;
  BOOL is_one = FALSE;

  if (AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS,
                               0, 0, 0, 0, 0, 0, &administrators)) {
    if (!CheckTokenMembership(NULL, administrators, &is_one))
      is_one = FALSE;
    (void)FreeSid(administrators);
  }
  return is_one ? 0
                : zl_fail(err, ZL_E_PERMISSION, 0,
                          "zlayer must run as an administrator, with elevated rights");
}

/* ---- The root ---- */

static bool is_trusted(PSID owner)
{
  zl_autohandle token = NULL;
  char space[256];
  TOKEN_USER *user = (TOKEN_USER *)(void *)space;
  DWORD n = 0;

  if (IsWellKnownSid(owner, WinLocalSystemSid) ||
      IsWellKnownSid(owner, WinBuiltinAdministratorsSid))
    return true;
  return OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) &&
         GetTokenInformation(token, TokenUser, space, sizeof(space), &n) &&
         EqualSid(owner, user->User.Sid);
}

static int make_private(const wchar_t *path, const char *name, struct zl_error *err)
{
  PSECURITY_DESCRIPTOR wanted = NULL;
  BOOL present = FALSE, defaulted = FALSE;
  PACL list = NULL;
  DWORD code = ERROR_INVALID_ACL;

  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(PRIVATE, SDDL_REVISION_1, &wanted,
                                                           NULL) &&
      GetSecurityDescriptorDacl(wanted, &present, &list, &defaulted) && present)
    code = SetNamedSecurityInfoW((wchar_t *)(uintptr_t)path, SE_FILE_OBJECT,
                                 DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                                 NULL, NULL, list, NULL);
  (void)LocalFree(wanted);
  return code == ERROR_SUCCESS ? 0
                               : zl_fail(err, ZL_E_SYSTEM, zl_errno_of_win32(code),
                                         "making directory '%s' private", name);
}

int zl_host_check_root(const struct zl_runtime *rt, struct zl_error *err)
{
  zl_autofree wchar_t *path = zl_wide_of(rt->root);
  PSECURITY_DESCRIPTOR descriptor = NULL;
  SECURITY_DESCRIPTOR_CONTROL control = 0;
  PSID owner = NULL;
  DWORD revision, code;
  bool trusted;

  if (path == NULL)
    return zl_fail_errno(err, "directory '%s'", rt->root);
  code = GetNamedSecurityInfoW(path, SE_FILE_OBJECT,
                               OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner, NULL,
                               NULL, NULL, &descriptor);
  if (code != ERROR_SUCCESS)
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_win32(code), "owner of directory '%s'", rt->root);
  trusted = owner != NULL && is_trusted(owner);
  (void)GetSecurityDescriptorControl(descriptor, &control, &revision);
  (void)LocalFree(descriptor);
  if (!trusted)
    return zl_fail(err, ZL_E_PERMISSION, 0,
                   "directory '%s' belongs neither to you, the administrators nor SYSTEM",
                   rt->root);
  return (control & SE_DACL_PROTECTED) != 0 ? 0 : make_private(path, rt->root, err);
}

/* ---- Containers ---- */

/* Names and values that belong to Windows are the container's own. */
int zl_host_env(const struct zl_container_plan *plan, zl_host_env_fn set, void *ctx,
                struct zl_error *err)
{
  (void)plan;
  (void)set;
  (void)ctx;
  (void)err;
  return 0;
}

const char *zl_host_cwd(void)
{
  return "C:\\";
}

/* As the backend will have it (runtime/hcs/command.c). */
char *zl_host_absolute(const char *cwd)
{
  bool has_drive = cwd[0] != '\0' && cwd[1] == ':';
  char *path = zl_asprintf("%s%s",
                           has_drive                     ? ""
                           : *cwd == '/' || *cwd == '\\' ? "C:"
                                                         : "C:\\",
                           cwd);

  for (char *p = path; p != NULL && *p != '\0'; p++)
    *p = *p == '/' ? '\\' : *p;
  return path;
}

int zl_host_describe_network(struct zl_net *net, json_t *to, struct zl_error *err)
{
  (void)net;
  (void)to;
  (void)err;
  return 0; /* the backend has more to tell (its describe) */
}

/* It inherits the rights of its directory; who else may use it is the operator's to say. */
int zl_host_own_volume(int fd, const struct zl_container_plan *plan, const char *target,
                       struct zl_error *err)
{
  (void)fd;
  (void)plan;
  (void)target;
  (void)err;
  return 0;
}

const struct zl_win_services *zl_host_layer_services(void)
{
  return &zl_hcs_host_layer_services;
}

int zl_host_max_signal(void)
{
  return ZL_SIGNAL_EVENT + 5;
}
