/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  const struct zl_option shell = { .complete = "bash" };
  int r;

  if (!zl_opt_accepts(&shell, args->operands[0])) {
    (void)zl_fail(&err, ZL_E_INVALID, 0, "no completion for '%s': only bash", args->operands[0]);
    return zl_cli_usage(cli, &err);
  }
  r = zl_completion_bash(&out, &err);
  if (r >= 0)
    r = zl_cli_write(&out, &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_completion = {
  .name = "completion",
  .group = "Node",
  .summary = "Print the completion script for a shell: source <(zlayer completion bash)",
  .usage = "bash",
  .options = (const struct zl_option[]){ { .name = NULL } },
  .operands = "bash",
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
