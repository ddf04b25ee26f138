/* SPDX-License-Identifier: Apache-2.0 */
#include "base/kernel.h"

#include <windows.h>
#include <winternl.h>

NTSTATUS NTAPI RtlGetVersion(OSVERSIONINFOW *info);

/* Windows answers with ENOSYS for what a file system cannot do, which its error says well enough.
 */
void zl_kernel_explain(struct zl_error *err)
{
  (void)err;
}

bool zl_kernel_is_from(unsigned major, unsigned minor)
{
  OSVERSIONINFOW info = { .dwOSVersionInfoSize = sizeof(info) };

  return RtlGetVersion(&info) >= 0 &&
         (info.dwMajorVersion > major ||
          (info.dwMajorVersion == major && info.dwMinorVersion >= minor));
}
