/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening by handle. A component below a descriptor is opened alone, relative to the handle of its
 * directory and with FILE_OPEN_REPARSE_POINT: the kernel opens the very thing of that name and goes
 * nowhere, and what turns out to be a link, a junction or a mount point is refused. There is no
 * moment between a check and its use, and no kind of reparse point that would have to be known.
 */
#include <stdarg.h>
#include <windows.h>

#include <sddl.h>

#include "base/win32/handle.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"

enum {
  SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
  /* "May look into it and make things in it"; the second also lets it be flushed. */
  LOOK = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | FILE_READ_EA | READ_CONTROL,
  FILL = FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_DELETE_CHILD
};

static int nt_open(HANDLE root, const wchar_t *name, const struct zl_nt_open *how, ULONG options,
                   HANDLE *ret)
{
  size_t bytes = wcslen(name) * sizeof(*name);
  UNICODE_STRING text = { .Length = (USHORT)bytes,
                          .MaximumLength = (USHORT)bytes,
                          .Buffer = (wchar_t *)(uintptr_t)name };
  OBJECT_ATTRIBUTES object = { .Length = sizeof(object),
                               .RootDirectory = root,
                               .ObjectName = &text,
                               .Attributes = OBJ_CASE_INSENSITIVE };
  IO_STATUS_BLOCK io = { 0 };
  NTSTATUS status;

  if (bytes > 0xFFFE)
    return -ENAMETOOLONG;
  if (how->security != NULL)
    object.SecurityDescriptor = how->security->lpSecurityDescriptor;
  status = NtCreateFile(
      ret, how->access | SYNCHRONIZE, &object, &io, NULL, FILE_ATTRIBUTE_NORMAL, SHARE_ALL,
      how->disposition,
      how->options | options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT, NULL, 0);
  if (status >= 0)
    return 0;
  *ret = NULL;
  return -zl_errno_of_status(status);
}

static bool is_reparse_point(HANDLE handle)
{
  FILE_ATTRIBUTE_TAG_INFO info = { 0 };

  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof(info)) &&
         (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

int zl_nt_open_child(HANDLE parent, const wchar_t *name, const struct zl_nt_open *how,
                     bool keep_links, HANDLE *ret)
{
  zl_autohandle handle = NULL;
  int r = nt_open(parent, name, how, FILE_OPEN_REPARSE_POINT, &handle);

  if (r < 0)
    return r;
  if (!keep_links && is_reparse_point(handle))
    return -ELOOP;
  *ret = zl_steal_ptr(&handle);
  return 0;
}

/* What Win32 could not name, or would take for something else. */
static bool is_component(const char *name, size_t len)
{
  if (len > NAME_MAX || name[len - 1] == '.' || name[len - 1] == ' ')
    return false;
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)name[i] < 0x20 || strchr("\\:*?\"<>|", name[i]) != NULL)
      return false;
  return true;
}

/* Copies the next component of *path and advances: 1, 0 at the end, -errno. */
static int next_component(const char **path, wchar_t **ret)
{
  char name[NAME_MAX + 1];
  const char *p = *path;
  size_t len;

  do {
    p += strspn(p, "/");
    len = strcspn(p, "/");
    *path = p + len;
    if (len == 0)
      return 0;
  } while (len == 1 && *p == '.' && (p += len) != NULL);
  if (len > NAME_MAX)
    return -ENAMETOOLONG;
  if (!is_component(p, len))
    return -EINVAL;
  memcpy(name, p, len);
  name[len] = '\0';
  *ret = zl_wide_of(name);
  return *ret != NULL ? 1 : -errno;
}

/* From `dir` to the directory of the last component, whose name is *ret_name (NULL: `dir` itself).
 */
