/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

enum {
  MAX_POOL = 64 /* zl_vm_pool_resize */
};

static int write_status(struct zl_runtime *rt, const struct zl_args *args, const char *part,
                        struct zl_error *err)
{
  zl_autofree char *text = NULL, *part_text = NULL;
  zl_autojson *json = NULL;
  int r = zl_vm_status(rt, &text, err);

  if (r >= 0 && part == NULL)
    return zl_cli_write_facts(text, zl_args_has(args, "json"), err);
  if (r >= 0)
    r = zl_json_parse(text, strlen(text), "status", &json, err);
  if (r < 0)
    return r;
  if (json_object_get(json, part) == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "%s",
                   json_is_string(json_object_get(json, "missing"))
                       ? json_string_value(json_object_get(json, "missing"))
                       : "this node makes no machines");
  r = zl_json_render(json_object_get(json, part), &part_text, err);
  return r < 0 ? r : zl_cli_write_facts(part_text, zl_args_has(args, "json"), err);
}

static int run_status(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = write_status(rt, args, NULL, &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_status = {
  .name = "status",
  .group = "Verbs",
  .summary = "Show accelerator, kernel, templates, pool and how machines would start",
  .usage = "[--json]",
  .options = (const struct zl_option[]){ ZL_OPTION_JSON("Print a JSON object"), { .name = NULL } },
  .run = run_status,
};

static int run_pool(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  uint64_t size = 0;
  bool resize = args->n_operands > 0;
  int r = 0;

  if (resize && !zl_parse_u64(args->operands[0], MAX_POOL, &size)) {
    (void)zl_fail(&err, ZL_E_INVALID, 0, "'%.40s' is not a number from 0 to %d", args->operands[0],
                  MAX_POOL);
    return zl_cli_usage(cli, &err);
  }
  r = zl_cli_open(cli, &rt, &err);
  if (r >= 0 && resize)
    r = zl_vm_pool_resize(rt, (unsigned)size, !zl_args_has(args, "no-wait"), &err);
  if (r >= 0)
    r = write_status(rt, args, "pool", &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_pool = {
  .name = "pool",
  .group = "Verbs",
  .summary = "Show the machines that wait for a container, or say how many there shall be",
  .usage = "[OPTIONS] [N]",
  .detail = "The number is remembered, and a machine that was taken is replaced; 0 ends those "
            "that wait. They have the default memory and processors, and the image of the last two "
            "containers when it was the same, else any. A container that wants "
            "others is cloned or booted; one that shares a directory of the node boots.",
  .options =
      (const struct zl_option[]){
          { .name = "no-wait", .summary = "Do not wait until they are ready" },
          ZL_OPTION_JSON("Print a JSON object"),
          { .name = NULL },
      },
  .max_operands = 1,
  .run = run_pool,
};

static int run_template(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_vm_template_build(rt, zl_args_has(args, "rebuild"), &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_template = {
  .name = "template",
  .group = "Verbs",
  .summary = "Make the template from which machines are cloned, if there is none",
  .usage = "[OPTIONS]",
  .detail = "The first container with new memory or processors has theirs made in the "
            "background, the second one of an image that of its image; this makes that of the "
            "default ones and any image now. Clones of one template "
            "share its memory until they write: 'vm: { template: off }' in ROOT/config.yaml "
            "keeps machines apart in this respect, too.",
  .options =
      (const struct zl_option[]){
          { .name = "rebuild", .summary = "Make it anew" },
          { .name = NULL },
      },
  .run = run_template,
};

const struct zl_verb zl_verb_vm = {
  .name = "vm",
  .group = "Node",
  .summary = "Look after the machines of isolation hyperv: status, pool, template",
  .usage = "VERB [OPTIONS]",
  .detail = "A container with --isolation hyperv gets a kernel of its own in a machine: one "
            "that waits in the pool, else a clone of a template, else one that boots. The "
            "kernels come from 'make guest-kernel' and 'make guest'; sizes and defaults are "
            "the member vm of ROOT/config.yaml.",
  .sub = (const struct zl_verb *const[]){ &verb_status, &verb_pool, &verb_template, NULL },
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
};
