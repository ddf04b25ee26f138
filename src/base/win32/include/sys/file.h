/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_BASE_WIN32_SYS_FILE
#define ZL_BASE_WIN32_SYS_FILE

#include "base/win32/posix.h"

#endif
