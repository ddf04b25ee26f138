/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/watch.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "shim/keeper.h"
#include "shim/lifecycle.h"

void watch_set_timer(struct shim *shim, uint64_t at_ns)
{
  struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at_ns / ZL_NS_PER_S),
                                           .tv_nsec = (long)(at_ns % ZL_NS_PER_S) } };

  (void)timerfd_settime(shim->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void timer_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, timer_source);
  uint64_t count;

  (void)events;
  if (read(shim->timer_fd, &count, sizeof(count)) >= 0)
    lifecycle_timer(shim);
}

void watch_await_tracer(struct shim *shim)
{
  sigset_t both;

  (void)sigemptyset(&both);
  (void)sigaddset(&both, SIGTERM);
  (void)sigaddset(&both, SIGCHLD);
  (void)signalfd(shim->signal_fd, &both, 0);
}

/* Everything else that can be blocked is ignored. */
static void signal_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, signal_source);
  struct signalfd_siginfo info;

  (void)events;
  if (read(shim->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
    return;
  if (info.ssi_signo == SIGCHLD && shim->keeper->child_signalled != NULL)
    shim->keeper->child_signalled(shim);
  if (info.ssi_signo == SIGTERM)
    lifecycle_asked_to_end(shim);
}

int watch_open(struct shim *shim, struct zl_error *err)
{
  sigset_t term;

  (void)sigemptyset(&term);
  (void)sigaddset(&term, SIGTERM);
  shim->signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
  shim->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (shim->signal_fd < 0 || shim->timer_fd < 0)
    return zl_fail_errno(err, "timer and signal descriptors");
  if (loop_add(&shim->loop, &shim->signal_source, shim->signal_fd, EPOLLIN, signal_ready, err) <
          0 ||
      loop_add(&shim->loop, &shim->timer_source, shim->timer_fd, EPOLLIN, timer_ready, err) < 0)
    return -(int)err->code;
  return 0;
}
