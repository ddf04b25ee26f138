/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int remove_one(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                      const char *operand, struct zl_error *err)
{
  (void)cli;
  return zl_remove_image(rt, operand, zl_args_has(args, "force"), err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  return zl_cli_each(cli, args, zl_args_has(args, "quiet"), remove_one);
}

const struct zl_verb zl_verb_rmi = {
  .name = "rmi",
  .group = "Images",
  .summary = "Remove images, and the layers that no other image needs",
  .usage = "[OPTIONS] IMAGE...",
  .options =
      (const struct zl_option[]){
          { .name = "force",
            .letter = 'f',
            .summary = "Also while containers use it; their layers stay" },
          { .name = "quiet", .letter = 'q', .summary = "Do not print the names" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
