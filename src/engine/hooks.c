/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/hooks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/time.h"
#include "engine/state.h"

enum {
  READ_AT_ONCE = 4096,
  SIGNAL_TEXT = 48
};

struct run {
  const struct zl_hook *hook;
  enum zl_hook_phase phase;
  struct zl_proc proc;
  int stderr_fd; /* -1: it has ended */
  char text[ZL_MAX_HOOK_STDERR + 1];
  size_t len;
  uint64_t deadline;
};

/* ---- Streams ------------------------------------------------------------------------------- */

static int in_memory(const char *state, size_t len, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = memfd_create("zlayer-state", MFD_CLOEXEC);
  int r;

  if (fd < 0)
    return zl_fail_errno(err, "cannot be given its state");
  r = zl_fd_write_full(fd, state, len);
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "cannot be given its state");
  if (lseek(fd, 0, SEEK_SET) < 0)
    return zl_fail_errno(err, "cannot be given its state");
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

/* A state that a pipe holds is written before there is a reader: a hook that does not read cannot
 * block us. */
static int open_state(const char *state, size_t len, int *ret_fd, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);
  ssize_t n;

  if (r < 0)
    return r;
  n = fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0 ? -1 : write(ends[1], state, len);
  zl_fd_closep(&ends[1]);
  if (n == (ssize_t)len) {
    *ret_fd = ends[0];
    return 0;
  }
  zl_fd_closep(&ends[0]);
  return in_memory(state, len, ret_fd, err);
}

/* Reads what there is; keeps the beginning. */
static void take_stderr(struct run *run)
{
  ZL_UNCLEARED char chunk[READ_AT_ONCE];

  while (run->stderr_fd >= 0) {
    ssize_t n = read(run->stderr_fd, chunk, sizeof(chunk));
    size_t room = ZL_MAX_HOOK_STDERR - run->len;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0) {
      zl_fd_closep(&run->stderr_fd);
      return;
    }
    if ((size_t)n < room)
      room = (size_t)n;
    memcpy(run->text + run->len, chunk, room);
    run->len += room;
  }
}

/* ---- One hook ------------------------------------------------------------------------------ */

/* Its complaints are ours to tell. */
static int open_errors(struct run *run, int *ret_fd, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  run->stderr_fd = ends[0];
  *ret_fd = ends[1];
  return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? zl_fail_errno(err, "has no standard error") : 0;
}

/* The host's environment is nothing that a program of the container may see. */
static const char *const *environment(const struct run *run)
{
  static const char *const none[] = { NULL };

  if (run->hook->env != NULL)
    return (const char *const *)run->hook->env;
  return run->phase == ZL_HOOK_START_CONTAINER ? none : (const char *const *)environ;
}

static int start(struct run *run, const char *state, size_t len, struct zl_error *err)
{
  const struct zl_hook *hook = run->hook;
  const char *const bare[] = { hook->path, NULL };
  zl_autofd input = -1, errors = -1;
  int r = open_state(state, len, &input, err);

  if (r == 0)
    r = open_errors(run, &errors, err);
  if (r < 0)
    return r;
  {
    const struct zl_proc_fd fds[] = { { .from = input, .to = 0 }, { .from = errors, .to = 2 } };
    const struct zl_proc_options opt = {
      .path = hook->path,
      .exec_fd = -1,
      .argv = hook->args[0] != NULL ? (const char *const *)hook->args : bare,
      .envp = environment(run),
      .fds = fds,
      .n_fds = ZL_COUNT(fds),
      .new_session = true,
      .bound = true,
    };

    r = zl_proc_spawn(&opt, &run->proc, err);
  }
  /* "Not found" would be taken for the container's own program. */
  if (r == -ZL_E_NO_COMMAND || r == -ZL_E_NOT_EXECUTABLE)
    return zl_fail(err, ZL_E_SYSTEM, r == -ZL_E_NO_COMMAND ? ENOENT : EACCES, "cannot be executed");
  return r;
}

static int milliseconds_left(const struct run *run)
{
  uint64_t now = zl_time_boot();

  if (run->deadline == UINT64_MAX)
    return -1;
  return now >= run->deadline ? 0 : (int)((run->deadline - now) / ZL_NS_PER_MS + 1);
}

/* Its end, not that of its output: a hook may leave a process behind that keeps the pipe. */
static int await(struct run *run, struct zl_error *err)
{
  for (;;) {
    struct pollfd fds[] = { { .fd = run->proc.pidfd, .events = POLLIN },
                            { .fd = run->stderr_fd, .events = POLLIN } };
    int n = poll(fds, ZL_COUNT(fds), milliseconds_left(run));

    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "cannot be waited for");
    if (n == 0)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "has not ended within %u s", run->hook->timeout_s);
    if (n > 0)
      take_stderr(run);
    if (n > 0 && fds[0].revents != 0)
      return 0;
  }
}

