/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/verbs.h"

static enum zl_pull_policy policy_of(const struct zl_args *args)
{
  const char *text = zl_args_get(args, "policy");

  if (text == NULL || strcmp(text, "always") == 0)
    return ZL_PULL_ALWAYS;
  if (strcmp(text, "newer") == 0)
    return ZL_PULL_NEWER;
  return strcmp(text, "never") == 0 ? ZL_PULL_NEVER : ZL_PULL_IF_NOT_PRESENT;
}

static int pull(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                const char *operand, struct zl_error *err)
{
  zl_autofree char *digest = NULL;
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_pull_shown(rt, operand, policy_of(args), zl_args_has(args, "quiet"), &digest, err);

  (void)cli;
  if (r >= 0)
    r = zl_buf_printf(&line, err, "%s\n", digest);
  return r < 0 ? r : zl_cli_write(&line, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  return zl_cli_each(cli, args, true, pull);
}

const struct zl_verb zl_verb_pull = {
  .name = "pull",
  .group = "Images",
  .summary = "Store images and print their digests; 'zlayer help references' explains the names",
  .usage = "[OPTIONS] IMAGE...",
  .options =
      (const struct zl_option[]){
          { .name = "policy",
            .value = "POLICY",
            .complete = "always newer if_not_present never",
            .summary = "When to ask the source; default always" },
          { .name = "quiet", .letter = 'q', .summary = "Print the digests only" },
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
