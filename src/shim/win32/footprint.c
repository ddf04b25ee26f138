/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/footprint.h"

#include <windows.h>

void footprint_shrink(void)
{
  (void)SetProcessWorkingSetSize(GetCurrentProcess(), (SIZE_T)-1, (SIZE_T)-1);
}
