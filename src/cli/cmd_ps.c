/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/human.h"
#include "cli/table.h"
#include "cli/verbs.h"

enum {
  SHORT_COMMAND = 30,
  SHORT_IMAGE = 48
};

static bool is_wanted(const struct zl_args *args, const struct zl_container_info *info)
{
  bool all = zl_args_has(args, "all") || zl_filters_have(args, "state");

  return (all || zl_container_runs(info)) && zl_filters_match(args, info);
}

static json_t *to_json(const struct zl_args *args, const struct zl_container_info *list,
                       size_t count)
{
  zl_autojson *array = json_array();

  for (size_t i = 0; i < count; i++)
    if (is_wanted(args, &list[i]) && json_array_append_new(array, zl_container_json(&list[i])) < 0)
      return NULL;
  return zl_steal_ptr(&array);
}

static int print_ids(const struct zl_args *args, const struct zl_container_info *list, size_t count,
                     struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  int r = 0;

  for (size_t i = 0; i < count && r >= 0; i++)
    if (is_wanted(args, &list[i]))
      r = zl_buf_printf(&out, err, "%s\n", list[i].id);
  return r < 0 ? r : zl_cli_write(&out, err);
}

/* The head of a text, "..." where it was cut. */
static int add_short(struct zl_table *table, const char *text, size_t max, bool whole,
                     struct zl_error *err)
{
  size_t len = text != NULL ? strlen(text) : 0;

  if (whole || len <= max)
    return zl_table_add(table, text, err);
  len = max - 3;
  while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
    len--;
  return zl_table_addf(table, err, "%.*s...", (int)len, text);
}

static int add_row(struct zl_table *table, const struct zl_container_info *info, uint64_t now,
                   bool whole, struct zl_error *err)
{
  char status[ZL_STATUS_TEXT], ago[ZL_HUMAN_TEXT];
  int r = zl_table_add(table, info->id, err);

  if (r >= 0)
    r = zl_table_add(table, info->name, err);
  if (r >= 0)
    r = add_short(table, info->image, SHORT_IMAGE, whole, err);
  if (r >= 0)
    r = add_short(table, info->command, SHORT_COMMAND, whole, err);
  if (r >= 0)
    r = zl_table_add(table, zl_human_ago(info->created_at_ns, now, ago), err);
  if (r >= 0)
    r = zl_table_add(table, zl_human_status(info, now, status), err);
  if (r >= 0)
    r = zl_table_add(table, info->address, err);
  return r < 0 ? r : zl_table_add(table, info->ports, err);
}

static int print_table(const struct zl_args *args, const struct zl_container_info *list,
                       size_t count, struct zl_error *err)
{
  static const char *const titles[] = { "CONTAINER", "NAME",   "IMAGE",   "COMMAND",
                                        "CREATED",   "STATUS", "ADDRESS", "PORTS" };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autotable table;
  uint64_t now = zl_time_wall();
  int r = 0;

  zl_table_init(&table, titles, ZL_COUNT(titles));
  for (size_t i = 0; i < count && r >= 0; i++)
    if (is_wanted(args, &list[i]))
      r = add_row(&table, &list[i], now, zl_args_has(args, "no-trunc"), err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  struct zl_container_info *list = NULL;
  size_t count = 0;
  int r = zl_filters_check(args, &err);

  if (r < 0)
    return zl_cli_usage(cli, &err);
  r = zl_cli_open(cli, &rt, &err);
  if (r >= 0)
    r = zl_list(rt, &list, &count, &err);
  if (r >= 0 && zl_args_has(args, "json"))
    r = zl_cli_write_json(to_json(args, list, count), &err);
  else if (r >= 0 && zl_args_has(args, "quiet"))
    r = print_ids(args, list, count, &err);
  else if (r >= 0)
    r = print_table(args, list, count, &err);
  zl_containers_free(list, count);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_ps = {
  .name = "ps",
  .group = "Containers",
  .summary = "List containers",
  .usage = "[OPTIONS]",
  .options =
      (const struct zl_option[]){
          { .name = "all", .letter = 'a', .summary = "Also the ones that do not run" },
          { .name = "filter",
            .letter = 'f',
            .value = "KEY=TEXT",
            .repeat = true,
            .summary = "Only those with this deployment, service, state, name or image; a state "
                       "implies --all, several texts of one key are alternatives" },
          { .name = "quiet", .letter = 'q', .summary = "Print the ids only" },
          { .name = "no-trunc", .summary = "Print whole images and commands" },
          ZL_OPTION_JSON("Print a JSON array"),
          { .name = NULL },
      },
  .run = run,
};
