/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "cli/verbs.h"

/* ---- check --------------------------------------------------------------------------------- */

struct findings {
  json_t *list;       /* NULL: for people */
  struct zl_buf *out; /* text for people */
  size_t count;
};

static int add_finding(void *payload, const struct zl_finding *finding)
{
  struct findings *found = payload;
  const char *kind = finding->kind != NULL ? finding->kind : "object";
  const char *name = finding->name != NULL ? finding->name : "?";
  const char *detail = finding->detail != NULL ? finding->detail : "does not belong here";

  found->count++;
  if (found->list == NULL)
    return zl_buf_printf(found->out, NULL, "%s %s: %s%s\n", kind, name, detail,
                         finding->repaired ? " (removed)" : "") < 0;
  return json_array_append_new(found->list,
                               json_pack("{s:s, s:s, s:s, s:b}", "kind", kind, "name", name,
                                         "detail", detail, "repaired", finding->repaired)) < 0;
}

static int report_findings(struct findings *found, size_t left, bool repair, struct zl_error *err)
{
  int r;

  if (found->list != NULL)
    return zl_cli_write_json(
        json_pack("{s:O, s:I}", "findings", found->list, "left", (json_int_t)left), err);
  if (found->count == 0)
    r = zl_buf_puts(found->out, "nothing amiss\n", err);
  else if (left > 0 && !repair)
    r = zl_buf_printf(found->out, err, "%zu found; 'zlayer system check --repair' removes them\n",
                      left);
  else
    r = zl_buf_printf(found->out, err, "%zu found, %zu left\n", found->count, left);
  return r < 0 ? r : zl_cli_write(found->out, err);
}

static int run_check(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autojson *list = zl_args_has(args, "json") ? json_array() : NULL;
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  struct findings found = { .list = list, .out = &out };
  bool repair = zl_args_has(args, "repair");
  size_t left = 0;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_system_check(rt, repair, add_finding, &found, &left, &err);
  if (r >= 0)
    r = report_findings(&found, left, repair, &err);
  if (r < 0)
    return zl_cli_failed(cli, &err);
  return left > 0 ? ZL_RC_FAILED : ZL_RC_OK;
}

static const struct zl_verb verb_check = {
  .name = "check",
  .group = "Verbs",
  .summary = "Compare what this node should have with what is there; 1 when findings are left",
  .usage = "[OPTIONS]",
  .options =
      (const struct zl_option[]){
          { .name = "repair", .summary = "Remove what does not belong" },
          ZL_OPTION_JSON("Print a JSON object"),
          { .name = NULL },
      },
  .run = run_check,
};

/* ---- prune --------------------------------------------------------------------------------- */

static int report_prune(const struct zl_prune_result *result, bool dry_run, bool as_json,
                        struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char size[ZL_HUMAN_TEXT];
  int r;

  if (as_json)
    return zl_cli_write_json(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "containers", (json_int_t)result->containers,
                  "images", (json_int_t)result->images, "layers", (json_int_t)result->layers,
                  "volumes", (json_int_t)result->volumes, "bytes", (json_int_t)result->bytes,
                  "dryRun", dry_run),
        err);
  r = zl_buf_printf(&out, err, "%s containers: %zu, images: %zu, layers: %zu, volumes: %zu; %s\n",
                    dry_run ? "would remove" : "removed", result->containers, result->images,
                    result->layers, result->volumes, zl_human_size(result->bytes, size));
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int confirm_prune(const struct zl_prune_options *options, struct zl_error *err)
{
  char question[128];

  if (!isatty(STDIN_FILENO))
    return zl_fail(err, ZL_E_INVALID, 0, "nobody to ask without a terminal: give --force");
  (void)snprintf(question, sizeof(question), "Remove all ended containers%s%s?",
                 options->images ? ", all images without containers" : "",
                 options->volumes ? ", all named volumes without containers" : "");
  if (!zl_cli_confirm(question))
    return zl_fail(err, ZL_E_CANCELLED, 0, "nothing was removed");
  return 0;
}

static int run_prune(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  struct zl_prune_options options = {
    .containers = true,
    .images = zl_args_has(args, "all"),
    .volumes = zl_args_has(args, "volumes"),
    .dry_run = zl_args_has(args, "dry-run"),
  };
  struct zl_prune_result result = { 0 };
  int r = options.dry_run || zl_args_has(args, "force") ? 0 : confirm_prune(&options, &err);

  if (r == -ZL_E_INVALID)
    return zl_cli_usage(cli, &err);
  if (r >= 0)
    r = zl_cli_open(cli, &rt, &err);
  if (r >= 0)
    r = zl_prune(rt, &options, &result, &err);
  if (r >= 0)
    r = report_prune(&result, options.dry_run, zl_args_has(args, "json"), &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_prune = {
  .name = "prune",
  .group = "Verbs",
  .summary = "Remove ended containers; more with options",
  .usage = "[OPTIONS]",
  .options =
      (const struct zl_option[]){
          { .name = "all", .letter = 'a', .summary = "Also images without containers" },
          { .name = "volumes", .summary = "Also named volumes without containers" },
          { .name = "dry-run", .summary = "Only tell what would be removed" },
          { .name = "force", .letter = 'f', .summary = "Do not ask" },
          ZL_OPTION_JSON("Print a JSON object"),
          { .name = NULL },
      },
  .run = run_prune,
};

/* ---- df ------------------------------------------------------------------------------------ */

static int run_df(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autofree char *text = NULL;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_disk_usage(rt, &text, &err);
  if (r >= 0)
    r = zl_cli_write_facts(text, zl_args_has(args, "json"), &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_df = {
  .name = "df",
  .group = "Verbs",
  .summary = "Show the disk space in use, by kind",
  .usage = "[--json]",
  .options = (const struct zl_option[]){ ZL_OPTION_JSON("Print a JSON object"), { .name = NULL } },
  .run = run_df,
};

const struct zl_verb zl_verb_system = {
  .name = "system",
  .group = "Node",
  .summary = "Look after the node: check, prune, df",
  .usage = "VERB [OPTIONS]",
  .sub = (const struct zl_verb *const[]){ &verb_check, &verb_prune, &verb_df, NULL },
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
};
