/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/flush.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "image/layer_flush.h"

enum {
  END_FD = 0,
  LAYERS_FD = 3,
  /* Each flush takes processors from the pull; a short one has none but the last. */
  FLUSH_EVERY_MS = 5000
};

static bool wait_for_end(void)
{
  struct pollfd end = { .fd = END_FD, .events = POLLIN };
  int n;

  do
    n = poll(&end, 1, FLUSH_EVERY_MS);
  while (n < 0 && errno == EINTR);
  return n != 0;
}

/* Whoever stops everything around a finished pull, as systemd does after a unit of type oneshot,
 * asks first: this ends by itself in a moment. */
static void keep_on(void)
{
  (void)signal(SIGTERM, SIG_IGN);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGHUP, SIG_IGN);
}

int zl_unpack_flush(void)
{
  bool ended;
  int r;

  keep_on();
  (void)!chdir("/"); /* the caller's directory is not to be busy for this */
  do {
    ended = wait_for_end();
    r = zl_layers_flush(LAYERS_FD, NULL); /* a failure may be the last one's only */
  } while (!ended);
  return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
