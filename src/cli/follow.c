/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/console.h"
#include "cli/signals.h"

struct show {
  struct zl_cli *cli;
  struct zl_runtime *rt;
  struct zl_followed *items;
  size_t count;
  pthread_mutex_t writing; /* a line is one piece, whoever prints it */
  int width;               /* of the longest id */
  bool colour[3];          /* by stream */
  size_t ended;
  int ended_fd, signal_fd;
  int caught; /* the first signal */
  pthread_t stopper;
};

struct follower {
  struct show *show;
  size_t index;
  pthread_t thread;
};

void zl_follow_block_signals(void)
{
  zl_cli_signals_block(ZL_CLI_SIGNALS_END);
}

int zl_follow_interrupted(void)
{
  return zl_cli_signals_pending();
}

/* "web-rep-1  | text". A part of a very long line gets a line of its own: others may print in
 * between. */
static int put_entry(void *payload, const struct zl_log_entry *entry)
{
  static const char *const colours[] = { "36", "33", "32", "35", "34", "96", "93", "92" };
  const struct follower *f = payload;
  struct show *show = f->show;
  enum zl_stream stream = entry->stream == ZL_STDERR ? ZL_STDERR : ZL_STDOUT;
  const char *id = show->items[f->index].id;
  zl_autobuf line = ZL_BUF_INIT((size_t)4 * ZL_MAX_LOG_LINE);
  int r;

  if (show->colour[stream])
    r = zl_buf_printf(&line, NULL, "\x1b[%sm%-*s |\x1b[0m ", colours[f->index % ZL_COUNT(colours)],
                      show->width, id);
  else
    r = zl_buf_printf(&line, NULL, "%-*s | ", show->width, id);
  if (r >= 0)
    r = zl_buf_append(&line, entry->text, entry->len, NULL);
  if (r >= 0)
    r = zl_buf_puts(&line, "\n", NULL);
  if (r < 0)
    return 1;
  (void)pthread_mutex_lock(&show->writing);
  r = zl_fd_write_full(stream == ZL_STDERR ? STDERR_FILENO : STDOUT_FILENO, line.data, line.len);
  (void)pthread_mutex_unlock(&show->writing);
  return r < 0;
}

static void note_end(struct show *show)
{
  (void)pthread_mutex_lock(&show->writing);
  show->ended++;
  (void)pthread_mutex_unlock(&show->writing);
  (void)!write(show->ended_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static size_t count_ended(struct show *show)
{
  uint64_t sink;
  size_t ended;

  (void)!read(show->ended_fd, &sink, sizeof(sink)); /* before counting: a later end wakes again */
  (void)pthread_mutex_lock(&show->writing);
  ended = show->ended;
  (void)pthread_mutex_unlock(&show->writing);
  return ended;
}

/* The log first: looking at the end of a container that removes itself would take its log away. */
static void *follow_one(void *payload)
{
  struct follower *f = payload;
  struct zl_followed *item = &f->show->items[f->index];
  struct zl_logs_options options = {
    .tail = -1, .follow = true, .since_ns = item->since_ns, .cancel_fd = -1
  };
  struct zl_error err = { 0 };
  struct zl_outcome outcome = { 0 };
  int r = zl_logs(f->show->rt, item->id, &options, put_entry, f, &err);

  if (r < 0)
    zl_cli_note("output of %s: %s", item->id, err.msg);
  r = zl_wait(f->show->rt, item->id, -1, &outcome, &err);
  if (r < 0)
    zl_cli_note("end of %s: %s", item->id, err.msg);
  else if (outcome.exit_code != 0)
    zl_cli_note("%s ended with %d (%s)", item->id, outcome.exit_code,
                zl_exit_reason_name(outcome.reason));
  item->exit_code = r < 0 ? ZL_RC_FAILED : outcome.exit_code;
  note_end(f->show);
  return NULL;
}

static void *stop_all(void *payload)
{
  struct show *show = payload;
  struct zl_error err = { 0 };

  for (size_t i = show->count; i-- > 0;)
    if (zl_stop(show->rt, show->items[i].id, -1, &err) < 0 && err.code != ZL_E_NOT_FOUND)
      zl_cli_note("%s", err.msg);
  return NULL;
}

static void kill_all(struct show *show)
{
  for (size_t i = show->count; i-- > 0;)
    (void)zl_kill(show->rt, show->items[i].id, ZL_CLI_KILL, NULL);
}

static void handle_signal(struct show *show, int signal)
{
  if (show->caught != 0) {
    kill_all(show);
    return;
  }
  zl_cli_note("stopping; once more to kill");
  if (pthread_create(&show->stopper, NULL, stop_all, show) == 0)
    show->caught = signal;
  else
    kill_all(show);
}

static void watch(struct show *show, size_t running)
{
  struct pollfd fds[] = { { .fd = show->ended_fd, .events = POLLIN },
                          { .fd = show->signal_fd, .events = POLLIN } };
  size_t ended = 0;

  while (ended < running) {
    int signal = 0;

    if (poll(fds, ZL_COUNT(fds), -1) < 0 && errno != EINTR)
      return;
    if (fds[0].revents != 0)
      ended = count_ended(show);
    if (fds[1].revents != 0)
      signal = zl_cli_signals_take(show->signal_fd);
    if (signal != 0)
      handle_signal(show, signal);
  }
}

static int first_failure(const struct show *show)
{
  if (show->caught != 0)
    return 128 + show->caught;
  for (size_t i = 0; i < show->count; i++)
    if (show->items[i].exit_code != 0)
      return show->items[i].exit_code;
  return 0;
}

static int run_threads(struct show *show, struct follower *followers)
{
  size_t started = 0;

  for (; started < show->count; started++) {
    followers[started] = (struct follower){ .show = show, .index = started };
    if (pthread_create(&followers[started].thread, NULL, follow_one, &followers[started]) != 0)
      break;
  }
  if (started < show->count)
    zl_cli_note("no more threads: the output of %zu containers is not shown",
                show->count - started);
  watch(show, started);
  for (size_t i = 0; i < started; i++)
    (void)pthread_join(followers[i].thread, NULL);
  if (show->caught != 0)
    (void)pthread_join(show->stopper, NULL);
  return started < show->count ? ZL_RC_FAILED : first_failure(show);
}

int zl_follow(struct zl_cli *cli, struct zl_runtime *rt, struct zl_followed *items, size_t count)
{
  struct show show = { .cli = cli, .rt = rt, .items = items, .count = count };
  zl_autofree struct follower *followers = calloc(count + 1, sizeof(*followers));
  zl_autofd ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  zl_autofd signal_fd = -1;
  struct zl_error err = { 0 };

  if (followers == NULL || ended_fd < 0 ||
      zl_cli_signals_open(ZL_CLI_SIGNALS_END, &signal_fd, NULL) < 0) {
    (void)zl_fail_errno(&err, "watching the containers");
    return zl_cli_failed(cli, &err);
  }
  show.ended_fd = ended_fd;
  show.signal_fd = signal_fd;
  show.colour[ZL_STDOUT] = zl_console_can_colour(STDOUT_FILENO);
  show.colour[ZL_STDERR] = zl_console_can_colour(STDERR_FILENO);
  for (size_t i = 0; i < count; i++)
    if ((int)strlen(items[i].id) > show.width)
      show.width = (int)strlen(items[i].id);
  (void)pthread_mutex_init(&show.writing, NULL);
  return run_threads(&show, followers);
}
