/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/verbs.h"

static json_t *to_json(const char *file, const struct zl_spec_errors *errors, bool valid)
{
  zl_autojson *list = json_array();

  for (size_t i = 0; i < errors->count; i++) {
    const struct zl_spec_error *e = &errors->items[i];
    json_t *entry = json_pack("{s:i, s:i, s:o, s:s, s:o}", "line", (int)e->line, "column",
                              (int)e->column, "path", zl_json_text(e->path), "code",
                              zl_code_name(e->code), "message", zl_json_text(e->message));

    if (json_array_append_new(list, entry) < 0)
      return NULL;
  }
  return json_pack("{s:s, s:b, s:O, s:b}", "file", file, "valid", valid, "errors", list,
                   "truncated", errors->truncated);
}

/* "FILE:LINE:COLUMN: PATH: MESSAGE", the form that editors jump to. */
static int print_errors(const char *file, const struct zl_spec_errors *errors, struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  int r = 0;

  for (size_t i = 0; i < errors->count && r >= 0; i++) {
    const struct zl_spec_error *e = &errors->items[i];
    bool has_path = e->path != NULL && e->path[0] != '\0';

    r = zl_buf_printf(&out, err, "%s:%u:%u: %s%s%s\n", file, e->line, e->column,
                      has_path ? e->path : "", has_path ? ": " : "",
                      e->message != NULL ? e->message : "");
  }
  if (r >= 0 && errors->truncated)
    r = zl_buf_printf(&out, err, "%s: more errors are not shown\n", file);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int print_summary(const char *file, const struct zl_deployment *deployment,
                         struct zl_error *err)
{
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  uint64_t containers = 0;
  int r;

  for (size_t i = 0; i < deployment->n_services; i++)
    containers += deployment->services[i].scale.replicas;
  r = zl_buf_printf(&out, err, "%s: valid: deployment %s, services: %zu, containers: %llu\n", file,
                    deployment->name, deployment->n_services, (unsigned long long)containers);
  return r < 0 ? r : zl_cli_write(&out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_spec_errors errors = { 0 };
  struct zl_deployment *deployment = NULL;
  const char *file = args->operands[0];
  bool valid = zl_deployment_load(file, &deployment, &errors, &err) >= 0;
  int rc = valid ? ZL_RC_OK : ZL_RC_FAILED, r = 0;

  if (!valid && errors.count == 0) {
    zl_spec_errors_done(&errors);
    return zl_cli_failed(cli, &err);
  }
  if (zl_args_has(args, "json"))
    r = zl_cli_write_json(to_json(file, &errors, valid), &err);
  else if (!valid)
    r = print_errors(file, &errors, &err);
  else if (!zl_args_has(args, "quiet"))
    r = print_summary(file, deployment, &err);
  zl_deployment_free(deployment);
  zl_spec_errors_done(&errors);
  return r < 0 ? zl_cli_failed(cli, &err) : rc;
}

const struct zl_verb zl_verb_validate = {
  .name = "validate",
  .group = "Deployments",
  .summary = "Check a deployment file and print every error as FILE:LINE:COLUMN: PATH: MESSAGE",
  .usage = "[OPTIONS] FILE",
  .options =
      (const struct zl_option[]){
          { .name = "quiet", .letter = 'q', .summary = "Say nothing about a valid file" },
          ZL_OPTION_JSON("Print a JSON object"),
          { .name = NULL },
      },
  .operands = ZL_COMPLETE_FILE,
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
