/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/win32/handle.h"

enum {
  VOLUME_PATH = 32767 /* the longest path there is */
};

/* Pipes whose writers are gone and reads behind the end give no bytes: that is no error. */
static ssize_t read_handle(HANDLE handle, void *data, size_t len, OVERLAPPED *where)
{
  DWORD n = 0, want = (DWORD)(len < ZL_POSIX_IO_MAX ? len : ZL_POSIX_IO_MAX);

  if (ReadFile(handle, data, want, &n, where))
    return n;
  if (GetLastError() == ERROR_HANDLE_EOF || GetLastError() == ERROR_BROKEN_PIPE)
    return 0;
  return zl_posix_fail(zl_errno_of_last());
}

static ssize_t write_handle(HANDLE handle, const void *data, size_t len, OVERLAPPED *where)
{
  DWORD n = 0, want = (DWORD)(len < ZL_POSIX_IO_MAX ? len : ZL_POSIX_IO_MAX);

  if (WriteFile(handle, data, want, &n, where))
    return n;
  return zl_posix_fail(zl_errno_of_last());
}

/* An event has no bytes: eight of them, a number, are what its readers and writers pass. */
static ssize_t event_io(HANDLE handle, size_t len, BOOL ok)
{
  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  if (len < sizeof(uint64_t))
    return zl_posix_fail(EINVAL);
  return ok ? (ssize_t)sizeof(uint64_t) : zl_posix_fail(zl_errno_of_last());
}

ssize_t zl_posix_read(int fd, void *data, size_t len)
{
  HANDLE handle = zl_handle_of(fd);

  if (zl_handle_is_object(fd)) {
    if (len >= sizeof(uint64_t))
      memcpy(data, &(uint64_t){ 1 }, sizeof(uint64_t));
    return event_io(handle, len, ResetEvent(handle));
  }
  return handle != INVALID_HANDLE_VALUE ? read_handle(handle, data, len, NULL) : -1;
}

ssize_t zl_posix_write(int fd, const void *data, size_t len)
{
  HANDLE handle = zl_handle_of(fd);

  if (zl_handle_is_object(fd))
    return event_io(handle, len, SetEvent(handle));
  return handle != INVALID_HANDLE_VALUE ? write_handle(handle, data, len, NULL) : -1;
}

static OVERLAPPED at(int64_t offset)
{
  return (OVERLAPPED){ .Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32) };
}

ssize_t zl_posix_pread(int fd, void *data, size_t len, int64_t offset)
{
  HANDLE handle = zl_handle_of(fd);
  OVERLAPPED where = at(offset);

  return handle != INVALID_HANDLE_VALUE ? read_handle(handle, data, len, &where) : -1;
}

ssize_t zl_posix_pwrite(int fd, const void *data, size_t len, int64_t offset)
{
  HANDLE handle = zl_handle_of(fd);
  OVERLAPPED where = at(offset);

  return handle != INVALID_HANDLE_VALUE ? write_handle(handle, data, len, &where) : -1;
}

/* What cannot be flushed alone, because its file system has no such thing or we may only read it,
 * holds nothing of ours that would wait for it. */
static int is_nothing_to_flush(DWORD code)
{
  return code == ERROR_ACCESS_DENIED || code == ERROR_INVALID_FUNCTION ||
         code == ERROR_NOT_SUPPORTED || code == ERROR_INVALID_HANDLE;
}

int zl_posix_fsync(int fd)
{
  HANDLE handle = zl_handle_of(fd);
  struct zl_posix_stat st;

  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  if (FlushFileBuffers(handle))
    return 0;
  if (is_nothing_to_flush(GetLastError()) && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
    return 0;
  return zl_posix_fail(zl_errno_of_last());
}

int zl_posix_ftruncate(int fd, int64_t size)
{
  HANDLE handle = zl_handle_of(fd);
  FILE_END_OF_FILE_INFO info = { .EndOfFile = { .QuadPart = size } };

  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  if (SetFileInformationByHandle(handle, FileEndOfFileInfo, &info, sizeof(info)))
    return 0;
  return zl_posix_fail(zl_errno_of_last());
}

int64_t zl_posix_lseek(int fd, int64_t offset, int whence)
{
  LARGE_INTEGER at = { .QuadPart = offset }, now;
  HANDLE handle = zl_handle_of(fd);

  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  if (whence == SEEK_HOLE ? GetFileSizeEx(handle, &now)
                          : SetFilePointerEx(handle, at, &now, (DWORD)whence))
    return now.QuadPart;
  return zl_posix_fail(zl_errno_of_last());
}

int zl_posix_syncfs(int fd)
{
  zl_autofree wchar_t *path = calloc(VOLUME_PATH + 1, sizeof(*path));
  HANDLE handle = zl_handle_of(fd), volume;
  wchar_t *end;
  BOOL ok;

  if (path == NULL)
    return zl_posix_fail(ENOMEM);
  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  if (GetFinalPathNameByHandleW(handle, path, VOLUME_PATH, VOLUME_NAME_GUID) == 0)
    return zl_posix_fail(zl_errno_of_last());
  end = wcschr(path, L'}');
  if (end == NULL)
    return zl_posix_fail(ENOTSUP);
  end[1] = L'\0';
  volume = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                       OPEN_EXISTING, 0, NULL);
  if (volume == INVALID_HANDLE_VALUE)
    return zl_posix_fail(zl_errno_of_last());
  ok = FlushFileBuffers(volume);
  if (!ok)
    (void)zl_posix_fail(zl_errno_of_last());
  (void)CloseHandle(volume);
  return ok ? 0 : -1;
}
