/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks of files, events, and waiting for several descriptors.
 */
#include <poll.h>
#include <stdbool.h>

#include "base/time.h"
#include "base/win32/handle.h"

enum {
  LOCK_AT_HIGH = 0x7FFFFFFF, /* no file is that long */
  MAX_WAIT = 60,             /* below MAXIMUM_WAIT_OBJECTS */
  PIPE_STEP_MS = 5           /* a pipe cannot be waited for */
};

int zl_posix_flock(int fd, int operation)
{
  HANDLE handle = zl_handle_of(fd);
  OVERLAPPED where = { .OffsetHigh = LOCK_AT_HIGH };
  DWORD flags = (operation & LOCK_EX) ? LOCKFILE_EXCLUSIVE_LOCK : 0;

  if (handle == INVALID_HANDLE_VALUE)
    return -1;
  /* Two locks of one handle would be two: the one it has goes first. */
  (void)UnlockFileEx(handle, 0, 1, 0, &where);
  if (operation & LOCK_UN)
    return 0;
  if (operation & LOCK_NB)
    flags |= LOCKFILE_FAIL_IMMEDIATELY;
  if (LockFileEx(handle, flags, 0, 1, 0, &where))
    return 0;
  return zl_posix_fail(GetLastError() == ERROR_IO_PENDING ? EWOULDBLOCK : zl_errno_of_last());
}

int zl_posix_eventfd(unsigned value, int flags)
{
  HANDLE handle = CreateEventW(NULL, TRUE, value > 0, NULL);

  (void)flags;
  return handle != NULL ? zl_handle_to_object_fd(handle) : zl_posix_fail(zl_errno_of_last());
}

/* What a descriptor that cannot be waited for is ready for. */
static short ready_now(HANDLE handle, short events)
{
  DWORD n = 0;

  if (GetFileType(handle) != FILE_TYPE_PIPE || (events & POLLIN) == 0)
    return events;
  if (!PeekNamedPipe(handle, NULL, 0, NULL, &n, NULL))
    return POLLHUP;
  return n > 0 ? events : (short)(events & POLLOUT);
}

struct waiting {
  HANDLE objects[MAX_WAIT];
  DWORD n;
  int ready;
  bool pipes;
};

static void look(struct zl_posix_pollfd *fds, nfds_t n, struct waiting *w)
{
  *w = (struct waiting){ 0 };
  for (nfds_t i = 0; i < n; i++) {
    HANDLE handle;

    fds[i].revents = 0;
    if (fds[i].fd < 0)
      continue;
    handle = zl_handle_of(fds[i].fd);
    if (handle == INVALID_HANDLE_VALUE) {
      fds[i].revents = POLLERR;
    } else if (!zl_handle_is_object(fds[i].fd)) {
      fds[i].revents = ready_now(handle, fds[i].events);
      w->pipes = w->pipes || fds[i].revents == 0;
    } else if (WaitForSingleObject(handle, 0) == WAIT_OBJECT_0) {
      fds[i].revents = fds[i].events;
    } else {
      w->objects[w->n++] = handle;
    }
    w->ready += fds[i].revents != 0;
  }
}

static DWORD step_of(const struct waiting *w, uint64_t now, uint64_t deadline)
{
  DWORD step = INFINITE;

  if (deadline != UINT64_MAX)
    step = (DWORD)((deadline - now + ZL_NS_PER_MS - 1) / ZL_NS_PER_MS);
  return w->pipes && step > PIPE_STEP_MS ? PIPE_STEP_MS : step;
}

int zl_posix_poll(struct zl_posix_pollfd *fds, nfds_t n, int timeout_ms)
{
  const uint64_t start = zl_time_boot();
  const uint64_t deadline =
      timeout_ms < 0 ? UINT64_MAX : start + (uint64_t)timeout_ms * ZL_NS_PER_MS;
  uint64_t now = start;
  struct waiting w;

  if (n > MAX_WAIT)
    return zl_posix_fail(EINVAL);
  for (;;) {
    look(fds, n, &w);
    if (w.ready > 0 || now >= deadline)
      return w.ready;
    if (w.n > 0)
      (void)WaitForMultipleObjects(w.n, w.objects, FALSE, step_of(&w, now, deadline));
    else
      Sleep(step_of(&w, now, deadline));
    now = zl_time_boot();
  }
}
