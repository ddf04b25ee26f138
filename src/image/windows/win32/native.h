/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, naming and removing relative to a root's handle. One call takes the whole path, with
 * OBJ_DONT_REPARSE: Windows itself refuses when anything on the way is a reparse point, whoever
 * changes it meanwhile.
 */
#ifndef ZL_IMAGE_WINDOWS_WIN32_NATIVE_H
#define ZL_IMAGE_WINDOWS_WIN32_NATIVE_H

#include <windows.h>
#include <winternl.h>

#include "image/windows/win32/host_win32.h"

enum {
  /* For reading and writing all of a file, its security descriptor too. */
  ZL_NATIVE_WRITE = (int)(GENERIC_READ | GENERIC_WRITE),
  ZL_NATIVE_SECURITY = WRITE_DAC | WRITE_OWNER | ACCESS_SYSTEM_SECURITY
};

/* The thing itself, be it a reparse point. ZL_E_NOT_FOUND, ZL_E_CONFLICT, ZL_E_CORRUPT (a reparse
 * point on the way), ZL_E_PERMISSION, ZL_E_SYSTEM. */
int zl_native_open(const struct zl_win_host_options *host, struct zl_win_place at,
                   ACCESS_MASK access, ULONG disposition, ULONG options, HANDLE *ret,
                   struct zl_error *err);
/* A second name for what `file` is (opened with FILE_WRITE_ATTRIBUTES). */
int zl_native_link(const struct zl_win_host_options *host, HANDLE file, struct zl_win_place to,
                   struct zl_error *err);
/* The name by which `file` (opened with DELETE) was opened. */
int zl_native_remove(HANDLE file, struct zl_win_place at, struct zl_error *err);
/* The refusal of a call, from GetLastError. */
int zl_native_fail(const char *what, const char *path, struct zl_error *err);

#endif
