/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int stop(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                const char *operand, struct zl_error *err)
{
  uint64_t seconds = 0;
  int64_t grace_ms = -1;
  int r = zl_args_u64(args, "time", INT32_MAX, 0, &seconds, err);

  (void)cli;
  if (r < 0)
    return r;
  if (zl_args_has(args, "time"))
    grace_ms = (int64_t)seconds * 1000;
  return zl_stop(rt, operand, grace_ms, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  uint64_t seconds;

  if (zl_args_u64(args, "time", INT32_MAX, 0, &seconds, &err) < 0)
    return zl_cli_usage(cli, &err);
  return zl_cli_each(cli, args, zl_args_has(args, "quiet"), stop);
}

const struct zl_verb zl_verb_stop = {
  .name = "stop",
  .group = "Containers",
  .summary = "Stop containers: the stop signal, a time of grace, then SIGKILL",
  .usage = "[OPTIONS] CONTAINER...",
  .options =
      (const struct zl_option[]){
          { .name = "time",
            .letter = 't',
            .value = "SECONDS",
            .summary = "Time of grace; default the container's stop timeout, else 10" },
          { .name = "quiet", .letter = 'q', .summary = "Do not print the names" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
