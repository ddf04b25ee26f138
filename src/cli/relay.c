/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"
#include "cli/console.h"
#include "cli/signals.h"

enum {
  PATIENCE = 3 /* INT or TERM that a workload may ignore before the relay gives up on it */
};

/* The thread may outlive the session, by the microseconds until the program ends: waiting for its
 * end would take longer than what is left to do. What it uses is guarded by `lock`. */
static struct watcher {
  pthread_mutex_t lock;
  struct zl_relay *relay; /* NULL: the session is over */
  int signal_fd;
  int insistent; /* INT and TERM so far */
} watcher = { .lock = PTHREAD_MUTEX_INITIALIZER };

void zl_relay_block_signals(void)
{
  zl_cli_signals_block(ZL_CLI_SIGNALS_ALL);
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

  if (signal == ZL_CLI_RESIZED && relay->tty) {
    zl_console_size(STDIN_FILENO, &rows, &cols);
    if (rows > 0)
      (void)zl_session_resize(relay->session, rows, cols, NULL);
    return;
  }
  if (!relay->forward) {
    if (signal != ZL_CLI_RESIZED && signal != ZL_CLI_USR1 && signal != ZL_CLI_USR2)
      give_up(relay, signal);
    return;
  }
  if (signal == ZL_CLI_INT || signal == ZL_CLI_TERM)
    w->insistent++;
  if (w->insistent >= PATIENCE)
    give_up(relay, signal);
  else
    (void)zl_kill(relay->rt, relay->id, zl_cli_signal_to_send(signal), NULL);
}

static void *watch(void *payload)
{
  struct watcher *w = payload;
  struct pollfd fd = { .fd = w->signal_fd, .events = POLLIN };

  for (;;) {
    int signal;

    if (poll(&fd, 1, -1) < 0 && errno != EINTR)
      return NULL;
    (void)pthread_mutex_lock(&w->lock);
    if (w->relay == NULL) {
      (void)pthread_mutex_unlock(&w->lock);
      return NULL;
    }
    signal = zl_cli_signals_take(w->signal_fd);
    if (signal != 0)
      handle(w, signal);
    (void)pthread_mutex_unlock(&w->lock);
  }
}

static int start_watching(struct zl_relay *relay, struct zl_error *err)
{
  int r = zl_cli_signals_open(ZL_CLI_SIGNALS_ALL, &watcher.signal_fd, err);

  if (r < 0)
    return r;
  watcher.relay = relay;
  r = zl_thread_release(watch, &watcher);
  return r == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, r, "starting the thread for signals");
}

static void stop_watching(void)
{
  (void)pthread_mutex_lock(&watcher.lock);
  watcher.relay = NULL;
  (void)pthread_mutex_unlock(&watcher.lock);
}

int zl_relay_run(struct zl_relay *relay, struct zl_outcome *ret, struct zl_error *err)
{
  struct zl_stdio stdio = { relay->interactive ? STDIN_FILENO : -1, STDOUT_FILENO,
                            relay->tty ? -1 : STDERR_FILENO };
  int r = start_watching(relay, err);

  if (r < 0)
    return r;
  r = relay->tty && relay->interactive ? zl_console_raw(STDIN_FILENO, err) : 0;
  if (r >= 0)
    r = zl_session_run(relay->session, &stdio, ret, err);
  zl_console_restore();
  stop_watching();
  return r;
}
