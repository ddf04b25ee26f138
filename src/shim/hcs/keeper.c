/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/strv.h"
#include "base/thread.h"
#include "base/time.h"
#include "runtime/hcs/privilege.h"
#include "shim/conn.h"
#include "shim/hcs/hcs.h"
#include "shim/lifecycle.h"
#include "shim/win32/loop.h"
#include "shim/win32/stream.h"

/* The sessions of an ended container end by themselves, each of them first says so to its client.
 */
#define SESSIONS_PATIENCE (15 * ZL_NS_PER_S)

/* ---- What it is ---- */

static int load(struct shim *shim, struct zl_error *err)
{
  struct hcs_shim *hcs = hcs_of(shim);
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(shim->dir_fd, "config.json", &text, err);

  if (r == 0)
    r = zl_hcs_bundle_parse(text.data, text.len, &hcs->bundle, err);
  if (r < 0)
    return r;
  shim->settings = (struct settings){ .terminal = hcs->bundle.service.tty,
                                      .stop_signal = hcs->bundle.stop_signal,
                                      .log_max_bytes = hcs->bundle.log_max_bytes,
                                      .log_files = hcs->bundle.log_files };
  return 0;
}

static int open_node(struct hcs_shim *hcs, struct zl_error *err)
{
  struct zl_hcs_node *node = &hcs->node;
  int r = zl_hcs_api_load(&node->api, err);

  node->owner = node->network = hcs->bundle.network;
  node->cpus = hcs->bundle.cpus;
  node->keep_on_failure = hcs->bundle.keep_on_failure;
  if (r == 0)
    r = zl_hcs_enable_privileges(node->api, err);
  return r < 0 ? r : zl_hcs_host_version(node->api, &node->host, err);
}

static int open_input(struct hcs_shim *hcs, struct zl_error *err)
{
  int ends[2];
  int r = hcs->bundle.service.stdin_open ? zl_fd_pipe(ends, err) : 1;

  if (r != 0)
    return r < 0 ? r : 0;
  hcs->stdin_end = ends[0];
  hcs->shim.stdin_fd = ends[1];
  return 0;
}

/* ---- What it tells, from its threads ---- */

static void output(void *ctx, bool is_err, const void *data, size_t len)
{
  struct hcs_shim *hcs = ctx;

  stream_pass(&hcs->shim.streams[is_err ? STREAM_ERR : STREAM_OUT], data, len);
}

static struct exit_record record_of(const struct zl_hcs_status *status)
{
  struct exit_record record = { .code = (int)status->code, .reason = EXIT_EXITED };

  if (status->forced) {
    record = exit_killed();
  } else if (!status->code_known) {
    record.code = EXIT_CODE_RUNTIME;
    record.reason = EXIT_RUNTIME_ERROR;
    (void)snprintf(record.message, sizeof(record.message), "%s", status->why);
  }
  record.finished_at_ns = status->finished_at_ns != 0 ? status->finished_at_ns : zl_time_wall();
  return record;
}

/* In the loop. */
static void note_end(void *ctx)
{
  struct hcs_shim *hcs = ctx;
  struct zl_hcs_status status;
  struct exit_record record;

  zl_hcs_instance_status(hcs->instance, &status);
  record = record_of(&status);
  lifecycle_ended(&hcs->shim, &record);
}

static void ended(void *ctx)
{
  loop_post(note_end, ctx);
}

static int create(struct shim *shim, struct zl_error *err)
{
  struct hcs_shim *hcs = hcs_of(shim);
  const struct zl_hcs_bundle *b = &hcs->bundle;
  const struct zl_hcs_instance_hooks hooks = { .ctx = hcs, .output = output, .ended = ended };
  const struct zl_hcs_instance_spec spec = { .id = shim->id,
                                             .dir = shim->dir,
                                             .service = &b->service,
                                             .image = &b->image,
                                             .isolation = b->isolation,
                                             .layers = b->layers,
                                             .n_layers =
                                                 zl_strv_len((const char *const *)b->layers),
                                             .volumes = b->volumes,
                                             .link = b->has_link ? &b->link : NULL,
                                             .scratch_bytes = b->scratch_bytes };
  int r = open_node(hcs, err);

  if (r == 0)
    r = open_input(hcs, err);
  return r < 0 ? r : zl_hcs_instance_create(&hcs->node, &spec, &hooks, &hcs->instance, err);
}

