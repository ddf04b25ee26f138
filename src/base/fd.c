/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/put_in_place.h"
#include "base/rand.h"

int zl_fd_open(int dirfd, const char *path, int flags, mode_t mode)
{
  int fd;

  do
    fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

ssize_t zl_fd_read_full(int fd, void *data, size_t len)
{
  size_t done = 0;

  while (done < len) {
    ssize_t n = read(fd, (char *)data + done, len - done);

    if (n == 0)
      break;
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

int zl_fd_write_full(int fd, const void *data, size_t len)
{
  size_t done = 0;

  while (done < len) {
    ssize_t n = write(fd, (const char *)data + done, len - done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    done += (size_t)n;
  }
  return 0;
}

int zl_fd_read_all(int fd, const char *name, struct zl_buf *buf, struct zl_error *err)
{
  for (;;) {
    size_t room = buf->max - buf->len < 4096 ? buf->max - buf->len : 4096;
    ssize_t n;
    int r;

    if (room == 0)
      return zl_fail(err, ZL_E_LIMIT, 0, "'%s' is larger than the limit of %zu bytes", name,
                     buf->max);
    r = zl_buf_reserve(buf, room, err);
    if (r < 0)
      return zl_wrap(err, "reading '%s'", name);
    n = zl_fd_read_full(fd, buf->data + buf->len, room);
    if (n < 0)
      return zl_fail(err, ZL_E_SYSTEM, (int)-n, "reading '%s'", name);
    buf->len += (size_t)n;
    buf->data[buf->len] = '\0';
    if ((size_t)n < room)
      return 0;
  }
}

int zl_file_read(int dirfd, const char *path, struct zl_buf *buf, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(dirfd, path, O_RDONLY, 0);

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening '%s'", path);
  return zl_fd_read_all(fd, path, buf, err);
}

int zl_file_poke(int dirfd, const char *path, const char *text, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(dirfd, path, O_WRONLY, 0);
  size_t len = strlen(text);
  ssize_t n;

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening '%s'", path);
  do
    n = write(fd, text, len);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return zl_fail_errno(err, "writing '%.64s' to '%s'", text, path);
  if ((size_t)n != len)
    return zl_fail(err, ZL_E_SYSTEM, EIO, "writing '%.64s' to '%s'", text, path);
  return 0;
}

int zl_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                    bool durable, struct zl_error *err)
{
  char token[17], tmp[ZL_MAX_ID + 32];
  zl_autofd fd = -1;
  int r, os_error;

  r = zl_rand_hex(token, sizeof(token), err);
  if (r < 0)
    return r;
  if (snprintf(tmp, sizeof(tmp), ".%.*s.%s", ZL_MAX_ID, name, token) >= (int)sizeof(tmp))
    return zl_fail(err, ZL_E_INVALID, 0, "file name '%s' is too long", name);
  fd = zl_fd_open(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "creating '%s'", tmp);
  os_error = -zl_fd_write_full(fd, data, len);
  if (os_error == 0 && durable && fsync(fd) < 0)
    os_error = errno;
  if (os_error == 0)
    os_error = zl_put_in_place(dirfd, tmp, name, durable);
  if (os_error == 0 && durable && fsync(dirfd) < 0)
    os_error = errno;
  if (os_error != 0) {
    (void)unlinkat(dirfd, tmp, 0);
    return zl_fail(err, ZL_E_SYSTEM, os_error, "writing '%s'", name);
  }
  return 0;
}
