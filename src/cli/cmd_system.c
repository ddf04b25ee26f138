/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/table.h"
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

static int put_prune(struct zl_buf *out, const struct zl_prune_result *result, bool dry_run,
                     struct zl_error *err)
{
  char size[ZL_HUMAN_TEXT];

  return zl_buf_printf(out, err,
                       "%s containers: %zu, images: %zu, layers: %zu, volumes: %zu, left-overs: "
                       "%zu; %s\n",
                       dry_run ? "would remove" : "removed", result->containers, result->images,
                       result->layers, result->volumes, result->leftovers,
                       zl_human_size(result->bytes, size));
}

static json_t *prune_json(const struct zl_prune_result *r, bool dry_run)
{
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "containers",
                   (json_int_t)r->containers, "images", (json_int_t)r->images, "layers",
                   (json_int_t)r->layers, "volumes", (json_int_t)r->volumes, "leftovers",
                   (json_int_t)r->leftovers, "bytes", (json_int_t)r->bytes, "containerBytes",
                   (json_int_t)r->container_bytes, "layerBytes", (json_int_t)r->layer_bytes,
                   "volumeBytes", (json_int_t)r->volume_bytes, "leftoverBytes",
                   (json_int_t)r->leftover_bytes, "machineBytes", (json_int_t)r->machine_bytes,
                   "dryRun", dry_run);
}

static int report_prune(const struct zl_prune_result *result, bool dry_run, bool as_json,
                        struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r;

  if (as_json)
    return zl_cli_write_json(prune_json(result, dry_run), err);
  r = put_prune(&out, result, dry_run, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

/* The question comes with what a dry run has found. */
static int confirm_prune(struct zl_runtime *rt, const struct zl_prune_options *options,
                         struct zl_error *err)
{
  zl_autobuf found = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  struct zl_prune_options dry = *options;
  struct zl_prune_result result = { 0 };
  char question[192];
  int r;

  dry.dry_run = true;
  r = zl_prune(rt, &dry, &result, err);
  if (r == 0)
    r = put_prune(&found, &result, true, err);
  if (r < 0)
    return r;
  (void)zl_fd_write_full(STDERR_FILENO, found.data, found.len);
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
  const bool ask = !options.dry_run && !zl_args_has(args, "force");
  struct zl_prune_result result = { 0 };
  int r;

  if (ask && !isatty(STDIN_FILENO)) {
    (void)zl_fail(&err, ZL_E_INVALID, 0, "nobody to ask without a terminal: give --force");
    return zl_cli_usage(cli, &err);
  }
  r = zl_cli_open(cli, &rt, &err);
  if (r >= 0 && ask)
    r = confirm_prune(rt, &options, &err);
  if (r >= 0)
    r = zl_prune(rt, &options, &result, &err);
  if (r >= 0)
    r = report_prune(&result, options.dry_run, zl_args_has(args, "json"), &err);
  return zl_cli_finish(cli, r, &err);
}

static const struct zl_verb verb_prune = {
  .name = "prune",
  .group = "Verbs",
  .summary = "Remove ended containers, and what no image needs; more with options",
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

static json_int_t number_of(const json_t *kind, const char *key)
{
  return json_integer_value(json_object_get(kind, key));
}

static int add_kind(struct zl_table *table, const json_t *facts, const char *key, const char *title,
                    const char *detail, const char *what, struct zl_error *err)
{
  const json_t *kind = json_object_get(facts, key);
  char size[ZL_HUMAN_TEXT];
  int r = zl_table_add(table, title, err);

  if (r >= 0)
    r = zl_table_addf(table, err, "%lld", (long long)number_of(kind, "count"));
  if (r >= 0)
    r = zl_table_add(table, zl_human_size((uint64_t)number_of(kind, "bytes"), size), err);
  if (r >= 0)
    r = zl_table_add(table, zl_human_size((uint64_t)number_of(kind, "reclaimableBytes"), size),
                     err);
  if (r < 0 || detail == NULL)
    return r < 0 ? r : zl_table_add(table, "", err);
  return zl_table_addf(table, err, "%s %s", zl_human_size((uint64_t)number_of(kind, detail), size),
                       what);
}

static int print_df(const char *text, struct zl_error *err)
{
  static const char *const titles[] = { "TYPE", "COUNT", "SIZE", "RECLAIMABLE", "OF WHICH" };
  zl_autojson *facts = NULL;
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autotable table;
  int r = zl_json_parse(text, strlen(text), "disk usage", &facts, err);

  zl_table_init(&table, titles, ZL_COUNT(titles));
  if (r >= 0)
    r = add_kind(&table, facts, "images", "images", "sharedBytes", "shared", err);
  if (r >= 0)
    r = add_kind(&table, facts, "containers", "containers", "logBytes", "logs", err);
  if (r >= 0)
    r = add_kind(&table, facts, "volumes", "volumes", NULL, NULL, err);
  if (r >= 0)
    r = add_kind(&table, facts, "machines", "machines", NULL, NULL, err);
  if (r >= 0)
    r = add_kind(&table, facts, "leftovers", "left-overs", NULL, NULL, err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int run_df(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autofree char *text = NULL;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_disk_usage(rt, &text, &err);
  if (r >= 0)
    r = zl_args_has(args, "json") ? zl_cli_write_facts(text, true, &err) : print_df(text, &err);
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
