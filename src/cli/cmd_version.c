/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r;

  if (zl_args_has(args, "json"))
    return zl_cli_finish(cli, zl_cli_write_json(json_pack("{s:s}", "version", zl_version()), &err),
                         &err);
  r = zl_buf_printf(&out, &err, "zlayer %s\n", zl_version());
  if (r >= 0)
    r = zl_cli_write(&out, &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_version = {
  .name = "version",
  .group = "Node",
  .summary = "Print the version",
  .usage = "[--json]",
  .options = (const struct zl_option[]){ ZL_OPTION_JSON("Print a JSON object"), { .name = NULL } },
  .run = run,
};
