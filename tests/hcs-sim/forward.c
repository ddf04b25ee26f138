/* SPDX-License-Identifier: Apache-2.0
 *
 * A library under its name on Windows: all its exports are forwarded (its .def file). The call
 * makes it import hcssim.dll, so that one is loaded with it, from the same directory.
 */
#include <windows.h>

__declspec(dllimport) int hcssim_attached(void);

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
  (void)module;
  (void)reserved;
  return reason != DLL_PROCESS_ATTACH || hcssim_attached();
}
