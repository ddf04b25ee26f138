/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"

_Static_assert(SIGINT == (int)ZL_CLI_INT && SIGTERM == (int)ZL_CLI_TERM &&
                   SIGKILL == (int)ZL_CLI_KILL && SIGUSR1 == (int)ZL_CLI_USR1 &&
                   SIGUSR2 == (int)ZL_CLI_USR2 && SIGWINCH == (int)ZL_CLI_RESIZED,
               "the numbers of signals");

static void fill_set(enum zl_cli_signals which, sigset_t *set)
{
  static const int more[] = { SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

  (void)sigemptyset(set);
  (void)sigaddset(set, SIGINT);
  (void)sigaddset(set, SIGTERM);
  for (size_t i = 0; which == ZL_CLI_SIGNALS_ALL && i < ZL_COUNT(more); i++)
    (void)sigaddset(set, more[i]);
}

void zl_cli_signals_block(enum zl_cli_signals which)
{
  sigset_t set;

  fill_set(which, &set);
  (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int zl_cli_signals_pending(void)
{
  sigset_t pending;

  (void)sigemptyset(&pending);
  (void)sigpending(&pending);
  if (sigismember(&pending, SIGINT) == 1)
    return SIGINT;
  return sigismember(&pending, SIGTERM) == 1 ? SIGTERM : 0;
}

int zl_cli_signals_open(enum zl_cli_signals which, int *ret_fd, struct zl_error *err)
{
  sigset_t set;

  fill_set(which, &set);
  *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return *ret_fd < 0 ? zl_fail_errno(err, "watching for signals") : 0;
}

int zl_cli_signals_take(int fd)
{
  struct signalfd_siginfo info;

  return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

int zl_cli_signal_to_send(int number)
{
  return number;
}

const char *zl_cli_signal_text(int number)
{
  return strsignal(number);
}
