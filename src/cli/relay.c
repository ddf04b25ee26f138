/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/console.h"

enum {
  PATIENCE = 3 /* INT or TERM that a workload may ignore before the relay gives up on it */
};

struct watcher {
  struct zl_relay *relay;
  int signal_fd, stop_fd;
  int insistent; /* INT and TERM so far */
};

static void fill_set(sigset_t *set)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

  (void)sigemptyset(set);
  for (size_t i = 0; i < ZL_COUNT(signals); i++)
    (void)sigaddset(set, signals[i]);
}

void zl_relay_block_signals(void)
{
  sigset_t set;

  fill_set(&set);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int zl_relay_check_terminal(bool tty, struct zl_error *err)
{
  if (tty && !isatty(STDIN_FILENO))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "-t needs a terminal, and standard input is none: leave -t out");
  return 0;
}

static void give_up(struct zl_relay *relay, int signal)
{
  relay->caught = signal;
  zl_session_cancel(relay->session);
}

/* A signal that cannot be delivered means that the workload has just ended: the relay sees that. */
static void handle(struct watcher *w, int signal)
{
  struct zl_relay *relay = w->relay;
  unsigned rows, cols;

  if (signal == SIGWINCH && relay->tty) {
    zl_console_size(STDIN_FILENO, &rows, &cols);
    if (rows > 0)
      (void)zl_session_resize(relay->session, rows, cols, NULL);
    return;
  }
  if (!relay->forward) {
    if (signal != SIGWINCH && signal != SIGUSR1 && signal != SIGUSR2)
      give_up(relay, signal);
    return;
  }
  if (signal == SIGINT || signal == SIGTERM)
    w->insistent++;
  if (w->insistent >= PATIENCE)
    give_up(relay, signal);
  else
    (void)zl_kill(relay->rt, relay->id, signal, NULL);
}

static void *watch(void *payload)
{
  struct watcher *w = payload;
  struct pollfd fds[] = { { .fd = w->signal_fd, .events = POLLIN },
                          { .fd = w->stop_fd, .events = POLLIN } };
  struct signalfd_siginfo info;

  for (;;) {
    if (poll(fds, ZL_COUNT(fds), -1) < 0 && errno != EINTR)
      return NULL;
    if (fds[1].revents != 0)
      return NULL;
    if (fds[0].revents != 0 && read(w->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
      handle(w, (int)info.ssi_signo);
  }
}

static int run_watched(struct watcher *w, struct zl_outcome *ret, struct zl_error *err)
{
  struct zl_relay *relay = w->relay;
  struct zl_stdio stdio = { relay->interactive ? STDIN_FILENO : -1, STDOUT_FILENO,
                            relay->tty ? -1 : STDERR_FILENO };
  pthread_t thread;
  int r = pthread_create(&thread, NULL, watch, w);

  if (r != 0)
    return zl_fail(err, ZL_E_SYSTEM, r, "starting the thread for signals");
  r = relay->tty && relay->interactive ? zl_console_raw(STDIN_FILENO, err) : 0;
  if (r >= 0)
    r = zl_session_run(relay->session, &stdio, ret, err);
  zl_console_restore();
  (void)eventfd_write(w->stop_fd, 1);
  (void)pthread_join(thread, NULL);
  return r;
}

int zl_relay_run(struct zl_relay *relay, struct zl_outcome *ret, struct zl_error *err)
{
  zl_autofd signal_fd = -1;
  zl_autofd stop_fd = -1;
  struct watcher w = { .relay = relay };
  sigset_t set;

  fill_set(&set);
  signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_fd < 0 || stop_fd < 0)
    return zl_fail_errno(err, "watching for signals");
  w.signal_fd = signal_fd;
  w.stop_fd = stop_fd;
  return run_watched(&w, ret, err);
}
