/* SPDX-License-Identifier: Apache-2.0
 *
 * One process per container: docs/shim.md.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "shim/conn.h"
#include "shim/footprint.h"
#include "shim/handover.h"
#include "shim/lifecycle.h"
#include "shim/record.h"
#include "shim/setup.h"

enum {
  DIR_FD = 3,
  CONTROL_FD = 4,
  LOCK_FD = 5
};

static void settled(struct stream *stream, void *client)
{
  (void)stream;
  conn_settle(client);
}

/* Not dumpable: what runs in the container must not read this memory, or that of the children on
 * their way into it, through /proc. */
static int prepare_process(struct zl_error *err)
{
  sigset_t all;

  (void)umask(077);
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  if (chdir("/") < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "preparing the process");
  if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
    return zl_fail_errno(err, "descriptor 4");
  return 0;
}

/* Directory and lock are there from the start, or come with the first message. */
static int receive_container(struct shim *shim, bool early_netns, struct zl_error *err)
{
  int r = 0;

  if (fcntl(DIR_FD, F_SETFD, FD_CLOEXEC) < 0) {
    if (early_netns)
      r = handover_prepare_netns(shim, err);
    return r < 0 ? r : handover_await(shim, CONTROL_FD, err);
  }
  shim->dir_fd = DIR_FD;
  if (fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC) == 0)
    shim->lock_fd = LOCK_FD;
  return 0;
}

static void shim_init(struct shim *shim, const char *id)
{
  *shim = (struct shim){ .id = id,
                         .dir_fd = -1,
                         .lock_fd = -1,
                         .netns_fd = -1,
                         .container = ZL_CONTAINER_INIT,
                         .init_source = SOURCE_INIT,
                         .listen_source = SOURCE_INIT,
                         .signal_source = SOURCE_INIT,
                         .timer_source = SOURCE_INIT,
                         .stdin_fd = -1,
                         .listen_fd = -1,
                         .signal_fd = -1,
                         .timer_fd = -1,
                         .log = { .dir_fd = -1, .fd = -1 } };
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_init(&shim->streams[i], &shim->loop, &shim->log, (enum stream_id)i, settled);
}

static int begin(struct shim *shim, struct zl_error *err)
{
  int r = setup_create(shim, err);

  if (r == 0)
    r = lifecycle_watch(shim, err);
  if (r == 0)
    r = conn_listen(shim, err);
  if (r == 0)
    r = record_state(shim, err);
  if (r < 0) {
    conn_unlisten(shim);
    setup_undo(shim);
  }
  return r;
}

static bool is_over(const struct shim *shim)
{
  if (!shim->finished || shim->n_sessions > 0)
    return false;
  for (const struct conn *conn = shim->conns; conn != NULL; conn = conn->next)
    if (conn->attached)
      return false;
  return true;
}

int main(int argc, char **argv)
{
  static struct shim shim;
  struct zl_error err = { 0 };
  int r;

  bool early_netns = argc == 3 && strcmp(argv[2], "early-netns") == 0;

  if (argc != (early_netns ? 3 : 2) || !zl_path_is_name(argv[1], ZL_MAX_ID))
    return EXIT_FAILURE;
  shim_init(&shim, argv[1]);
  r = prepare_process(&err);
  if (r == 0)
    r = receive_container(&shim, early_netns, &err);
  if (r == 0)
    r = loop_open(&shim.loop, &err);
  if (r == 0)
    r = conn_open(&shim, CONTROL_FD, &err);
  if (r < 0)
    return EXIT_FAILURE;
  r = begin(&shim, &err);
  if (r < 0) {
    conn_fail(shim.conns, &err);
    return EXIT_FAILURE;
  }
  conn_send(shim.conns, json_pack("{s:b, s:i}", "ok", 1, "pid", (int)shim.container.init.pid), NULL,
            0);
  shim.loop.idle = footprint_shrink;
  while (r == 0 && !is_over(&shim))
    r = loop_turn(&shim.loop, &err);
  /* Nothing is left to do: whoever waits to remove the directory need not wait for our exit. */
  zl_fd_closep(&shim.lock_fd);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
