/* SPDX-License-Identifier: Apache-2.0 */
#include "image/win32/privilege.h"

#include <pthread.h>
#include <windows.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void enable(HANDLE token, const wchar_t *name)
{
  TOKEN_PRIVILEGES change = { .PrivilegeCount = 1 };

  change.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
  if (LookupPrivilegeValueW(NULL, name, &change.Privileges[0].Luid))
    (void)AdjustTokenPrivileges(token, FALSE, &change, 0, NULL, NULL);
}

static void enable_both(void)
{
  HANDLE token = NULL;

  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES, &token))
    return;
  enable(token, L"SeBackupPrivilege");
  enable(token, L"SeRestorePrivilege");
  (void)CloseHandle(token);
}

void zl_enable_restore(void)
{
  (void)pthread_once(&once, enable_both);
}
