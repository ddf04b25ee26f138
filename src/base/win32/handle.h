/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors and the handles behind them. For the files of src/base/win32 and others that call
 * Windows.
 */
#ifndef ZL_BASE_WIN32_HANDLE_H
#define ZL_BASE_WIN32_HANDLE_H

#include <stddef.h>
#include <windows.h>

/* The handle of a descriptor, which stays its owner; INVALID_HANDLE_VALUE with errno. */
HANDLE zl_handle_of(int fd);
/* A descriptor that owns `handle` of a file, directory or pipe; -1 with errno, the handle closed.
 */
int zl_handle_to_fd(HANDLE handle, int flags);
/* The same for an event, process or other thing to wait for: a number from ZL_OBJECT_FD on. */
int zl_handle_to_object_fd(HANDLE handle);
/* Whether `fd` is one of those that the process has. */
int zl_handle_is_object(int fd);

/* The errno of an error of Windows, of an NTSTATUS, and of the last failed call. */
int zl_errno_of_win32(DWORD code);
int zl_errno_of_status(LONG status);
static inline int zl_errno_of_last(void)
{
  return zl_errno_of_win32(GetLastError());
}
/* Sets errno and returns -1. */
int zl_posix_fail(int os_error);

#endif
