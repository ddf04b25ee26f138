/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/image_options.h"
#include "cli/verbs.h"

static int add(struct zl_runtime *rt, const char *name, json_t *list, struct zl_error *err)
{
  zl_autojson *facts = NULL;
  int r = zl_image_facts(rt, name, &facts, err);

  if (r >= 0 && json_array_append_new(list, zl_image_description(facts)) < 0)
    return zl_fail_nomem(err, "JSON output");
  return r;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autojson *list = json_array();
  int rc = ZL_RC_OK, r = zl_cli_open(cli, &rt, &err);

  if (r < 0)
    return zl_cli_failed(cli, &err);
  for (size_t i = 0; i < args->n_operands; i++)
    if (add(rt, args->operands[i], list, &err) < 0)
      rc = zl_cli_failed(cli, &err);
  if (zl_cli_write_json(zl_steal_ptr(&list), &err) < 0)
    rc = zl_cli_failed(cli, &err);
  return rc;
}

const struct zl_verb zl_verb_image_inspect = {
  .name = "inspect",
  .group = "Verbs",
  .summary = "Print images as a JSON array, with the names that Docker and Podman use",
  .usage = "[OPTIONS] IMAGE...",
  .options = (const struct zl_option[]){ ZL_OPTION_JSON("The output is JSON with or without this"),
                                         { .name = NULL } },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
