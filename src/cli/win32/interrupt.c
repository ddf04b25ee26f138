/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <stdatomic.h>
#include <windows.h>

static atomic_bool interrupted;

/* In a thread of Windows' own. Not handled: the next handler is asked, which ends the program. */
static BOOL WINAPI interrupt(DWORD event)
{
  (void)event;
  return !atomic_exchange(&interrupted, true);
}

int zl_cli_interruptible(zl_interruptible_fn fn, void *ctx, struct zl_error *err)
{
  int r;

  atomic_store(&interrupted, false);
  (void)SetConsoleCtrlHandler(interrupt, TRUE);
  r = fn(ctx, err);
  (void)SetConsoleCtrlHandler(interrupt, FALSE);
  return r;
}

bool zl_cli_is_interrupted(void)
{
  return atomic_load(&interrupted);
}
