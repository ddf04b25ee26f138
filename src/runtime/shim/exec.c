/* SPDX-License-Identifier: Apache-2.0
 *
 * A further process in a container: the container's own process object, with what the caller wants
 * otherwise.
 */
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"
#include "runtime/shim/control.h"
#include "runtime/shim/session.h"

/* "KEY=value" replaces an entry with the same key. */
static int set_env(json_t *env, const char *entry, struct zl_error *err)
{
  size_t key = strcspn(entry, "=");
  size_t i;
  json_t *item;
  int failed;

  if (entry[key] != '=' || key == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "'%.80s' is not KEY=value", entry);
  json_array_foreach (env, i, item) {
    const char *old = json_string_value(item);

    if (old != NULL && strncmp(old, entry, key + 1) == 0)
      break;
  }
  failed = i < json_array_size(env) ? json_array_set_new(env, i, json_string(entry))
                                    : json_array_append_new(env, json_string(entry));
  return failed < 0 ? zl_fail(err, ZL_E_INVALID, 0, "'%.80s' is not UTF-8", entry) : 0;
}

static json_t *console_size(const struct zl_exec_options *options)
{
  return json_pack("{s:i, s:i}", "height", options->rows > 0 ? (int)options->rows : 24, "width",
                   options->cols > 0 ? (int)options->cols : 80);
}

static int set_basics(json_t *process, const struct zl_exec_options *options, struct zl_error *err)
{
  json_t *env = json_object_get(process, "env");
  int r = 0;

  for (size_t i = 0; r == 0 && options->env != NULL && options->env[i] != NULL; i++)
    r = set_env(env, options->env[i], err);
  if (r == 0 && options->tty &&
      json_object_set_new(process, "consoleSize", console_size(options)) < 0)
    r = zl_fail_nomem(err, "exec");
  if (r == 0 && options->cwd != NULL && !zl_shimclient_is_absolute(options->cwd))
    r = zl_fail(err, ZL_E_INVALID, 0, "working directory '%.80s' is not absolute", options->cwd);
  if (r == 0 && options->cwd != NULL &&
      json_object_set_new(process, "cwd", json_string(options->cwd)) < 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "the working directory is not UTF-8");
  return r;
}

/* Absent capabilities are the container's own. */
static int make_process(const json_t *config, const struct zl_exec_options *options, json_t **ret,
                        struct zl_error *err)
{
  zl_autojson *process = json_deep_copy(json_object_get(config, "process"));
  json_t *args = zl_json_from_strv(options->argv);
  const char *user = options->user;
  int r;

  if (user == NULL)
    user = json_string_value(json_object_get(json_object_get(config, "zlayer"), "user"));
  (void)json_object_del(process, "capabilities");
  (void)json_object_del(process, "consoleSize");
  if (args == NULL || json_object_set_new(process, "args", args) < 0 ||
      json_object_set_new(process, "terminal", json_boolean(options->tty)) < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the command is not UTF-8");
  if (user != NULL && json_object_set_new(process, "zlayerUser", json_string(user)) < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the user is not UTF-8");
  r = set_basics(process, options, err);
  if (r == 0)
    *ret = zl_steal_ptr(&process);
  return r;
}

static int load_process(struct zl_shimclient_session *s, const struct zl_exec_options *options,
                        json_t **ret, struct zl_error *err)
{
  zl_autojson *config = NULL;
  zl_autofd dir = -1;
  int r = zl_node_container_dir(s->backend->rt, s->target, &dir, err);

  if (r == 0)
    r = zl_shimclient_load_bundle(dir, &config, err);
  return r < 0 ? r : make_process(config, options, ret, err);
}

/* The process's ends; without a terminal always three. */
struct ends {
  int in, out, err;
};

static void ends_done(struct ends *ends)
{
  zl_fd_closep(&ends->in);
  zl_fd_closep(&ends->out);
  zl_fd_closep(&ends->err);
}

static int open_input(struct zl_shimclient_session *s, bool wanted, struct ends *theirs,
                      struct zl_error *err)
{
  int pair[2], r;

  if (!wanted) {
    theirs->in = zl_fd_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);
    if (theirs->in >= 0)
      return 0;
    r = theirs->in;
    theirs->in = -1;
    return zl_fail(err, ZL_E_SYSTEM, -r, "opening /dev/null");
  }
  r = zl_fd_pipe(pair, err);
  if (r < 0)
    return r;
  theirs->in = pair[0];
  s->in = pair[1];
  return 0;
}

static int open_ends(struct zl_shimclient_session *s, const struct zl_exec_options *options,
                     struct ends *theirs, struct zl_error *err)
{
  int r = open_input(s, options->open_stdin, theirs, err);

  if (r == 0)
    r = zl_shimclient_pipe_from(&s->out, &theirs->out, err);
  return r < 0 ? r : zl_shimclient_pipe_from(&s->err, &theirs->err, err);
}

static int use_terminal(struct zl_shimclient_session *s, int master, bool with_input,
                        struct zl_error *err)
{
  s->master = master;
  if (master < 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the shim gave no terminal");
  s->out = zl_fd_copy(master);
  s->in = with_input ? zl_fd_copy(master) : -1;
  if (s->out < 0 || (with_input && s->in < 0)) {
    s->out = s->out < 0 ? -1 : s->out;
    s->in = s->in < 0 ? -1 : s->in;
    return zl_fail(err, ZL_E_SYSTEM, EMFILE, "copying a descriptor");
  }
  return 0;
}

static int start(struct zl_shimclient_session *s, const struct zl_exec_options *options,
                 json_t *process, struct zl_error *err)
{
  ZL_CLEANUP(ends_done) struct ends theirs = { -1, -1, -1 };
  zl_autojson *reply = NULL;
  const bool has_master = options->tty && zl_shimclient_has_masters();
  int master = -1;
  int r = has_master ? 0 : open_ends(s, options, &theirs, err);

  if (r == 0)
    r = zl_control_send(s->control_fd, json_pack("{s:s, s:O}", "op", "exec", "process", process),
                        (const int[]){ theirs.in, theirs.out, theirs.err }, has_master ? 0 : 3,
                        err);
  if (r == 0)
    r = zl_control_receive(s->control_fd, zl_time_boot() + ZL_CONTROL_PATIENCE, -1, &reply, &master,
                           err);
  s->by_message = r == 0 && json_is_true(json_object_get(reply, "resize"));
  s->base.tty = options->tty;
  if (r == 0 && has_master)
    r = use_terminal(s, master, options->open_stdin, err);
  return r;
}

int zl_shimclient_exec(struct zl_backend *backend, const char *id,
                       const struct zl_exec_options *options, struct zl_session **ret,
                       struct zl_error *err)
{
  ZL_CLEANUP(zl_shimclient_session_freep) struct zl_shimclient_session *s = NULL;
  zl_autojson *process = NULL;
  int r = zl_shimclient_session_new(backend, id, &s, err);

  if (r == 0)
    r = load_process(s, options, &process, err);
  if (r == 0)
    r = start(s, options, process, err);
  if (r == 0)
    *ret = &zl_steal_ptr(&s)->base;
  return r == -ZL_E_REMOTE ? zl_shimclient_just_ended(backend, id, err) : r;
}
