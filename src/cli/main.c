/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/program.h"
#include "cli/start.h"
#include "cli/verbs.h"

static void apply_globals(struct zl_cli *cli, const struct zl_args *args)
{
  static const char *const levels[] = { "error", "warning", "info", "debug" };
  const char *level = zl_args_get(args, "log-level");

  cli->options.root = zl_args_get(args, "root");
  cli->options.slice_cidr = zl_args_get(args, "slice-cidr");
  cli->options.backend = zl_args_get(args, "backend");
  for (size_t i = 0; level != NULL && i < ZL_COUNT(levels); i++)
    if (strcmp(level, levels[i]) == 0)
      zl_log_set_level((enum zl_log_level)i);
}

static int help(struct zl_cli *cli)
{
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  int r = cli->path[0] == '\0' ? zl_help_overview(&out, &err)
                               : zl_help_verb(&out, cli->verb, cli->path, &err);

  if (r >= 0)
    r = zl_cli_write(&out, &err);
  return zl_cli_finish(cli, r, &err);
}

/* Finds the verb among `table` and appends its name to the path. */
static int choose(struct zl_cli *cli, const struct zl_verb *const *table, const char *name,
                  struct zl_error *err)
{
  const struct zl_verb *verb = zl_verb_find(table, name);
  struct zl_nearest nearest = { .word = name };
  size_t len = strlen(cli->path);

  if (verb == NULL) {
    for (; *table != NULL; table++)
      zl_nearest_offer(&nearest, (*table)->name);
    if (nearest.best != NULL)
      return zl_fail(err, ZL_E_INVALID, 0, "unknown verb '%s' (did you mean '%s'?)", name,
                     nearest.best);
    return zl_fail(err, ZL_E_INVALID, 0, "unknown verb '%s'", name);
  }
  cli->verb = verb;
  (void)snprintf(cli->path + len, sizeof(cli->path) - len, "%s%s", len > 0 ? " " : "", verb->name);
  return 0;
}

/* Parses the options of the verb and calls it. `before` are options given earlier on the line. */
static int run_verb(struct zl_cli *cli, const struct zl_args *before, int argc, char **argv)
{
  struct zl_error err = { 0 };
  struct zl_args args;
  unsigned flags = cli->verb->flags | (cli->verb->sub != NULL ? ZL_VERB_OPTIONS_FIRST : 0U);
  int r, rc;

  if ((flags & ZL_VERB_RAW) != 0) {
    args = (struct zl_args){ .operands = argv, .n_operands = (size_t)argc };
    return cli->verb->run(cli, &args);
  }
  r = zl_args_parse(&args, cli->verb->options, flags, argc, argv, before, &err);
  if (r >= 0 && zl_args_has(&args, "help")) {
    rc = help(cli);
  } else if (r < 0 || (r = zl_args_check_operands(&args, cli->verb, &err)) < 0) {
    rc = zl_cli_usage(cli, &err);
  } else if (cli->verb->sub != NULL) {
    rc = choose(cli, cli->verb->sub, args.operands[0], &err) < 0
             ? zl_cli_usage(cli, &err)
             : run_verb(cli, &args, (int)args.n_operands - 1, args.operands + 1);
  } else {
    apply_globals(cli, &args);
    rc = cli->verb->run(cli, &args);
  }
  zl_args_done(&args);
  return rc;
}

/* The line up to the verb. */
static int run_line(struct zl_cli *cli, int argc, char **argv)
{
  static const struct zl_option version[] = { { .name = "version", .hidden = true },
                                              { .name = NULL } };
  struct zl_error err = { 0 };
  struct zl_args args;
  int r = zl_args_parse(&args, version, ZL_VERB_OPTIONS_FIRST, argc, argv, NULL, &err), rc;

  if (r >= 0 && zl_args_has(&args, "version")) {
    cli->verb = &zl_verb_version;
    rc = run_verb(cli, NULL, 0, argv);
  } else if (r >= 0 && args.n_operands == 0 && zl_args_has(&args, "help")) {
    rc = help(cli);
  } else if (r >= 0 && args.n_operands == 0) {
    (void)help(cli);
    rc = ZL_RC_USAGE;
  } else if (r < 0 || choose(cli, zl_verbs, args.operands[0], &err) < 0) {
    zl_cli_note("%s; see 'zlayer --help'", err.msg);
    rc = ZL_RC_USAGE;
  } else {
    rc = run_verb(cli, &args, (int)args.n_operands - 1, args.operands + 1);
  }
  zl_args_done(&args);
  return rc;
}

int main(int argc, char **argv)
{
  /* Not closed in the end: the kernel does that faster, and the state on disk has to survive a kill
   * at any instant anyway. */
  static struct zl_cli cli = { .verb = &zl_verb_help };

  argv = zl_cli_begin(argc, argv);
  if (argv == NULL) {
    zl_cli_note("the arguments are no text");
    return ZL_RC_USAGE;
  }
  zl_program_set_argv(argv);
  return run_line(&cli, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
}
