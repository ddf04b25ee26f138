/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/privilege.h"

enum {
  TOKEN_QUERY = 8,
  TOKEN_ADJUST_PRIVILEGES = 0x20,
  PRIVILEGE_ENABLED = 2,
  NOT_ALL_ASSIGNED = 1300
};

static int enable(const struct zl_hcs_api *api, zl_handle token, const char *name,
                  struct zl_error *err)
{
  struct zl_win_privileges change = { .count = 1, .attributes = PRIVILEGE_ENABLED };
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wide_new(name, &wide, err);

  if (r < 0)
    return r;
  if (!api->LookupPrivilegeValueW(NULL, wide, &change.luid))
    return zl_hcs_fail_last(api, err, "looking up %s", name);
  if (!api->AdjustTokenPrivileges(token, 0, &change, 0, NULL, NULL))
    return zl_hcs_fail_last(api, err, "turning %s on", name);
  /* It succeeds also when it did nothing. */
  if (api->GetLastError() == NOT_ALL_ASSIGNED)
    return zl_fail(err, ZL_E_PERMISSION, 0,
                   "this process has no %s: run it as an administrator or as SYSTEM", name);
  return 0;
}

int zl_hcs_enable_privileges(const struct zl_hcs_api *api, struct zl_error *err)
{
  static const char *const names[] = { "SeBackupPrivilege", "SeRestorePrivilege",
                                       "SeSecurityPrivilege" };
  zl_handle token = NULL;
  int r = 0;

  if (!api->OpenProcessToken(api->GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES,
                             &token))
    return zl_hcs_fail_last(api, err, "opening the process's token");
  for (size_t i = 0; r == 0 && i < ZL_COUNT(names); i++)
    r = enable(api, token, names[i], err);
  (void)api->CloseHandle(token);
  return r;
}
