/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/signals.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strv.h"

/* The kernel's numbers, not the C library's: it keeps the first two or three for itself. */
enum {
  FIRST_REALTIME = 34,
  LAST_REALTIME = 64
};

static const struct {
  char name[8];
  int number;
} signals_known[] = {
  { "HUP", SIGHUP },   { "INT", SIGINT },       { "QUIT", SIGQUIT }, { "ILL", SIGILL },
  { "TRAP", SIGTRAP }, { "ABRT", SIGABRT },     { "BUS", SIGBUS },   { "FPE", SIGFPE },
  { "KILL", SIGKILL }, { "USR1", SIGUSR1 },     { "SEGV", SIGSEGV }, { "USR2", SIGUSR2 },
  { "PIPE", SIGPIPE }, { "ALRM", SIGALRM },     { "TERM", SIGTERM }, { "STKFLT", SIGSTKFLT },
  { "CHLD", SIGCHLD }, { "CONT", SIGCONT },     { "STOP", SIGSTOP }, { "TSTP", SIGTSTP },
  { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },     { "URG", SIGURG },   { "XCPU", SIGXCPU },
  { "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "WINCH", SIGWINCH },
  { "IO", SIGIO },     { "PWR", SIGPWR },       { "SYS", SIGSYS },   { "IOT", SIGABRT },
  { "CLD", SIGCHLD },  { "POLL", SIGIO },
};

static int parse_realtime(const char *text)
{
  uint64_t offset = 0;

  if (strncasecmp(text, "RTMIN", 5) == 0) {
    if (text[5] != '\0' &&
        (text[5] != '+' || !zl_parse_u64(text + 6, LAST_REALTIME - FIRST_REALTIME, &offset)))
      return -1;
    return FIRST_REALTIME + (int)offset;
  }
  if (strncasecmp(text, "RTMAX", 5) == 0) {
    if (text[5] != '\0' &&
        (text[5] != '-' || !zl_parse_u64(text + 6, LAST_REALTIME - FIRST_REALTIME, &offset)))
      return -1;
    return LAST_REALTIME - (int)offset;
  }
  return -1;
}

int zl_signal_number(const char *text)
{
  uint64_t number;

  if (zl_parse_u64(text, LAST_REALTIME, &number))
    return number > 0 ? (int)number : -1;
  if (strncasecmp(text, "SIG", 3) == 0)
    text += 3;
  for (size_t i = 0; i < ZL_COUNT(signals_known); i++)
    if (strcasecmp(signals_known[i].name, text) == 0)
      return signals_known[i].number;
  return parse_realtime(text);
}

const char *zl_signal_name(int signal, char text[ZL_SIGNAL_NAME])
{
  for (size_t i = 0; i < ZL_COUNT(signals_known); i++)
    if (signals_known[i].number == signal) {
      (void)snprintf(text, ZL_SIGNAL_NAME, "SIG%s", signals_known[i].name);
      return text;
    }
  if (signal == FIRST_REALTIME)
    (void)snprintf(text, ZL_SIGNAL_NAME, "SIGRTMIN");
  else if (signal > FIRST_REALTIME && signal <= LAST_REALTIME)
    (void)snprintf(text, ZL_SIGNAL_NAME, "SIGRTMIN+%d", signal - FIRST_REALTIME);
  else
    (void)snprintf(text, ZL_SIGNAL_NAME, "signal %d", signal);
  return text;
}
