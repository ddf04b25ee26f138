/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static int add(json_t *list, const char *name, const struct zl_outcome *outcome,
               struct zl_error *err)
{
  json_t *entry =
      json_pack("{s:s, s:i, s:s, s:i, s:o}", "container", name, "exitCode", outcome->exit_code,
                "reason", zl_exit_reason_name(outcome->reason), "signal", outcome->signal,
                "finishedAt", zl_json_time(outcome->finished_at_ns));

  return json_array_append_new(list, entry) < 0 ? zl_fail_nomem(err, "JSON output") : 0;
}

static int wait_one(struct zl_runtime *rt, const char *name, json_t *list, struct zl_error *err)
{
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  struct zl_outcome outcome;
  int r = zl_wait(rt, name, -1, &outcome, err);

  if (r >= 0 && list != NULL)
    return add(list, name, &outcome, err);
  if (r >= 0)
    r = zl_buf_printf(&line, err, "%d\n", outcome.exit_code);
  return r < 0 ? r : zl_cli_write(&line, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  zl_autojson *list = zl_args_has(args, "json") ? json_array() : NULL;
  int rc = ZL_RC_OK, r = zl_cli_open(cli, &rt, &err);

  if (r < 0)
    return zl_cli_failed(cli, &err);
  for (size_t i = 0; i < args->n_operands; i++)
    if (wait_one(rt, args->operands[i], list, &err) < 0)
      rc = zl_cli_failed(cli, &err);
  if (list != NULL && zl_cli_write_json(zl_steal_ptr(&list), &err) < 0)
    rc = zl_cli_failed(cli, &err);
  return rc;
}

const struct zl_verb zl_verb_wait = {
  .name = "wait",
  .group = "Containers",
  .summary = "Wait until containers have ended and print their exit codes",
  .usage = "[--json] CONTAINER...",
  .options =
      (const struct zl_option[]){
          ZL_OPTION_JSON("Print a JSON array with exit code, reason, signal and time"),
          { .name = NULL } },
  .operands = ZL_COMPLETE_CONTAINER,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
