/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/console.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"

static void keep(struct console *console, const char *data, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    console->ring[console->at] = data[i];
    console->at = (console->at + 1) % CONSOLE_KEPT;
  }
  console->len = console->len + len > CONSOLE_KEPT ? CONSOLE_KEPT : console->len + len;
}

/* One chunk; false when there is nothing more to come. */
static bool pump(struct console *console)
{
  ZL_UNCLEARED char chunk[1024];
  ssize_t n;

  do
    n = read(console->fd, chunk, sizeof(chunk));
  while (n < 0 && errno == EINTR);
  if (n > 0)
    keep(console, chunk, (size_t)n);
  return n > 0 || (n < 0 && errno == EAGAIN);
}

static void console_ready(struct source *source, uint32_t events)
{
  struct console *console = container_of(source, struct console, source);

  (void)events;
  if (!pump(console))
    loop_remove(console->loop, &console->source);
}

int console_open(struct console *console, struct loop *loop, int fd, struct zl_error *err)
{
  int r = loop_add(loop, &console->source, fd, EPOLLIN, console_ready, err);

  if (r < 0)
    return r;
  console->loop = loop;
  console->fd = fd;
  return 0;
}

void console_drain(struct console *console)
{
  /* A dead QEMU has left at most a socket's buffer. */
  for (int i = 0; console->fd >= 0 && i < 256; i++) {
    size_t before = console->len, at = console->at;

    if (!pump(console) || (console->len == before && console->at == at))
      break;
  }
}

void console_close(struct console *console)
{
  console_drain(console);
  if (console->fd >= 0)
    loop_remove(console->loop, &console->source);
  zl_fd_closep(&console->fd);
}

size_t console_text(const struct console *console, char text[CONSOLE_KEPT])
{
  size_t start = (console->at + CONSOLE_KEPT - console->len) % CONSOLE_KEPT;

  for (size_t i = 0; i < console->len; i++)
    text[i] = console->ring[(start + i) % CONSOLE_KEPT];
  return console->len;
}

/* The console is the guest's: what reaches a message is printable. */
static void append(char tail[CONSOLE_TAIL], size_t *len, const char *text, size_t n)
{
  for (size_t i = 0; i < n && *len < CONSOLE_TAIL - 1; i++)
    tail[(*len)++] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
  tail[*len] = '\0';
}

void console_tail(const struct console *console, char tail[CONSOLE_TAIL])
{
  ZL_UNCLEARED char text[CONSOLE_KEPT];
  size_t n = console_text(console, text), len = 0;
  size_t start = n > CONSOLE_TAIL - 32 ? n - (CONSOLE_TAIL - 32) : 0, line = start;

  tail[0] = '\0';
  /* A line that is cut off in front tells nothing, unless there is no other. */
  while (line > 0 && line < n && text[line - 1] != '\n')
    line++;
  if (line < n)
    start = line;
  for (size_t at = start; at < n;) {
    size_t end = at;

    while (end < n && text[end] != '\n' && text[end] != '\r')
      end++;
    if (end > at && len > 0)
      append(tail, &len, " | ", 3);
    append(tail, &len, text + at, end - at);
    at = end + 1;
  }
}
