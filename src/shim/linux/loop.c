/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/loop.h"

#include <sys/epoll.h>

#include "base/cleanup.h"

enum {
  IDLE_MS = 200 /* longer than a short container lives, so that it does not pay */
};

int loop_open(struct loop *loop, struct zl_error *err)
{
  loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  return loop->epoll_fd < 0 ? zl_fail_errno(err, "epoll") : 0;
}

void loop_close(struct loop *loop)
{
  zl_fd_closep(&loop->epoll_fd);
}

int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events,
             void (*ready)(struct source *source, uint32_t events), struct zl_error *err)
{
  struct epoll_event event = { .events = events, .data.ptr = source };

  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    return zl_fail_errno(err, "watching descriptor %d", fd);
  *source = (struct source){ .fd = fd, .events = events, .ready = ready };
  return 0;
}

void loop_change(struct loop *loop, struct source *source, uint32_t events)
{
  struct epoll_event event = { .events = events, .data.ptr = source };

  if (source->fd < 0 || source->events == events)
    return;
  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) == 0)
    source->events = events;
}

void loop_remove(struct loop *loop, struct source *source)
{
  if (source->fd < 0)
    return;
  (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
  source->fd = -1;
}

int loop_turn(struct loop *loop, struct zl_error *err)
{
  struct epoll_event event;
  struct source *source;
  int n = epoll_wait(loop->epoll_fd, &event, 1, loop->was_idle ? -1 : IDLE_MS);

  if (n < 0)
    return errno == EINTR ? 0 : zl_fail_errno(err, "waiting for events");
  loop->was_idle = n == 0;
  if (n == 0) {
    if (loop->idle != NULL)
      loop->idle();
    return 0;
  }
  source = event.data.ptr;
  source->ready(source, event.events);
  return 0;
}
