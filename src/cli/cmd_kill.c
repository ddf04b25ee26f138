/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int signal_of(const struct zl_args *args, int *ret, struct zl_error *err)
{
  const char *text = zl_args_get(args, "signal");

  return zl_signal_parse(text != NULL ? text : "KILL", ret, err);
}

static int send(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                const char *operand, struct zl_error *err)
{
  int signal, r = signal_of(args, &signal, err);

  (void)cli;
  return r < 0 ? r : zl_kill(rt, operand, signal, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  int signal;

  if (signal_of(args, &signal, &err) < 0)
    return zl_cli_usage(cli, &err);
  return zl_cli_each(cli, args, zl_args_has(args, "quiet"), send);
}

const struct zl_verb zl_verb_kill = {
  .name = "kill",
  .group = "Containers",
  .summary = "Send a signal to the main process of containers",
  .usage = "[OPTIONS] CONTAINER...",
  .options =
      (const struct zl_option[]){
          { .name = "signal",
            .letter = 's',
            .value = "SIGNAL",
            .summary = "Name or number, such as TERM, SIGHUP or 9; default KILL" },
          { .name = "quiet", .letter = 'q', .summary = "Do not print the names" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
