/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/foreground.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"

enum {
  CHUNK = 4096,
  CODE_SIGNAL = 128
};

struct foreground {
  struct zl_child *child;
  int master, signal_fd;
  bool has_raw, stdin_open;
  struct termios before;
};

/* ---- Our terminal -------------------------------------------------------------------------- */

static void copy_size(const struct foreground *f)
{
  struct winsize size;

  if (f->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
    (void)ioctl(f->master, TIOCSWINSZ, &size);
}

static void make_raw(struct foreground *f)
{
  struct termios raw;

  if (f->master < 0 || tcgetattr(STDIN_FILENO, &f->before) < 0)
    return;
  raw = f->before;
  cfmakeraw(&raw);
  f->has_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void foreground_done(struct foreground *f)
{
  if (f->has_raw)
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &f->before);
  zl_fd_closep(&f->signal_fd);
}

/* ---- Relaying ------------------------------------------------------------------------------ */

/* 1: some; 0: at its end. A terminal without its other side answers EIO. */
static int copy(int from, int to)
{
  ZL_UNCLEARED char chunk[CHUNK];
  ssize_t n = read(from, chunk, sizeof(chunk));

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return 1;
  return n > 0 && zl_fd_write_full(to, chunk, (size_t)n) == 0;
}

/* The end of our input is the end of the program's, which on a terminal is a character. */
static void relay_input(struct foreground *f)
{
  static const char eot = 4;

  if (copy(STDIN_FILENO, f->master))
    return;
  f->stdin_open = false;
  (void)zl_fd_write_full(f->master, &eot, 1);
}

static void relay_signal(const struct foreground *f)
{
  struct signalfd_siginfo info;

  if (read(f->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
    return;
  if (info.ssi_signo == SIGWINCH)
    copy_size(f);
  else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGPIPE && info.ssi_signo != SIGURG)
    (void)pidfd_send_signal(f->child->pidfd, (int)info.ssi_signo, NULL, 0);
}

static int turn(struct foreground *f, bool *ret_ended, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = f->child->pidfd, .events = POLLIN },
                          { .fd = f->signal_fd, .events = POLLIN },
                          { .fd = f->master, .events = POLLIN },
                          { .fd = f->master >= 0 && f->stdin_open ? STDIN_FILENO : -1,
                            .events = POLLIN } };

  if (poll(fds, ZL_COUNT(fds), -1) < 0 && errno != EINTR)
    return zl_fail_errno(err, "waiting for the process");
  if (fds[1].revents != 0)
    relay_signal(f);
  if (fds[2].revents != 0 && !copy(f->master, STDOUT_FILENO))
    f->master = -1;
  if (f->master >= 0 && fds[3].revents != 0)
    relay_input(f);
  *ret_ended = fds[0].revents != 0;
  return 0;
}

/* What the process wrote last; whoever else has the terminal open does not hold us up. */
static void drain(const struct foreground *f)
{
  struct pollfd fd = { .fd = f->master, .events = POLLIN };

  while (f->master >= 0 && poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0 &&
         copy(f->master, STDOUT_FILENO))
    continue;
}

/* ---- The whole ----------------------------------------------------------------------------- */

void oci_foreground_hold_signals(void)
{
  sigset_t all;

  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static int open_signals(struct foreground *f, struct zl_error *err)
{
  sigset_t all;

  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  f->signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
  return f->signal_fd < 0 ? zl_fail_errno(err, "signals") : 0;
}

static int reap(struct zl_child *child, struct zl_error *err)
{
  int status = 0;

  if (waitpid(child->pid, &status, 0) < 0)
    return zl_fail_errno(err, "waiting for process %d", (int)child->pid);
  zl_fd_closep(&child->pidfd);
  return WIFSIGNALED(status) ? CODE_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int oci_foreground(struct zl_child *child, int *master, struct zl_error *err)
{
  ZL_CLEANUP(foreground_done)
  struct foreground f = { .child = child, .master = *master, .signal_fd = -1, .stdin_open = true };
  bool ended = false;
  int r = open_signals(&f, err);

  copy_size(&f);
  make_raw(&f);
  while (r == 0 && !ended)
    r = turn(&f, &ended, err);
  if (r == 0)
    drain(&f);
  if (r == 0)
    r = reap(child, err);
  zl_fd_closep(master);
  return r;
}