/* One line for the message. */
static const char *complaint(struct run *run)
{
  take_stderr(run);
  while (run->len > 0 && strchr(" \n\t\r", run->text[run->len - 1]) != NULL)
    run->len--;
  run->text[run->len] = '\0';
  for (char *c = run->text; *c != '\0'; c++)
    if ((unsigned char)*c < ' ')
      *c = ' ';
  return run->text;
}

/* "bad system call", as Go and so runc's callers have it. */
static const char *signal_text(int number, char text[SIGNAL_TEXT])
{
  const char *description = sigdescr_np(number);

  if (description == NULL)
    (void)snprintf(text, SIGNAL_TEXT, "signal %d", number);
  else
    (void)snprintf(text, SIGNAL_TEXT, "%c%s", tolower((unsigned char)*description),
                   description + 1);
  return text;
}

static int judge(struct run *run, int status, struct zl_error *err)
{
  const char *text = complaint(run), *colon = *text != '\0' ? ": " : "";
  char description[SIGNAL_TEXT];

  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return 0;
  if (WIFEXITED(status))
    return zl_fail(err, ZL_E_SYSTEM, 0, "failed with exit code %d%s%s", WEXITSTATUS(status), colon,
                   text);
  return zl_fail(err, ZL_E_SYSTEM, 0, "failed: signal: %s%s%s",
                 signal_text(WTERMSIG(status), description), colon, text);
}

static int run_one(struct run *run, const char *state, size_t len, struct zl_error *err)
{
  int status = 0, r = start(run, state, len, err);

  if (r < 0)
    return r;
  if (run->hook->timeout_s > 0)
    run->deadline = zl_time_boot() + run->hook->timeout_s * ZL_NS_PER_S;
  r = await(run, err);
  if (r < 0) {
    (void)kill(-run->proc.pid, SIGKILL); /* it leads its session */
    zl_proc_kill(&run->proc);
    return r;
  }
  r = zl_proc_wait(&run->proc, &status, err);
  return r == 0 ? judge(run, status, err) : r;
}

/* ---- All of a phase ------------------------------------------------------------------------ */

static int fail_hook(const struct run *run, size_t index, const struct zl_error *why,
                     struct zl_error *err)
{
  return zl_fail(err, why->code, why->os_error,
                 "error running hook: %s hook %s (hooks.%s[%zu], '%s')",
                 zl_hook_phase_name(run->phase), why->msg, zl_hook_phase_name(run->phase), index,
                 run->hook->path);
}

int zl_hooks_run(enum zl_hook_phase phase, const struct zl_hook_list *hooks, const char *state,
                 size_t len, struct zl_error *err)
{
  for (size_t i = 0; i < hooks->n; i++) {
    struct run run = { .hook = &hooks->items[i],
                       .phase = phase,
                       .proc = { .pidfd = -1 },
                       .stderr_fd = -1,
                       .deadline = UINT64_MAX };
    struct zl_error why = { 0 }, told = { 0 };
    int r = run_one(&run, state, len, &why);

    zl_fd_closep(&run.stderr_fd);
    if (r == 0)
      continue;
    why.os_error = 0; /* its text is in the message already */
    if (phase != ZL_HOOK_POSTSTOP)
      return fail_hook(&run, i, &why, err);
    (void)fail_hook(&run, i, &why, &told);
    zl_warning("%s", told.msg);
  }
  return 0;
}

int zl_hooks_run_phase(const struct zl_engine_config *config, enum zl_hook_phase phase,
                       const char *state, const char *status, pid_t pid, struct zl_error *err)
{
  const struct zl_hook_list *hooks = &config->hooks[phase];
  zl_autojson *doc = NULL;
  zl_autofree char *text = NULL;
  int r;

  if (hooks->n == 0)
    return 0;
  if (state == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s hooks: nobody has said the container's state",
                   zl_hook_phase_name(phase));
  r = zl_state_parse(state, status, pid, &doc, err);
  if (r == 0)
    r = zl_json_render(doc, &text, err);
  return r == 0 ? zl_hooks_run(phase, hooks, text, strlen(text), err) : r;
}

int zl_hooks_run_runtime(const struct zl_engine_config *config, const char *state, pid_t pid,
                         struct zl_error *err)
{
  int r = zl_hooks_run_phase(config, ZL_HOOK_PRESTART, state, "created", pid, err);

  return r == 0 ? zl_hooks_run_phase(config, ZL_HOOK_CREATE_RUNTIME, state, "creating", pid, err)
                : r;
}

bool zl_hooks_see_mounts(const struct zl_engine_config *config)
{
  return config->hooks[ZL_HOOK_PRESTART].n + config->hooks[ZL_HOOK_CREATE_RUNTIME].n +
             config->hooks[ZL_HOOK_CREATE_CONTAINER].n >
         0;
}
