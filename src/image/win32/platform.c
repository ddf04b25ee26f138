/* SPDX-License-Identifier: Apache-2.0 */
#include "image/platform.h"

#include <windows.h>
#include <winternl.h>

NTSTATUS NTAPI RtlGetVersion(OSVERSIONINFOW *info);

void zl_platform_of_node(struct zl_image_platform *ret)
{
  OSVERSIONINFOW version = { .dwOSVersionInfoSize = sizeof(version) };
  SYSTEM_INFO info = { 0 };

  GetNativeSystemInfo(&info);
  zl_platform_of_machine(
      "windows", info.wProcessorArchitecture == PROCESSOR_ARCHITECTURE_ARM64 ? "aarch64" : "x86_64",
      ret);
  if (RtlGetVersion(&version) >= 0)
    (void)snprintf(ret->os_version, sizeof(ret->os_version), "%lu.%lu.%lu", version.dwMajorVersion,
                   version.dwMinorVersion, version.dwBuildNumber);
}
