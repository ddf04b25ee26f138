/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of ntdll that have no equal in the Win32 API: opening relative to a handle, removing,
 * renaming and linking by handle.
 */
#ifndef ZL_BASE_WIN32_NT_H
#define ZL_BASE_WIN32_NT_H

#include <stdbool.h>
#include <windows.h>
#include <winternl.h>

#include "base/cleanup.h"

/* A handle that its scope closes; NULL: none. */
static inline void zl_nt_closep(HANDLE *handle)
{
  int saved = errno;

  if (*handle != NULL)
    (void)CloseHandle(*handle);
  *handle = NULL;
  errno = saved;
}
#define zl_autohandle ZL_CLEANUP(zl_nt_closep) HANDLE

/* What the headers here do not have. */
enum {
  ZL_NT_RENAME = 10, /* FILE_INFORMATION_CLASS */
  ZL_NT_LINK = 11,
  ZL_NT_DISPOSITION = 13,
  ZL_NT_DISPOSITION_EX = 64,
  ZL_NT_RENAME_EX = 65
};

/* What is to be opened. */
struct zl_nt_open {
  ACCESS_MASK access; /* SYNCHRONIZE comes on top */
  ULONG disposition;  /* FILE_OPEN, … */
  ULONG options;      /* FILE_DIRECTORY_FILE, …; synchronous, for backup, comes on top */
  bool follow;        /* the last component may be a reparse point of any kind */
  SECURITY_ATTRIBUTES *security; /* of what is made; NULL: its directory's */
};

/* Opens (dirfd, path) as posix.h promises: below a descriptor handle by handle. 0 or -errno. */
int zl_nt_open_at(int dirfd, const char *path, const struct zl_nt_open *how, HANDLE *ret);

/* The directory in which the last component of (dirfd, path) is or will be. *ret_owned is closed by
 * the caller (NULL: *ret_parent is dirfd's own), *ret_name in memory of the caller's. 0 or -errno.
 */
int zl_nt_open_parent(int dirfd, const char *path, HANDLE *ret_parent, HANDLE *ret_owned,
                      wchar_t **ret_name);
/* One component in a directory. 0 or -errno; a reparse point is -ELOOP unless `keep_links`. */
int zl_nt_open_child(HANDLE parent, const wchar_t *name, const struct zl_nt_open *how,
                     bool keep_links, HANDLE *ret);

#endif
