/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8, which all rooms have, and UTF-16, which Windows takes. Text that is not valid is refused,
 * never changed.
 */
#ifndef ZL_BASE_WIN32_WIDE_H
#define ZL_BASE_WIN32_WIDE_H

#include <stddef.h>
#include <wchar.h>

/* In memory of the caller's; NULL: no memory or no valid text (errno ENOMEM, EILSEQ). */
wchar_t *zl_wide_of(const char *text);
char *zl_wide_to_utf8(const wchar_t *text, size_t len);

/* A path as users write it, as the kernel wants it: "\??\C:\x", "\??\UNC\server\share", without
 * limit of length. Slashes serve as well; "/dev/null" is NUL. NULL with errno. */
wchar_t *zl_wide_nt_path(const char *path);

#endif
