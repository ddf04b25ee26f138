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
#include "base/put_in_place.h"

int zl_fd_copy(int fd)
{
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

  return copy < 0 ? -errno : copy;
}

int zl_fd_pipe(int ends[2], struct zl_error *err)
{
  return pipe2(ends, O_CLOEXEC) < 0 ? zl_fail_errno(err, "making a pipe") : 0;
}

/* A rename over an existing file makes ext4 write the new one's data to the disk (auto_da_alloc),
 * and whoever removes it meanwhile waits for that. An exchange does not; readers still see one or
 * the other. Where durability is wanted the plain rename is right. */
int zl_put_in_place(int dirfd, const char *tmp, const char *name, bool durable)
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
