/* SPDX-License-Identifier: Apache-2.0
 *
 * Events of the console come in threads of Windows' own. Ctrl-C is INT; Ctrl-Break, and that the
 * console is closed or the user logs off, are TERM.
 */
#include "cli/signals.h"

#include <stdatomic.h>
#include <windows.h>
#include <zlayer/runtime.h>

#include "base/fd.h"

static int event_fd = -1;   /* set while one waits */
static atomic_uint waiting; /* a bit for each */

enum {
  BIT_INT = 1,
  BIT_TERM = 2
};

static BOOL WINAPI note(DWORD event)
{
  atomic_fetch_or(&waiting, event == CTRL_C_EVENT ? BIT_INT : BIT_TERM);
  (void)write(event_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
  return TRUE;
}

void zl_cli_signals_block(enum zl_cli_signals which)
{
  (void)which;
  if (event_fd >= 0)
    return;
  event_fd = eventfd(0, 0);
  if (event_fd >= 0)
    (void)SetConsoleCtrlHandler(note, TRUE);
}

int zl_cli_signals_pending(void)
{
  unsigned now = atomic_load(&waiting);

  if ((now & BIT_INT) != 0)
    return ZL_CLI_INT;
  return (now & BIT_TERM) != 0 ? ZL_CLI_TERM : 0;
}

int zl_cli_signals_open(enum zl_cli_signals which, int *ret_fd, struct zl_error *err)
{
  zl_cli_signals_block(which);
  if (event_fd < 0)
    return zl_fail_errno(err, "watching for events of the console");
  *ret_fd = zl_fd_copy(event_fd); /* the handler's own stays open */
  return *ret_fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -*ret_fd, "watching for events of the console")
                     : 0;
}

int zl_cli_signals_take(int fd)
{
  int number = zl_cli_signals_pending();
  uint64_t sink;

  if (number == 0) {
    (void)read(fd, &sink, sizeof(sink)); /* it is readable no more */
    return 0;
  }
  atomic_fetch_and(&waiting, number == ZL_CLI_INT ? ~(unsigned)BIT_INT : ~(unsigned)BIT_TERM);
  return number;
}

int zl_cli_signal_to_send(int number)
{
  int event = ZL_CLI_TERM;

  if (number == ZL_CLI_INT)
    (void)zl_signal_parse("CtrlC", &event, NULL);
  return event;
}

const char *zl_cli_signal_text(int number)
{
  return number == ZL_CLI_INT ? "Ctrl-C" : "the end of the console";
}
