/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/verbs.h"

struct printer {
  bool json;
  struct zl_error *err;
  int result;
};

/* "TIME TYPE ACTION ID KEY=VALUE ...": the four known members first, then the others. */
static int put_members(struct zl_buf *out, const json_t *event, struct zl_error *err)
{
  static const char *const first[] = { "time", "type", "action", "id" };
  const char *key, *text;
  json_t *value;
  int r = 0;

  for (size_t i = 0; i < ZL_COUNT(first) && r >= 0; i++) {
    text = json_string_value(json_object_get(event, first[i]));
    if (text != NULL)
      r = zl_buf_printf(out, err, "%s%s", i > 0 ? " " : "", text);
  }
  json_object_foreach ((json_t *)(uintptr_t)event, key, value) {
    zl_autofree char *other = NULL;
    bool known = false;

    for (size_t i = 0; i < ZL_COUNT(first); i++)
      known |= strcmp(key, first[i]) == 0;
    if (known || r < 0)
      continue;
    text = json_string_value(value);
    if (text == NULL)
      text = other = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    r = zl_buf_printf(out, err, " %s=%s", key, text != NULL ? text : "?");
  }
  return r < 0 ? r : zl_buf_puts(out, "\n", err);
}

static int put(void *payload, const char *text)
{
  struct printer *printer = payload;
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autojson *event = NULL;
  int r;

  if (printer->json) {
    r = zl_buf_printf(&out, printer->err, "%s\n", text);
  } else {
    r = zl_json_parse(text, strlen(text), "event", &event, printer->err);
    if (r >= 0)
      r = put_members(&out, event, printer->err);
  }
  if (r >= 0)
    r = zl_cli_write(&out, printer->err);
  printer->result = r;
  return r < 0;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  struct printer printer = { .json = zl_args_has(args, "json"), .err = &err };
  const char *since = zl_args_get(args, "since");
  uint64_t since_ns = 0;
  int r = since == NULL ? 0 : zl_human_parse_time(since, zl_time_wall(), &since_ns, &err);

  if (r < 0)
    return zl_cli_usage(cli, &err);
  r = zl_cli_open(cli, &rt, &err);
  if (r >= 0)
    r = zl_events(rt, since_ns, zl_args_has(args, "follow"), -1, put, &printer, &err);
  return zl_cli_finish(cli, r < 0 ? r : printer.result, &err);
}

const struct zl_verb zl_verb_events = {
  .name = "events",
  .group = "Node",
  .summary = "Show what happened to containers and images of this node",
  .usage = "[OPTIONS]",
  .options =
      (const struct zl_option[]){
          { .name = "since",
            .value = "TIME",
            .summary = "From TIME on: 2026-01-31T12:00:00Z, seconds since 1970, or 10m, 2h back" },
          { .name = "follow", .letter = 'f', .summary = "Go on with new events" },
          ZL_OPTION_JSON("Print a JSON object per line"),
          { .name = NULL },
      },
  .run = run,
};