static int watch(struct shim *shim, struct zl_error *err)
{
  (void)shim;
  (void)err;
  return 0; /* the instance's threads tell */
}

/* ---- Start ---- */

static void *copy_input(void *ctx)
{
  struct hcs_shim *hcs = ctx;
  char chunk[16 << 10];
  ssize_t n;

  while ((n = read(hcs->stdin_end, chunk, sizeof(chunk))) > 0)
    if (zl_hcs_instance_write(hcs->instance, chunk, (size_t)n, NULL) < 0)
      break;
  (void)zl_hcs_instance_finish_input(hcs->instance, NULL);
  return NULL;
}

static void start_copying(struct hcs_shim *hcs)
{
  if (hcs->stdin_end >= 0 && zl_thread_release(copy_input, hcs) != 0)
    zl_warning("the container gets no input: no thread could be started");
}

static void run_start(void *ctx)
{
  struct hcs_shim *hcs = ctx;

  (void)zl_hcs_instance_start(hcs->instance, &hcs->failure);
}

/* In the loop. One that has ended already is told of by note_end, which comes after this. */
static void started(void *ctx)
{
  struct hcs_shim *hcs = ctx;
  struct zl_hcs_status status;

  if (hcs->failure.code != ZL_OK) {
    lifecycle_start_failed(&hcs->shim, &hcs->failure);
    return;
  }
  zl_hcs_instance_status(hcs->instance, &status);
  /* A number of the machine's own means nothing on the host, or somebody else's process. */
  if (hcs->bundle.isolation == ZL_ISOLATION_PROCESS)
    hcs->shim.pid = (pid_t)status.pid;
  start_copying(hcs);
  lifecycle_started(&hcs->shim);
}

static int start(struct shim *shim, struct zl_error *err)
{
  int r = loop_work(run_start, started, hcs_of(shim), err);

  return r < 0 ? r : 1;
}

/* ---- Signals ---- */

int hcs_signal_of(const struct hcs_shim *hcs, int number, enum zl_hcs_signal *ret,
                  struct zl_error *err)
{
  const bool known = zl_hcs_signals_supported(hcs->node.host.build, false, false);

  if (number >= ZL_SIGNAL_EVENT)
    number -= ZL_SIGNAL_EVENT;
  else if (number != ZL_SIGNAL_KILL && number != ZL_SIGNAL_TERM)
    return zl_fail(err, ZL_E_INVALID, 0, "signal %d: Windows has no such event", number);
  return zl_hcs_signal_of_number(number, known, ret, err);
}

struct telling {
  struct hcs_shim *hcs;
  enum zl_hcs_signal signal;
  struct zl_error failure;
};

static void run_signal(void *ctx)
{
  struct telling *t = ctx;

  (void)zl_hcs_instance_signal(t->hcs->instance, t->signal, &t->failure);
}

/* The command has ended or it has not: whoever told it sees by that. */
static void signalled(void *ctx)
{
  struct telling *t = ctx;

  if (t->failure.code != ZL_OK && t->failure.code != ZL_E_CONFLICT)
    zl_warning("%s", t->failure.msg);
  free(t);
}

static void run_kill(void *ctx)
{
  struct hcs_shim *hcs = ctx;
  struct zl_error err = { 0 };

  if (zl_hcs_instance_stop(hcs->instance, ZL_HCS_TERMINATE, 0, &err) < 0)
    zl_warning("%s", err.msg);
}

static void end_unstarted(struct hcs_shim *hcs)
{
  const struct zl_hcs_status forced = { .forced = true };
  struct exit_record record = record_of(&forced);

  lifecycle_ended(&hcs->shim, &record);
}

/* In the loop. Its end comes as an event, unless it never ran or could not be ended. */
static void killed(void *ctx)
{
  struct hcs_shim *hcs = ctx;
  struct zl_hcs_status status;

  zl_hcs_instance_status(hcs->instance, &status);
  if (status.phase != ZL_HCS_ENDED)
    end_unstarted(hcs);
}

static int kill_all(struct hcs_shim *hcs, struct zl_error *err)
{
  int r = hcs->killed ? 0 : loop_work(run_kill, killed, hcs, err);

  hcs->killed = r == 0;
  return r;
}

