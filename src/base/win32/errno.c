/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table from the errors of Windows to those of the rooms.
 */
#include <winternl.h>

#include "base/cleanup.h"
#include "base/win32/handle.h"

/* What the headers here do not have. */
enum {
  STOPPED_ON_SYMLINK = 681,
  QUOTA_EXCEEDED = 1295
};

static const struct {
  DWORD code;
  int os_error;
} table[] = {
  { ERROR_FILE_NOT_FOUND, ENOENT },
  { ERROR_PATH_NOT_FOUND, ENOENT },
  { ERROR_TOO_MANY_OPEN_FILES, EMFILE },
  { ERROR_ACCESS_DENIED, EACCES },
  { ERROR_INVALID_HANDLE, EBADF },
  { ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
  { ERROR_OUTOFMEMORY, ENOMEM },
  { ERROR_INVALID_DRIVE, ENOENT },
  { ERROR_NOT_SAME_DEVICE, EXDEV },
  { ERROR_WRITE_PROTECT, EROFS },
  { ERROR_SHARING_VIOLATION, EBUSY },
  { ERROR_LOCK_VIOLATION, EWOULDBLOCK },
  { ERROR_HANDLE_EOF, EIO },
  { ERROR_HANDLE_DISK_FULL, ENOSPC },
  { ERROR_NOT_SUPPORTED, ENOTSUP },
  { ERROR_BAD_NETPATH, ENOENT },
  { ERROR_BAD_NET_NAME, ENOENT },
  { ERROR_FILE_EXISTS, EEXIST },
  { ERROR_INVALID_PARAMETER, EINVAL },
  { ERROR_BROKEN_PIPE, EPIPE },
  { ERROR_DISK_FULL, ENOSPC },
  { ERROR_CALL_NOT_IMPLEMENTED, ENOSYS },
  { ERROR_INVALID_NAME, EINVAL },
  { ERROR_DIR_NOT_EMPTY, ENOTEMPTY },
  { ERROR_BAD_PATHNAME, EINVAL },
  { ERROR_ALREADY_EXISTS, EEXIST },
  { ERROR_BAD_EXE_FORMAT, ENOEXEC },
  { ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
  { ERROR_NO_DATA, EPIPE },
  { ERROR_PIPE_NOT_CONNECTED, EPIPE },
  { ERROR_DIRECTORY, ENOTDIR },
  { ERROR_DELETE_PENDING, ENOENT },
  { ERROR_OPERATION_ABORTED, EINTR },
  { ERROR_IO_DEVICE, EIO },
  { ERROR_NOACCESS, EFAULT },
  { ERROR_INVALID_FUNCTION, ENOSYS },
  { ERROR_PRIVILEGE_NOT_HELD, EPERM },
  { ERROR_TOO_MANY_LINKS, EMLINK },
  { QUOTA_EXCEEDED, EDQUOT },
  { ERROR_CANT_RESOLVE_FILENAME, ELOOP },
  { STOPPED_ON_SYMLINK, ELOOP },
};

int zl_errno_of_win32(DWORD code)
{
  for (size_t i = 0; i < ZL_COUNT(table); i++)
    if (table[i].code == code)
      return table[i].os_error;
  return EIO;
}

enum {
  FILE_IS_A_DIRECTORY = (int)0xC00000BA,
  NOT_A_DIRECTORY = (int)0xC0000103,
  DELETE_PENDING = (int)0xC0000056,
  CANNOT_DELETE = (int)0xC0000121,
  REPARSE_POINT_ENCOUNTERED = (int)0xC000050B
};

/* Windows folds several of these into "access denied". */
int zl_errno_of_status(LONG status)
{
  switch ((int)status) {
  case FILE_IS_A_DIRECTORY:
    return EISDIR;
  case NOT_A_DIRECTORY:
    return ENOTDIR;
  case DELETE_PENDING:
    return ENOENT;
  case CANNOT_DELETE:
    return EPERM;
  case REPARSE_POINT_ENCOUNTERED:
    return ELOOP;
  default:
    return zl_errno_of_win32(RtlNtStatusToDosError(status));
  }
}

int zl_posix_fail(int os_error)
{
  errno = os_error;
  return -1;
}
