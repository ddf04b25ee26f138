/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

/* The library's removal is idempotent; a user who mistyped a name wants to know. */
static int remove_one(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                      const char *operand, struct zl_error *err)
{
  bool force = zl_args_has(args, "force");
  struct zl_container_state state;
  int r = force ? 0 : zl_container_state(rt, operand, &state, err);

  (void)cli;
  return r < 0 ? r : zl_remove(rt, operand, force, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  return zl_cli_each(cli, args, zl_args_has(args, "quiet"), remove_one);
}

const struct zl_verb zl_verb_rm = {
  .name = "rm",
  .group = "Containers",
  .summary = "Remove containers that do not run",
  .usage = "[OPTIONS] CONTAINER...",
  .options =
      (const struct zl_option[]){
          { .name = "force",
            .letter = 'f',
            .summary = "Kill the ones that run; one that does not exist is fine" },
          { .name = "quiet", .letter = 'q', .summary = "Do not print the names" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
