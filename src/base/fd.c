/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/rand.h"

int zl_fd_open(int dirfd, const char *path, int flags, mode_t mode)
{
  int fd;

  do
    fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

int zl_fd_copy(int fd)
{
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

  return copy < 0 ? -errno : copy;
}

int zl_fd_pipe(int ends[2], struct zl_error *err)
{
  return pipe2(ends, O_CLOEXEC) < 0 ? zl_fail_errno(err, "making a pipe") : 0;
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

/* A rename over an existing file makes ext4 write the new one's data to the disk (auto_da_alloc),
 * and whoever removes it meanwhile waits for that. An exchange does not; readers still see one or
 * the other. Where durability is wanted the plain rename is right. */
static int put_in_place(int dirfd, const char *tmp, const char *name, bool durable)
{
  if (!durable && renameat2(dirfd, tmp, dirfd, name, RENAME_NOREPLACE) == 0)
    return 0;
  if (!durable && renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) == 0) {
    int os_error = unlinkat(dirfd, tmp, 0) < 0 ? errno : 0;

    /* A directory was there, which rename(2) would not have replaced. */
    if (os_error != 0)
      (void)renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE);
    return os_error;
  }
  return renameat(dirfd, tmp, dirfd, name) < 0 ? errno : 0;
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
    os_error = put_in_place(dirfd, tmp, name, durable);
  if (os_error == 0 && durable && fsync(dirfd) < 0)
    os_error = errno;
  if (os_error != 0) {
    (void)unlinkat(dirfd, tmp, 0);
    return zl_fail(err, ZL_E_SYSTEM, os_error, "writing '%s'", name);
  }
  return 0;
}

union control_space {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * ZL_MAX_CONTROL_FDS)];
};

ssize_t zl_fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
  union control_space control = { 0 };
  struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  ssize_t n;

  if (n_fds > ZL_MAX_CONTROL_FDS)
    return -E2BIG;
  if (n_fds > 0) {
    struct cmsghdr *c;

    msg.msg_control = control.bytes;
    msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
  }
  do
    n = sendmsg(sock, &msg, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* Moves descriptors out of one control message; what does not fit in the caller's array is closed.
 */
static void take_fds(struct msghdr *msg, int *fds, size_t cap, size_t *count)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
    size_t n;

    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;

      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      if (*count < cap)
        fds[(*count)++] = fd;
      else
        (void)close(fd);
    }
  }
}

ssize_t zl_fd_recv(int sock, void *data, size_t len, int *fds, size_t *n_fds)
{
  union control_space control = { 0 };
  struct iovec iov = { .iov_base = data, .iov_len = len };
  struct msghdr msg = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };
  size_t cap = n_fds != NULL ? *n_fds : 0, count = 0;
  ssize_t n;

  do
    n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n_fds != NULL)
    *n_fds = 0;
  if (n < 0)
    return -errno;
  take_fds(&msg, fds, cap, &count);
  if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    for (size_t i = 0; i < count; i++)
      (void)close(fds[i]);
    return -EMSGSIZE;
  }
  if (n_fds != NULL)
    *n_fds = count;
  return n;
}
