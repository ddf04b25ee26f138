/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int unpause_one(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                       const char *operand, struct zl_error *err)
{
  (void)cli;
  (void)args;
  return zl_unpause(rt, operand, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  return zl_cli_each(cli, args, zl_args_has(args, "quiet"), unpause_one);
}

const struct zl_verb zl_verb_unpause = {
  .name = "unpause",
  .group = "Containers",
  .summary = "Let the processes of paused containers run again",
  .usage = "[OPTIONS] CONTAINER...",
  .options =
      (const struct zl_option[]){
          { .name = "quiet", .letter = 'q', .summary = "Do not print the names" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
