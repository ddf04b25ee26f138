/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/time.h"
#include "shim/conn.h"
#include "shim/footprint.h"
#include "shim/handover.h"
#include "shim/lifecycle.h"
#include "shim/record.h"
#include "shim/text.h"

enum {
  LOCK_PATIENCE_MS = 1000 /* whoever looks whether it is held holds it for a moment */
};

static void settled(struct stream *stream, void *client)
{
  (void)stream;
  conn_settle(client);
}

/* Not dumpable: what runs in the container must not read this memory, or that of the children on
 * their way into it, through /proc. */
int shim_prepare_process(struct zl_error *err)
{
  sigset_t all;

  (void)umask(077);
  zl_proc_default_signals();
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  if (chdir("/") < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "preparing the process");
  return 0;
}

void shim_init(struct shim *shim, const struct keeper *keeper)
{
  *shim = (struct shim){ .keeper = keeper,
                         .dir_fd = -1,
                         .lock_fd = -1,
                         .listen_source = SOURCE_INIT,
                         .signal_source = SOURCE_INIT,
                         .timer_source = SOURCE_INIT,
                         .stdin_fd = -1,
                         .listen_fd = -1,
                         .signal_fd = -1,
                         .timer_fd = -1,
                         .loop = { .epoll_fd = -1 },
                         .log = { .dir_fd = -1, .fd = -1 } };
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_init(&shim->streams[i], &shim->loop, &shim->log, (enum stream_id)i, settled);
}

/* Directory and lock are there from the start, or come with the first message. */
static int receive_container(struct shim *shim, int control_fd, struct zl_error *err)
{
  if (shim->dir_fd >= 0)
    return 0;
  return handover_await(shim, control_fd, err);
}

/* Who starts us may have taken the lock already and hand it over: then at no moment of a creation
 * is there a shim without its lock. The lock belongs to the open file, so taking it again through
 * the same one succeeds. */
static int take_lock(struct shim *shim, struct zl_error *err)
{
  if (shim->lock_fd < 0)
    return zl_lock_acquire(shim->dir_fd, "lock", LOCK_PATIENCE_MS * ZL_NS_PER_MS, &shim->lock_fd,
                           err);
  if (flock(shim->lock_fd, LOCK_EX | LOCK_NB) < 0)
    return zl_fail(err, ZL_E_CONFLICT, errno, "the lock handed over is held by another process");
  return 0;
}

static int create(struct shim *shim, struct zl_error *err)
{
  const struct settings *settings = &shim->settings;
  int r = take_lock(shim, err);

  if (r == 0)
    r = shim->keeper->load(shim, err);
  if (r == 0 && !settings->unrecorded)
    r = log_open(&shim->log, shim->dir_fd, settings->log_max_bytes, settings->log_files, err);
  if (r == 0)
    r = shim->keeper->create(shim, err);
  shim->created_at_ns = zl_time_wall();
  return r;
}

static int begin(struct shim *shim, struct zl_error *err)
{
  int r = create(shim, err);

  if (r == 0)
    r = lifecycle_watch(shim, err);
  if (r == 0)
    r = shim->keeper->watch(shim, err);
  if (r == 0)
    r = conn_listen(shim, err);
  if (r == 0)
    r = record_state(shim, err);
  if (r < 0) {
    conn_unlisten(shim);
    for (int i = 0; i < STREAM_COUNT; i++)
      stream_close(&shim->streams[i]);
    log_close(&shim->log);
    shim->keeper->undo(shim);
  }
  return r;
}

static void say_created(struct conn *conn)
{
  const struct shim *shim = conn->shim;
  json_t *warning = *shim->warning != '\0' ? text_json(shim->warning) : NULL;

  conn_send(conn, json_pack("{s:b, s:i, s:o*}", "ok", 1, "pid", (int)shim->pid, "warning", warning),
            NULL, 0);
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

int shim_serve(struct shim *shim, int control_fd)
{
  struct conn *first = NULL;
  struct zl_error err = { 0 };
  int r = receive_container(shim, control_fd, &err);

  if (r == 0 && shim->loop.epoll_fd < 0)
    r = loop_open(&shim->loop, &err);
  if (r < 0)
    return EXIT_FAILURE;
  r = begin(shim, &err);
  /* A client without room for its connection sees it end and finds the container by its socket. */
  (void)conn_open(shim, control_fd, &first, NULL);
  if (r < 0 && first != NULL)
    conn_fail(first, &err);
  if (r < 0)
    return EXIT_FAILURE;
  if (first != NULL)
    say_created(first);
  shim->loop.idle = footprint_shrink;
  while (r == 0 && !is_over(shim))
    r = loop_turn(&shim->loop, &err);
  /* Nothing is left to do: whoever waits to remove the directory need not wait for our exit. */
  zl_fd_closep(&shim->lock_fd);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int shim_main(struct shim *shim, int argc, char **argv)
{
  struct zl_error err = { 0 };
  int r;

  if (argc < 2 || !zl_path_is_name(argv[1], ZL_MAX_ID))
    return EXIT_FAILURE;
  memcpy(shim->id, argv[1], strlen(argv[1]) + 1);
  r = shim_prepare_process(&err);
  if (r == 0 && fcntl(SHIM_CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
    r = zl_fail_errno(&err, "descriptor %d", SHIM_CONTROL_FD);
  if (r == 0 && fcntl(SHIM_DIR_FD, F_SETFD, FD_CLOEXEC) == 0) {
    shim->dir_fd = SHIM_DIR_FD;
    if (fcntl(SHIM_LOCK_FD, F_SETFD, FD_CLOEXEC) == 0)
      shim->lock_fd = SHIM_LOCK_FD;
  }
  if (r == 0 && shim->keeper->prepare != NULL)
    r = shim->keeper->prepare(shim, argc - 2, argv + 2, &err);
  return r < 0 ? EXIT_FAILURE : shim_serve(shim, SHIM_CONTROL_FD);
}
