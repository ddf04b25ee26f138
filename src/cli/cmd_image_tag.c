/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  int r = zl_cli_open(cli, &rt, &err);

  for (size_t i = 1; i < args->n_operands && r >= 0; i++)
    r = zl_tag_image(rt, args->operands[0], args->operands[i], NULL, &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_image_tag = {
  .name = "tag",
  .group = "Verbs",
  .summary = "Give an image further names; a name that another image has is taken from it",
  .usage = "IMAGE NAME...",
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 2,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
