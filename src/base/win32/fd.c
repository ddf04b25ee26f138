/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/cleanup.h"
#include "base/put_in_place.h"
#include "base/win32/handle.h"

enum {
  PIPE_SIZE = 64 << 10
};

int zl_fd_copy(int fd)
{
  HANDLE handle = zl_handle_of(fd), copy;
  int made;

  if (handle == INVALID_HANDLE_VALUE)
    return -errno;
  if (!DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS))
    return -zl_errno_of_last();
  made = zl_handle_is_object(fd) ? zl_handle_to_object_fd(copy) : zl_handle_to_fd(copy, O_RDWR);
  return made < 0 ? -errno : made;
}

int zl_fd_pipe(int ends[2], struct zl_error *err)
{
  HANDLE from, to;

  if (!CreatePipe(&from, &to, NULL, PIPE_SIZE))
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "making a pipe");
  ends[0] = zl_handle_to_fd(from, O_RDONLY);
  ends[1] = zl_handle_to_fd(to, O_WRONLY);
  if (ends[0] >= 0 && ends[1] >= 0)
    return 0;
  (void)zl_fail_errno(err, "making a pipe");
  for (int i = 0; i < 2; i++)
    zl_fd_closep(&ends[i]);
  return -ZL_E_SYSTEM;
}

/* The rename is one step of the file system's log; a durable one is followed by a flush of the
 * directory (zl_file_replace). */
int zl_put_in_place(int dirfd, const char *tmp, const char *name, bool durable)
{
  (void)durable;
  return renameat(dirfd, tmp, dirfd, name) < 0 ? errno : 0;
}