static int walk(HANDLE dir, const char *path, HANDLE *ret_parent, HANDLE *ret_owned,
                wchar_t **ret_name)
{
  const struct zl_nt_open look = { .access = FILE_TRAVERSE | FILE_READ_ATTRIBUTES,
                                   .disposition = FILE_OPEN,
                                   .options = FILE_DIRECTORY_FILE };
  zl_autohandle owned = NULL;
  zl_autofree wchar_t *name = NULL;
  int r = next_component(&path, &name);

  while (r > 0) {
    zl_autofree wchar_t *next = NULL;
    HANDLE child = NULL;

    r = next_component(&path, &next);
    if (r <= 0)
      break;
    r = zl_nt_open_child(owned != NULL ? owned : dir, name, &look, false, &child);
    if (r < 0)
      break;
    zl_nt_closep(&owned);
    owned = child;
    free(name);
    name = zl_steal_ptr(&next);
    r = 1;
  }
  if (r < 0)
    return r;
  *ret_parent = owned != NULL ? owned : dir;
  *ret_owned = zl_steal_ptr(&owned);
  *ret_name = zl_steal_ptr(&name);
  return 0;
}

/* The parent of a path as users write it, and the last component. */
static int host_parent(const char *path, HANDLE *ret_owned, wchar_t **ret_name)
{
  const struct zl_nt_open look = { .access = FILE_TRAVERSE | FILE_READ_ATTRIBUTES,
                                   .disposition = FILE_OPEN,
                                   .options = FILE_DIRECTORY_FILE };
  zl_autofree wchar_t *full = zl_wide_nt_path(path);
  wchar_t *slash;

  if (full == NULL)
    return -errno;
  slash = wcsrchr(full, L'\\');
  if (slash == NULL || slash[1] == L'\0')
    return -EINVAL;
  *ret_name = _wcsdup(slash + 1);
  if (*ret_name == NULL)
    return -ENOMEM;
  slash[1] = L'\0'; /* with it: "\??\C:\" is a directory and "\??\C:" a volume */
  return nt_open(NULL, full, &look, 0, ret_owned);
}

int zl_nt_open_parent(int dirfd, const char *path, HANDLE *ret_parent, HANDLE *ret_owned,
                      wchar_t **ret_name)
{
  HANDLE dir;
  int r;

  *ret_owned = NULL;
  *ret_name = NULL;
  if (dirfd == AT_FDCWD) {
    r = host_parent(path, ret_owned, ret_name);
    *ret_parent = *ret_owned;
    return r;
  }
  dir = zl_handle_of(dirfd);
  if (dir == INVALID_HANDLE_VALUE)
    return -errno;
  r = walk(dir, path, ret_parent, ret_owned, ret_name);
  return r == 0 && *ret_name == NULL ? -EINVAL : r;
}

static int open_below(int dirfd, const char *path, const struct zl_nt_open *how, HANDLE *ret)
{
  HANDLE dir = zl_handle_of(dirfd), parent = NULL;
  zl_autohandle owned = NULL;
  zl_autofree wchar_t *name = NULL;
  int r;

  if (dir == INVALID_HANDLE_VALUE)
    return -errno;
  if (*path == '\0')
    return -ENOENT;
  r = walk(dir, path, &parent, &owned, &name);
  if (r < 0)
    return r;
  /* "." is the directory once more: the empty name. */
  return name != NULL ? zl_nt_open_child(parent, name, how, false, ret)
                      : nt_open(dir, L"", how, 0, ret);
}

static int open_host(const char *path, const struct zl_nt_open *how, HANDLE *ret)
{
  zl_autofree wchar_t *full = zl_wide_nt_path(path);
  zl_autohandle handle = NULL;
  int r;

  if (full == NULL)
    return -errno;
  r = nt_open(NULL, full, how, how->follow ? 0 : FILE_OPEN_REPARSE_POINT, &handle);
  if (r < 0)
    return r;
  if (!how->follow && is_reparse_point(handle))
    return -ELOOP;
  *ret = zl_steal_ptr(&handle);
  return 0;
}

int zl_nt_open_at(int dirfd, const char *path, const struct zl_nt_open *how, HANDLE *ret)
{
  return dirfd == AT_FDCWD ? open_host(path, how, ret) : open_below(dirfd, path, how, ret);
}

/* ---- As POSIX asks --------------------------------------------------------------------------- */

static ACCESS_MASK access_of(int flags)
{
  const bool writes = (flags & (O_WRONLY | O_RDWR)) != 0;

  if (flags & O_PATH)
    return FILE_READ_ATTRIBUTES | ((flags & O_DIRECTORY) ? FILE_TRAVERSE | FILE_LIST_DIRECTORY : 0);
  if (flags & O_DIRECTORY)
    return LOOK | FILL;
  /* Who may only append writes at the end whatever others do meanwhile. */
  return ((flags & O_WRONLY) ? FILE_READ_ATTRIBUTES : FILE_GENERIC_READ) |
         (!writes            ? 0
          : flags & O_APPEND ? FILE_GENERIC_WRITE & ~(ACCESS_MASK)FILE_WRITE_DATA
                             : FILE_GENERIC_WRITE);
}

