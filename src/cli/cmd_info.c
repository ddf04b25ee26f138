/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autofree char *text = NULL;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_info(rt, &text, &err);
  if (r >= 0)
    r = zl_cli_write_facts(text, zl_args_has(args, "json"), &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_info = {
  .name = "info",
  .group = "Node",
  .summary = "Show facts about this node: backends, kernel, cgroups, slice, counts",
  .usage = "[--json]",
  .options = (const struct zl_option[]){ ZL_OPTION_JSON("Print a JSON object"), { .name = NULL } },
  .run = run,
};
