/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

/* A container, or else an image, unless --type says which. */
static int facts_of(struct zl_runtime *rt, const char *name, const char *type, char **ret,
                    struct zl_error *err)
{
  int r;

  if (type != NULL && strcmp(type, "image") == 0)
    return zl_inspect_image(rt, name, ret, err);
  r = zl_inspect(rt, name, ret, err);
  /* A name that cannot be a container's ("a/b:1") is INVALID there and may still be an image. */
  if (type != NULL || (r != -ZL_E_NOT_FOUND && r != -ZL_E_INVALID))
    return r;
  r = zl_inspect_image(rt, name, ret, err);
  if (r == -ZL_E_NOT_FOUND || r == -ZL_E_INVALID)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no container and no image '%s'", name);
  return r;
}

static int add(struct zl_runtime *rt, const char *name, const char *type, json_t *list,
               struct zl_error *err)
{
  zl_autofree char *text = NULL;
  json_t *object;
  int r = facts_of(rt, name, type, &text, err);

  if (r >= 0)
    r = zl_json_parse(text, strlen(text), name, &object, err);
  if (r >= 0 && json_array_append_new(list, object) < 0)
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
    if (add(rt, args->operands[i], zl_args_get(args, "type"), list, &err) < 0)
      rc = zl_cli_failed(cli, &err);
  if (zl_cli_write_json(zl_steal_ptr(&list), &err) < 0)
    rc = zl_cli_failed(cli, &err);
  return rc;
}

const struct zl_verb zl_verb_inspect = {
  .name = "inspect",
  .group = "Containers",
  .summary = "Print everything known about containers or images, as a JSON array",
  .usage = "[OPTIONS] CONTAINER|IMAGE...",
  .options =
      (const struct zl_option[]){
          { .name = "type",
            .value = "TYPE",
            .complete = "container image",
            .summary = "Look at one kind only" },
          ZL_OPTION_JSON("The output is JSON with or without this"),
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
