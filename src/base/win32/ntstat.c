/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/statvfs.h>

#include "base/win32/handle.h"
#include "base/win32/nt.h"

enum {
  TICKS_PER_S = 10000000,
  BLOCK = 512
};
/* Seconds from 1601 to 1970. */
static const int64_t EPOCH = 11644473600;

static int64_t wide(DWORD high, DWORD low)
{
  return (int64_t)(((uint64_t)high << 32) | low);
}

static struct timespec time_of(FILETIME time)
{
  const int64_t ticks = wide(time.dwHighDateTime, time.dwLowDateTime);

  return (struct timespec){ .tv_sec = ticks / TICKS_PER_S - EPOCH,
                            .tv_nsec = (long)(ticks % TICKS_PER_S) * 100 };
}

static uint32_t mode_of(DWORD attributes)
{
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT)
    return S_IFLNK | 0777;
  if (attributes & FILE_ATTRIBUTE_DIRECTORY)
    return S_IFDIR | 0700;
  return S_IFREG | ((attributes & FILE_ATTRIBUTE_READONLY) ? 0400 : 0600);
}

/* No file of a disk: a pipe, a console. */
static bool is_other(HANDLE handle, struct zl_posix_stat *ret)
{
  const DWORD type = GetFileType(handle);

  if (type == FILE_TYPE_DISK)
    return false;
  *ret = (struct zl_posix_stat){ .st_mode = (type == FILE_TYPE_PIPE ? S_IFIFO : S_IFCHR) | 0600,
                                 .st_nlink = 1 };
  return true;
}

static int stat_handle(HANDLE handle, struct zl_posix_stat *ret)
{
  BY_HANDLE_FILE_INFORMATION info;
  FILE_STANDARD_INFO space = { 0 };

  if (is_other(handle, ret))
    return 0;
  if (!GetFileInformationByHandle(handle, &info))
    return -zl_errno_of_last();
  (void)GetFileInformationByHandleEx(handle, FileStandardInfo, &space, sizeof(space));
  *ret = (struct zl_posix_stat){
    .st_dev = info.dwVolumeSerialNumber,
    .st_ino = (uint64_t)wide(info.nFileIndexHigh, info.nFileIndexLow),
    .st_mode = mode_of(info.dwFileAttributes),
    .st_nlink = info.nNumberOfLinks,
    .st_size = wide(info.nFileSizeHigh, info.nFileSizeLow),
    .st_blocks = (space.AllocationSize.QuadPart + BLOCK - 1) / BLOCK,
    .st_atim = time_of(info.ftLastAccessTime),
    .st_mtim = time_of(info.ftLastWriteTime),
    .st_ctim = time_of(info.ftLastWriteTime),
  };
  return 0;
}

int zl_posix_fstat(int fd, struct zl_posix_stat *ret)
{
  HANDLE handle = zl_handle_of(fd);
  int r = handle != INVALID_HANDLE_VALUE ? stat_handle(handle, ret) : -errno;

  return r < 0 ? zl_posix_fail(-r) : 0;
}

/* The link itself is what there is to see, below a descriptor in any case. */
static int open_to_look(int dirfd, const char *path, int flags, HANDLE *ret)
{
  const struct zl_nt_open how = { .access = FILE_READ_ATTRIBUTES,
                                  .disposition = FILE_OPEN,
                                  .follow = (flags & AT_SYMLINK_NOFOLLOW) == 0 };
  zl_autohandle owned = NULL;
  zl_autofree wchar_t *name = NULL;
  HANDLE parent = NULL;
  int r;

  if (dirfd == AT_FDCWD && how.follow)
    return zl_nt_open_at(dirfd, path, &how, ret);
  r = zl_nt_open_parent(dirfd, path, &parent, &owned, &name);
  if (r == -EINVAL) /* "." */
    return zl_nt_open_at(dirfd, path, &how, ret);
  return r < 0 ? r : zl_nt_open_child(parent, name, &how, !how.follow, ret);
}

int zl_posix_fstatat(int dirfd, const char *path, struct zl_posix_stat *ret, int flags)
{
  zl_autohandle handle = NULL;
  int r = open_to_look(dirfd, path, flags, &handle);

  if (r == 0)
    r = stat_handle(handle, ret);
  return r < 0 ? zl_posix_fail(-r) : 0;
}

int zl_posix_stat(const char *path, struct zl_posix_stat *ret)
{
  return fstatat(AT_FDCWD, path, ret, 0);
}

/* FILE_FS_FULL_SIZE_INFORMATION, in units of allocation. */
struct full_size {
  int64_t total, available, free;
  uint32_t sectors_per_unit, bytes_per_sector;
};

NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *ret, ULONG len,
                                            FS_INFORMATION_CLASS kind);

int zl_posix_fstatvfs(int fd, struct zl_posix_statvfs *ret)
{
  const int full_size_information = 7;
  HANDLE handle = zl_handle_of(fd);
  struct full_size info = { 0 };
  IO_STATUS_BLOCK io = { 0 };
  NTSTATUS status;

  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  status = NtQueryVolumeInformationFile(handle, &io, &info, sizeof(info),
                                        (FS_INFORMATION_CLASS)full_size_information);
  if (status < 0)
    return zl_posix_fail(zl_errno_of_status(status));
  *ret = (struct zl_posix_statvfs){
    .f_frsize = (uint64_t)info.sectors_per_unit * info.bytes_per_sector,
    .f_blocks = (uint64_t)info.total,
    .f_bavail = (uint64_t)info.available,
  };
  return ret->f_frsize != 0 ? 0 : zl_posix_fail(ENOTSUP);
}

int zl_posix_faccessat(int dirfd, const char *path, int mode, int flags)
{
  const struct zl_nt_open how = {
    .access = FILE_READ_ATTRIBUTES | ((mode & R_OK) ? FILE_READ_DATA : 0) |
              ((mode & W_OK) ? FILE_WRITE_DATA : 0) | ((mode & X_OK) ? FILE_EXECUTE : 0),
    .disposition = FILE_OPEN,
    .follow = true,
  };
  zl_autohandle handle = NULL;
  int r = zl_nt_open_at(dirfd, path, &how, &handle);

  (void)flags;
  return r < 0 ? zl_posix_fail(-r) : 0;
}

int zl_posix_access(const char *path, int mode)
{
  return faccessat(AT_FDCWD, path, mode, 0);
}

int zl_posix_fchmodat(int dirfd, const char *path, unsigned mode, int flags)
{
  const struct zl_nt_open how = { .access = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
                                  .disposition = FILE_OPEN,
                                  .follow = (flags & AT_SYMLINK_NOFOLLOW) == 0 };
  zl_autohandle handle = NULL;
  FILE_BASIC_INFO info = { 0 };
  int r = zl_nt_open_at(dirfd, path, &how, &handle);

  if (r < 0)
    return zl_posix_fail(-r);
  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)))
    return zl_posix_fail(zl_errno_of_last());
  info.FileAttributes &= ~(DWORD)FILE_ATTRIBUTE_READONLY;
  info.FileAttributes |= (mode & S_IWUSR) != 0 ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_READONLY;
  return SetFileInformationByHandle(handle, FileBasicInfo, &info, sizeof(info))
             ? 0
             : zl_posix_fail(zl_errno_of_last());
}
