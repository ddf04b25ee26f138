/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/console.h"

#include <io.h>
#include <stdlib.h>
#include <windows.h>

static HANDLE handle_of(int fd)
{
  return (HANDLE)_get_osfhandle(fd);
}

void zl_console_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
  CONSOLE_SCREEN_BUFFER_INFO info;

  *ret_rows = *ret_cols = 0;
  if (!GetConsoleScreenBufferInfo(handle_of(fd), &info))
    return;
  *ret_rows = (unsigned)(info.srWindow.Bottom - info.srWindow.Top + 1);
  *ret_cols = (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
}

/* Consoles from Windows 10 on take escape sequences, once they are told to. */
bool zl_console_can_move(int fd)
{
  HANDLE console = handle_of(fd);
  DWORD mode;

  return GetConsoleMode(console, &mode) &&
         SetConsoleMode(console,
                        mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

bool zl_console_can_colour(int fd)
{
  const char *no_colour = getenv("NO_COLOR");

  return zl_console_can_move(fd) && (no_colour == NULL || no_colour[0] == '\0');
}

static HANDLE raw; /* NULL: no console is in raw mode */
static DWORD before;

/* Keys come as they are pressed, as escape sequences where they are no characters. */
int zl_console_raw(int fd, struct zl_error *err)
{
  HANDLE console = handle_of(fd);

  if (!GetConsoleMode(console, &before) ||
      !SetConsoleMode(console, ENABLE_VIRTUAL_TERMINAL_INPUT | ENABLE_WINDOW_INPUT))
    return zl_fail(err, ZL_E_SYSTEM, 0, "setting the console to raw mode: Windows error %lu",
                   GetLastError());
  raw = console;
  return 0;
}

void zl_console_restore(void)
{
  if (raw != NULL)
    (void)SetConsoleMode(raw, before);
  raw = NULL;
}
