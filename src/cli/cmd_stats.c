/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/containers.h"
#include "cli/stats.h"
#include "cli/verbs.h"

enum {
  EVERY_MS = 1000, /* between two pictures */
  ONCE_MS = 250    /* between the two samples of --no-stream: enough for a meaningful share */
};

struct sampling {
  struct zl_runtime *rt;
  const struct zl_args *args;
  struct zl_stats_pair *pairs;
  size_t count;
};

static void sampling_done(struct sampling *s)
{
  for (size_t i = 0; i < s->count; i++)
    free(s->pairs[i].id);
  free(s->pairs);
}

static int add_pair(struct sampling *s, const char *id, struct zl_error *err)
{
  struct zl_stats_pair *pairs = reallocarray(s->pairs, s->count + 1, sizeof(*pairs));

  if (pairs == NULL)
    return zl_fail_nomem(err, "statistics");
  s->pairs = pairs;
  pairs[s->count] = (struct zl_stats_pair){ .id = strdup(id) };
  return pairs[s->count++].id == NULL ? zl_fail_nomem(err, "statistics") : 0;
}

/* The containers of the command line, else all that run. */
static int choose(struct sampling *s, struct zl_error *err)
{
  struct zl_container_info *list = NULL;
  size_t count = 0;
  int r = 0;

  for (size_t i = 0; i < s->args->n_operands && r >= 0; i++)
    r = add_pair(s, s->args->operands[i], err);
  if (s->args->n_operands > 0)
    return r;
  r = zl_list(s->rt, &list, &count, err);
  for (size_t i = 0; r >= 0 && i < count; i++)
    if (zl_container_runs(&list[i]))
      r = add_pair(s, list[i].id, err);
  zl_containers_free(list, count);
  return r;
}

/* A container that was named must run at the first sample; later each may end in its own time.
 * *ret_left: how many still run. */
static int sample(struct sampling *s, bool first, size_t *ret_left, struct zl_error *err)
{
  size_t left = 0;
  int r;

  for (size_t i = 0; i < s->count; i++) {
    struct zl_stats_pair *pair = &s->pairs[i];

    if (!first && !pair->valid)
      continue;
    pair->before = pair->now;
    pair->has_before = pair->valid;
    r = zl_container_stats(s->rt, pair->id, &pair->now, err);
    pair->valid = r >= 0;
    left += pair->valid;
    if (r < 0 && first && s->args->n_operands > 0)
      return r;
    if (r < 0 && r != -ZL_E_CONFLICT && r != -ZL_E_NOT_FOUND)
      return r;
  }
  *ret_left = left;
  return 0;
}

static int put_json(const struct sampling *s, bool once, struct zl_error *err)
{
  zl_autojson *list = json_array();
  int r = 0;

  for (size_t i = 0; i < s->count && r >= 0; i++) {
    if (!s->pairs[i].valid)
      continue;
    if (!once)
      r = zl_cli_write_json_line(zl_stats_json(&s->pairs[i]), err);
    else if (json_array_append_new(list, zl_stats_json(&s->pairs[i])) < 0)
      r = zl_fail_nomem(err, "statistics");
  }
  return r < 0 || !once ? r : zl_cli_write_json(zl_steal_ptr(&list), err);
}

static int put_table(const struct sampling *s, bool in_place, struct zl_error *err)
{
  static const char *const titles[] = { "CONTAINER", "CPU",          "MEMORY / LIMIT",
                                        "MEMORY",    "NET IN / OUT", "BLOCK IN / OUT",
                                        "PIDS",      "TIER" };
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autotable table;
  int r = in_place ? zl_buf_puts(&out, "\x1b[H\x1b[2J", err) : 0;

  zl_table_init(&table, titles, ZL_COUNT(titles));
  for (size_t i = 0; i < s->count && r >= 0; i++)
    if (s->pairs[i].valid)
      r = zl_stats_row(&table, &s->pairs[i], err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int show(struct sampling *s, struct zl_error *err)
{
  bool once = zl_args_has(s->args, "no-stream"), json = zl_args_has(s->args, "json");
  bool in_place = !once && zl_console_can_move(STDOUT_FILENO);
  size_t left = 0;
  int r = sample(s, true, &left, err);

  while (r >= 0 && (left > 0 || once)) {
    (void)poll(NULL, 0, once ? ONCE_MS : EVERY_MS);
    r = sample(s, false, &left, err);
    if (r >= 0)
      r = json ? put_json(s, once, err) : put_table(s, in_place, err);
    if (once)
      break;
  }
  return r;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct sampling s = { .args = args };
  int r = zl_cli_open(cli, &s.rt, &err);

  if (r >= 0)
    r = choose(&s, &err);
  if (r >= 0)
    r = show(&s, &err);
  sampling_done(&s);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_stats = {
  .name = "stats",
  .group = "Containers",
  .summary = "Show what containers use, once a second until they have ended",
  .usage = "[OPTIONS] [CONTAINER...]",
  .options =
      (const struct zl_option[]){
          { .name = "no-stream", .summary = "Show it once" },
          ZL_OPTION_JSON("Print a JSON object per sample; with --no-stream one array"),
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
