/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "shim/conn.h"
#include "shim/footprint.h"
#include "shim/handover.h"
#include "shim/lifecycle.h"
#include "shim/record.h"
#include "shim/text.h"
#include "shim/watch.h"

static void settled(struct stream *stream, void *client)
{
  (void)stream;
  conn_settle(client);
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

static int create(struct shim *shim, struct zl_error *err)
{
  const struct settings *settings = &shim->settings;
  int r = handover_lock(shim, err);

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
    r = watch_open(shim, err);
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
  zl_fd_closep(&shim->dir_fd);
  zl_fd_closep(&shim->lock_fd);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
