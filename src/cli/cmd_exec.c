/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/env.h"
#include "cli/relay.h"
#include "cli/verbs.h"

static int add_env(void *payload, const char *key, const char *value, struct zl_error *err)
{
  zl_autofree char *text = zl_asprintf("%s=%s", key, value);

  return text != NULL ? zl_strv_push(payload, text, err) : zl_fail_nomem(err, "the environment");
}

static int collect_env(const struct zl_args *args, char ***ret, struct zl_error *err)
{
  const char *value;
  int r = 0;

  for (size_t pos = 0; r >= 0 && (value = zl_args_next(args, "env-file", &pos)) != NULL;)
    r = zl_env_file(value, add_env, ret, err);
  for (size_t pos = 0; r >= 0 && (value = zl_args_next(args, "env", &pos)) != NULL;)
    r = zl_env_parse(value, add_env, ret, err);
  return r;
}

static int run_session(struct zl_cli *cli, const struct zl_args *args, char **env)
{
  struct zl_error err = { 0 };
  struct zl_relay relay = { .id = args->operands[0],
                            .tty = zl_args_has(args, "tty"),
                            .interactive = zl_args_has(args, "interactive") };
  struct zl_exec_options options = {
    .argv = (const char *const *)args->operands + 1,
    .env = (const char *const *)env,
    .cwd = zl_args_get(args, "workdir"),
    .user = zl_args_get(args, "user"),
    .tty = relay.tty,
    .open_stdin = relay.interactive,
  };
  struct zl_outcome outcome;
  int r = zl_cli_open(cli, &relay.rt, &err);

  zl_console_size(STDIN_FILENO, &options.rows, &options.cols);
  zl_relay_block_signals();
  if (r >= 0)
    r = zl_exec_open(relay.rt, relay.id, &options, &relay.session, &err);
  if (r >= 0)
    r = zl_relay_run(&relay, &outcome, &err);
  zl_session_close(relay.session);
  if (relay.caught != 0)
    return 128 + relay.caught;
  return r < 0 ? zl_cli_failed(cli, &err) : zl_cli_outcome(relay.id, &outcome);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  zl_autostrv env = NULL;
  int r = collect_env(args, &env, &err);

  if (r < 0)
    return zl_cli_usage(cli, &err);
  if (zl_relay_check_terminal(zl_args_has(args, "tty"), &err) < 0)
    return zl_cli_failed(cli, &err);
  return run_session(cli, args, env);
}

const struct zl_verb zl_verb_exec = {
  .name = "exec",
  .group = "Containers",
  .summary = "Run one more process in a running container",
  .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
  .detail = "The exit code is the process's own; 125: zlayer failed, 126: the command cannot be "
            "executed, 127: it was not found. Ctrl-C without -t ends the view, not the process.",
  .options =
      (const struct zl_option[]){
          { "env", "KEY[=VALUE]", "Set a variable; without a value the caller's own", .letter = 'e',
            .repeat = true },
          { "env-file", "FILE", "Set the variables of a file, one KEY[=VALUE] per line",
            ZL_COMPLETE_FILE, .repeat = true },
          { "interactive", NULL, "Pass standard input on", .letter = 'i' },
          { "tty", NULL, "Give the process a terminal", .letter = 't' },
          { "user", "USER[:GROUP]", "Run as this user, by name or number", .letter = 'u' },
          { "workdir", "PATH", "Working directory", .letter = 'w' },
          { NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 2,
  .max_operands = ZL_ANY_OPERANDS,
  .flags = ZL_VERB_OPTIONS_FIRST | ZL_VERB_WORKLOAD,
  .run = run,
};
