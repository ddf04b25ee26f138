/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/console.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

static struct termios before; /* written before raw_fd says that it is valid */
static volatile sig_atomic_t raw_fd = -1;

/* Signals that end a program which has gone wrong; the others are handled by whoever relays. */
static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM };

void zl_console_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
  struct winsize size = { 0 };

  if (ioctl(fd, TIOCGWINSZ, &size) < 0)
    size = (struct winsize){ 0 };
  *ret_rows = size.ws_row;
  *ret_cols = size.ws_col;
}

/* SA_RESETHAND has put the default action back: raising it again ends the program as it should. */
static void restore_and_die(int signal)
{
  zl_console_restore();
  (void)raise(signal);
}

int zl_console_raw(int fd, struct zl_error *err)
{
  struct sigaction action = { .sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND };
  struct termios raw;

  if (tcgetattr(fd, &before) < 0)
    return zl_fail_errno(err, "reading the mode of the terminal");
  for (size_t i = 0; i < ZL_COUNT(fatal); i++)
    (void)sigaction(fatal[i], &action, NULL);
  raw = before;
  cfmakeraw(&raw);
  raw_fd = fd;
  if (tcsetattr(fd, TCSANOW, &raw) < 0) {
    raw_fd = -1;
    return zl_fail_errno(err, "setting the terminal to raw mode");
  }
  return 0;
}

void zl_console_restore(void)
{
  if (raw_fd < 0)
    return;
  (void)tcsetattr(raw_fd, TCSANOW, &before);
  raw_fd = -1;
}

bool zl_console_can_move(int fd)
{
  const char *term = getenv("TERM");

  return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

bool zl_console_can_colour(int fd)
{
  const char *no_colour = getenv("NO_COLOR");

  return zl_console_can_move(fd) && (no_colour == NULL || no_colour[0] == '\0');
}
