/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/image_options.h"
#include "cli/table.h"
#include "cli/verbs.h"

enum {
  SHOWN_COMMAND = 45 /* characters of a step, unless --no-trunc */
};

static const char *text_of(const json_t *step, const char *key)
{
  const char *text = json_string_value(json_object_get(step, key));

  return text != NULL ? text : "";
}

static int add_created(struct zl_table *table, const json_t *step, struct zl_error *err)
{
  const char *created = text_of(step, "created");
  char text[ZL_HUMAN_TEXT];
  uint64_t then = 0, now = zl_time_wall();

  if (zl_human_parse_time(created, now, &then, NULL) < 0)
    return zl_table_add(table, *created != '\0' ? created : "-", err);
  return zl_table_add(table, zl_human_ago(then, now, text), err);
}

static int add_row(struct zl_table *table, const json_t *step, bool whole, struct zl_error *err)
{
  const char *by = text_of(step, "createdBy");
  char size[ZL_HUMAN_TEXT];
  int r = add_created(table, step, err);

  if (r >= 0)
    r = whole || strlen(by) <= SHOWN_COMMAND
            ? zl_table_add(table, by, err)
            : zl_table_addf(table, err, "%.*s...", SHOWN_COMMAND - 3, by);
  if (r >= 0)
    r = zl_table_add(
        table, zl_human_size((uint64_t)json_integer_value(json_object_get(step, "size")), size),
        err);
  return r < 0 ? r : zl_table_add(table, text_of(step, "comment"), err);
}

static int print_table(const json_t *steps, bool whole, struct zl_error *err)
{
  static const char *const titles[] = { "CREATED", "CREATED BY", "SIZE", "COMMENT" };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autotable table;
  int r = 0;

  zl_table_init(&table, titles, ZL_COUNT(titles));
  for (size_t i = 0; i < json_array_size(steps) && r >= 0; i++)
    r = add_row(&table, json_array_get(steps, i), whole, err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autojson *facts = NULL, *steps = NULL;
  int r = zl_cli_open(cli, &rt, &err);

  if (r >= 0)
    r = zl_image_facts(rt, args->operands[0], &facts, &err);
  if (r >= 0 && (steps = zl_image_history(facts)) == NULL)
    r = zl_fail_nomem(&err, "a history");
  if (r >= 0)
    r = zl_args_has(args, "json") ? zl_cli_write_json(json_incref(steps), &err)
                                  : print_table(steps, zl_args_has(args, "no-trunc"), &err);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_image_history = {
  .name = "history",
  .group = "Verbs",
  .summary = "Show the steps that made an image, newest first",
  .usage = "[OPTIONS] IMAGE",
  .options = (const struct zl_option[]){ { .name = "no-trunc", .summary = "Print whole commands" },
                                         ZL_OPTION_JSON("Print a JSON array"),
                                         { .name = NULL } },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
