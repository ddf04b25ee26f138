/* SPDX-License-Identifier: Apache-2.0
 *
 * The C runtime has numbers for files only; those of events and processes are given out here.
 */
#include "base/win32/handle.h"

#include <stdbool.h>

enum {
  MAX_OBJECTS = 4096
};

static SRWLOCK lock = SRWLOCK_INIT;
static HANDLE objects[MAX_OBJECTS]; /* NULL: free */

int zl_handle_is_object(int fd)
{
  return fd >= ZL_OBJECT_FD && fd < ZL_OBJECT_FD + MAX_OBJECTS;
}

HANDLE zl_handle_of(int fd)
{
  HANDLE handle = INVALID_HANDLE_VALUE;

  if (zl_handle_is_object(fd)) {
    AcquireSRWLockShared(&lock);
    handle = objects[fd - ZL_OBJECT_FD];
    ReleaseSRWLockShared(&lock);
  } else if (fd >= 0) {
    handle = (HANDLE)_get_osfhandle(fd);
  }
  if (handle == NULL || handle == INVALID_HANDLE_VALUE) {
    errno = EBADF;
    return INVALID_HANDLE_VALUE;
  }
  return handle;
}

int zl_handle_to_fd(HANDLE handle, int flags)
{
  int fd = _open_osfhandle((intptr_t)handle,
                           O_BINARY | O_NOINHERIT | (flags & (O_APPEND | O_RDWR | O_WRONLY)));

  if (fd < 0) {
    int os_error = errno;

    (void)CloseHandle(handle);
    errno = os_error;
  }
  return fd;
}

int zl_handle_to_object_fd(HANDLE handle)
{
  int fd = -1;

  AcquireSRWLockExclusive(&lock);
  for (int i = 0; i < MAX_OBJECTS && fd < 0; i++) {
    if (objects[i] != NULL)
      continue;
    objects[i] = handle;
    fd = ZL_OBJECT_FD + i;
  }
  ReleaseSRWLockExclusive(&lock);
  if (fd >= 0)
    return fd;
  (void)CloseHandle(handle);
  return zl_posix_fail(EMFILE);
}

static int close_object(int fd)
{
  HANDLE handle;

  AcquireSRWLockExclusive(&lock);
  handle = objects[fd - ZL_OBJECT_FD];
  objects[fd - ZL_OBJECT_FD] = NULL;
  ReleaseSRWLockExclusive(&lock);
  if (handle == NULL)
    return zl_posix_fail(EBADF);
  (void)CloseHandle(handle);
  return 0;
}

int zl_posix_close(int fd)
{
  if (fd < 0)
    return zl_posix_fail(EBADF);
  return zl_handle_is_object(fd) ? close_object(fd) : _close(fd);
}
