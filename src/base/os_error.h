/* SPDX-License-Identifier: Apache-2.0
 *
 * What a system's error number says.
 */
#ifndef ZL_BASE_OS_ERROR_H
#define ZL_BASE_OS_ERROR_H

#include <stddef.h>

enum {
  ZL_OS_ERROR_TEXT = 160
};

/* The text of an errno; on Windows also of a Win32 error and an HRESULT, with its number. Cut to
 * `size`. Returns `text`. */
const char *zl_os_error_text(int os_error, char *text, size_t size);

#endif
