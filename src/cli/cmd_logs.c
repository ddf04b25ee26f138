/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/logline.h"
#include "cli/verbs.h"

static int parse_tail(const struct zl_args *args, int64_t *ret, struct zl_error *err)
{
  const char *text = zl_args_get(args, "tail");
  uint64_t lines;
  int r;

  *ret = -1;
  if (text == NULL || strcmp(text, "all") == 0)
    return 0;
  r = zl_args_u64(args, "tail", INT64_MAX, 0, &lines, err);
  if (r >= 0)
    *ret = (int64_t)lines;
  return r;
}

static int parse_time(const struct zl_args *args, const char *name, uint64_t *ret,
                      struct zl_error *err)
{
  const char *text = zl_args_get(args, name);
  int r = text == NULL ? 0 : zl_human_parse_time(text, zl_time_wall(), ret, err);

  return r < 0 ? zl_wrap(err, "option '--%s'", name) : 0;
}

static int parse_options(const struct zl_args *args, struct zl_logs_options *options,
                         struct zl_error *err)
{
  int r = parse_tail(args, &options->tail, err);

  options->cancel_fd = -1;
  options->follow = zl_args_has(args, "follow");
  options->streams = (zl_args_has(args, "stdout") ? ZL_STDOUT : 0U) |
                     (zl_args_has(args, "stderr") ? ZL_STDERR : 0U);
  if (r >= 0)
    r = parse_time(args, "since", &options->since_ns, err);
  if (r >= 0)
    r = parse_time(args, "until", &options->until_ns, err);
  return r;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  struct zl_logs_options options = { 0 };
  struct zl_log_writer writer;
  int r = parse_options(args, &options, &err), end;

  if (r < 0)
    return zl_cli_usage(cli, &err);
  r = zl_cli_open(cli, &rt, &err);
  if (r < 0)
    return zl_cli_failed(cli, &err);
  zl_log_writer_init(&writer, &err);
  writer.json = zl_args_has(args, "json");
  writer.timestamps = zl_args_has(args, "timestamps");
  writer.flush = options.follow;
  r = zl_logs(rt, args->operands[0], &options, zl_log_writer_put, &writer, &err);
  end = zl_log_writer_finish(&writer);
  return zl_cli_finish(cli, r < 0 ? r : end, &err);
}

const struct zl_verb zl_verb_logs = {
  .name = "logs",
  .group = "Containers",
  .summary = "Show what a container has printed, each stream on its own",
  .usage = "[OPTIONS] CONTAINER",
  .options =
      (const struct zl_option[]){
          { .name = "follow", .letter = 'f', .summary = "Go on until the container ends" },
          { .name = "tail",
            .letter = 'n',
            .value = "N",
            .summary = "Only the last N lines; default all" },
          { .name = "since",
            .value = "TIME",
            .summary = "From TIME on: 2026-01-31T12:00:00Z, seconds since 1970, or 10m, 2h back" },
          { .name = "until", .value = "TIME", .summary = "Up to TIME" },
          { .name = "timestamps", .letter = 't', .summary = "Put the time in front of each line" },
          { .name = "stdout", .summary = "Only what went to standard output" },
          { .name = "stderr", .summary = "Only what went to standard error" },
          ZL_OPTION_JSON("Print a JSON object per line"),
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
