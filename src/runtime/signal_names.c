/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of signals.
 */
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <zlayer/runtime.h>

#include "base/strv.h"

/* "RTMIN", "RTMIN+3", "RTMAX-2": the C library keeps some real-time signals for itself, so these
 * are counted from its bounds, as kill(1) does. */
static int parse_realtime(const char *name)
{
  bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
  int base = from_min ? SIGRTMIN : SIGRTMAX, span = SIGRTMAX - SIGRTMIN;
  uint64_t offset;

  if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
    return 0;
  name += 5;
  if (*name == '\0')
    return base;
  if (*name != (from_min ? '+' : '-') || !zl_parse_u64(name + 1, (uint64_t)span, &offset))
    return 0;
  return from_min ? base + (int)offset : base - (int)offset;
}

static int find_signal(const char *name)
{
  if (strncasecmp(name, "SIG", 3) == 0)
    name += 3;
  for (int sig = 1; sig < 32; sig++) {
    const char *known = sigabbrev_np(sig);

    if (known != NULL && strcasecmp(known, name) == 0)
      return sig;
  }
  return parse_realtime(name);
}

int zl_signal_parse(const char *text, int *ret_signal, struct zl_error *err)
{
  uint64_t number = 0;

  if (!zl_parse_u64(text, (uint64_t)SIGRTMAX, &number))
    number = (uint64_t)find_signal(text);
  if (number == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "'%.40s' is not a signal such as TERM, SIGTERM or 15",
                   text);
  *ret_signal = (int)number;
  return 0;
}