static int send_signal(struct shim *shim, int signal, struct zl_error *err)
{
  struct hcs_shim *hcs = hcs_of(shim);
  struct telling *t;
  enum zl_hcs_signal event;
  int r = hcs_signal_of(hcs, signal, &event, err);

  if (r < 0)
    return r;
  if (event == ZL_HCS_TERMINATE)
    return kill_all(hcs, err);
  t = calloc(1, sizeof(*t));
  if (t == NULL)
    return zl_fail_nomem(err, "signal");
  *t = (struct telling){ .hcs = hcs, .signal = event };
  r = loop_work(run_signal, signalled, t, err);
  if (r < 0)
    free(t);
  return r;
}

/* ---- Pause ---- */

static void run_pause(void *ctx)
{
  struct hcs_shim *hcs = ctx;

  hcs->failure = (struct zl_error){ 0 };
  (void)zl_hcs_instance_pause(hcs->instance, hcs->shim.pausing_to, &hcs->failure);
}

static void paused(void *ctx)
{
  struct hcs_shim *hcs = ctx;

  if (hcs->shim.pausing)
    lifecycle_paused(&hcs->shim, hcs->failure.code != ZL_OK ? &hcs->failure : NULL);
}

static int freeze(struct shim *shim, bool frozen, struct zl_error *err)
{
  int r;

  shim->pausing_to = frozen;
  r = loop_work(run_pause, paused, hcs_of(shim), err);
  return r < 0 ? r : 1;
}

/* ---- Terminals ---- */

struct sizing {
  struct hcs_shim *hcs;
  unsigned rows, cols;
};

static void run_resize(void *ctx)
{
  const struct sizing *s = ctx;

  (void)zl_hcs_instance_resize(s->hcs->instance, s->rows, s->cols, NULL);
}

static void resize(struct conn *conn, unsigned rows, unsigned cols)
{
  struct sizing *s;

  if (hcs_session_resize(conn, rows, cols) || !conn->shim->settings.terminal)
    return;
  s = malloc(sizeof(*s));
  if (s == NULL)
    return;
  *s = (struct sizing){ hcs_of(conn->shim), rows, cols };
  if (loop_work(run_resize, free, s, NULL) < 0)
    free(s);
}

/* ---- The end ---- */

static void clear(struct shim *shim)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_be_generous(&shim->streams[i]);
}

struct undoing {
  struct hcs_shim *hcs;
  struct zl_error failure;
  bool over;
};

/* Refused while sessions are there, which the loop lets go on meanwhile. */
static void run_undo(void *ctx)
{
  struct undoing *u = ctx;
  const uint64_t deadline = zl_time_boot() + SESSIONS_PATIENCE;
  struct timespec step = { .tv_nsec = 20 * (long)ZL_NS_PER_MS };
  int r = zl_hcs_instance_remove(u->hcs->instance, &u->failure);

  while (r == -ZL_E_CONFLICT && zl_time_boot() < deadline) {
    (void)nanosleep(&step, NULL);
    u->failure = (struct zl_error){ 0 };
    r = zl_hcs_instance_remove(u->hcs->instance, &u->failure);
  }
}

static void undone(void *ctx)
{
  struct undoing *u = ctx;

  u->over = true;
}

/* What fails is left to whoever removes the container (zl_hcs_instance_reap). Not in the loop's own
 * thread: the container's threads may have output for it still. */
static void undo(struct shim *shim)
{
  struct hcs_shim *hcs = hcs_of(shim);
  struct undoing u = { .hcs = hcs };

  zl_fd_closep(&shim->stdin_fd);
  if (hcs->instance == NULL || loop_work(run_undo, undone, &u, NULL) < 0)
    return;
  while (!u.over)
    (void)loop_turn(&shim->loop, NULL);
  if (u.failure.code != ZL_OK)
    zl_warning("%s", u.failure.msg);
}

const struct keeper hcs_keeper = {
  .streams_with_terminal = true,
  .load = load,
  .create = create,
  .watch = watch,
  .start = start,
  .signal = send_signal,
  .freeze = freeze,
  .stats = hcs_stats,
  .exec = hcs_session_start,
  .resize = resize,
  .forget = hcs_session_forget,
  .signal_session = hcs_session_signal,
  .clear = clear,
  .undo = undo,
};