static struct zl_nt_open how_of(int flags)
{
  struct zl_nt_open how = { .access = access_of(flags),
                            .disposition = FILE_OPEN,
                            .follow = (flags & O_NOFOLLOW) == 0 };

  if (flags & O_CREAT)
    how.disposition = (flags & O_EXCL) ? FILE_CREATE : FILE_OPEN_IF;
  if (flags & O_DIRECTORY)
    how.options = FILE_DIRECTORY_FILE;
  else if (flags & (O_CREAT | O_WRONLY | O_RDWR))
    how.options = FILE_NON_DIRECTORY_FILE;
  return how;
}

/* Who may use what nobody else may: SYSTEM, the administrators, the owner. */
static SECURITY_ATTRIBUTES *private_security(int mode, bool directory, SECURITY_ATTRIBUTES *space)
{
  static PSECURITY_DESCRIPTOR kept[2];
  static const wchar_t *const texts[2] = {
    L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)",
    L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)",
  };
  static SRWLOCK lock = SRWLOCK_INIT;

  if ((mode & 077) != 0)
    return NULL;
  AcquireSRWLockExclusive(&lock);
  if (kept[directory] == NULL)
    (void)ConvertStringSecurityDescriptorToSecurityDescriptorW(texts[directory], 1,
                                                               &kept[directory], NULL);
  ReleaseSRWLockExclusive(&lock);
  *space =
      (SECURITY_ATTRIBUTES){ .nLength = sizeof(*space), .lpSecurityDescriptor = kept[directory] };
  return space;
}

static int truncate_new(int fd, int flags)
{
  if ((flags & O_TRUNC) == 0 || ftruncate(fd, 0) == 0)
    return fd;
  (void)close(fd);
  return -1;
}

int zl_posix_openat(int dirfd, const char *path, int flags, ...)
{
  struct zl_nt_open how = how_of(flags);
  SECURITY_ATTRIBUTES space;
  HANDLE handle = NULL;
  int r, fd;

  if (flags & O_CREAT) {
    va_list ap;

    va_start(ap, flags);
    how.security = private_security(va_arg(ap, int), false, &space);
    va_end(ap);
    if (how.security != NULL && how.security->lpSecurityDescriptor == NULL)
      return zl_posix_fail(ENOMEM);
  }
  r = zl_nt_open_at(dirfd, path, &how, &handle);
  /* A directory in which we may not write is still one to read. */
  if (r == -EACCES && (flags & (O_DIRECTORY | O_PATH)) == O_DIRECTORY) {
    how.access = LOOK;
    r = zl_nt_open_at(dirfd, path, &how, &handle);
  }
  if (r < 0)
    return zl_posix_fail(-r);
  fd = zl_handle_to_fd(handle, flags);
  return fd < 0 ? fd : truncate_new(fd, flags);
}

int zl_posix_open(const char *path, int flags, ...)
{
  int mode = 0;

  if (flags & O_CREAT) {
    va_list ap;

    va_start(ap, flags);
    mode = va_arg(ap, int);
    va_end(ap);
  }
  return openat(AT_FDCWD, path, flags, mode);
}

int zl_posix_mkdirat(int dirfd, const char *path, int mode)
{
  SECURITY_ATTRIBUTES space;
  const struct zl_nt_open how = { .access = FILE_READ_ATTRIBUTES,
                                  .disposition = FILE_CREATE,
                                  .options = FILE_DIRECTORY_FILE,
                                  .security = private_security(mode, true, &space) };
  zl_autohandle handle = NULL;
  int r;

  if (how.security != NULL && how.security->lpSecurityDescriptor == NULL)
    return zl_posix_fail(ENOMEM);
  r = zl_nt_open_at(dirfd, path, &how, &handle);
  return r < 0 ? zl_posix_fail(-r) : 0;
}

int zl_posix_mkdir(const char *path, int mode)
{
  return mkdirat(AT_FDCWD, path, mode);
}
