/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/deploy.h"
#include "cli/verbs.h"

struct down {
  struct zl_runtime *rt;
  const struct zl_args *args;
  const char *deployment;
  int64_t grace_ms;
};

static int take_down(const struct down *down, const char *id, struct zl_error *err)
{
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_stop(down->rt, id, down->grace_ms, err);

  /* One that removes itself at its end may be gone before we get there. */
  if (r >= 0 || r == -ZL_E_NOT_FOUND)
    r = zl_remove(down->rt, id, true, err);
  if (r < 0 || zl_args_has(down->args, "quiet"))
    return r;
  r = zl_buf_printf(&line, err, "%s: removed\n", id);
  return r < 0 ? r : zl_cli_write(&line, err);
}

/* Containers are listed by creation, which followed the dependencies: backwards is the order to
 * stop them, also when the file has changed since. All are attempted. */
static int take_all_down(struct zl_cli *cli, const struct down *down, size_t *ret_found)
{
  struct zl_error err = { 0 };
  struct zl_container_info *list = NULL;
  size_t count = 0, found = 0;
  int rc = ZL_RC_OK;

  if (zl_list(down->rt, &list, &count, &err) < 0)
    return zl_cli_failed(cli, &err);
  for (size_t i = count; i-- > 0;) {
    if (list[i].deployment == NULL || strcmp(list[i].deployment, down->deployment) != 0)
      continue;
    found++;
    if (take_down(down, list[i].id, &err) < 0)
      rc = zl_cli_failed(cli, &err);
  }
  zl_containers_free(list, count);
  *ret_found = found;
  return rc;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct zl_deployment *deployment = NULL;
  const char *what = args->operands[0];
  struct down down = { .args = args, .deployment = what, .grace_ms = -1 };
  bool is_file = access(what, F_OK) == 0;
  uint64_t seconds;
  size_t found = 0;
  int rc, r = zl_args_u64(args, "time", INT32_MAX, 0, &seconds, &err);

  if (r < 0)
    return zl_cli_usage(cli, &err);
  if (zl_args_has(args, "time"))
    down.grace_ms = (int64_t)seconds * 1000;
  if (is_file)
    r = zl_deploy_load(what, &deployment, &err);
  if (r >= 0)
    r = zl_cli_open(cli, &down.rt, &err);
  if (r < 0) {
    zl_deployment_free(deployment);
    return zl_cli_failed(cli, &err);
  }
  if (deployment != NULL)
    down.deployment = deployment->name;
  rc = take_all_down(cli, &down, &found);
  if (rc == ZL_RC_OK && found == 0 && !is_file) {
    zl_cli_note("no file and no containers of a deployment '%s'", what);
    rc = ZL_RC_FAILED;
  }
  zl_deployment_free(deployment);
  return rc;
}

const struct zl_verb zl_verb_down = {
  .name = "down",
  .group = "Deployments",
  .summary = "Stop and remove the containers of a deployment, in reverse order",
  .usage = "[OPTIONS] FILE|DEPLOYMENT",
  .detail = "Named volumes stay; 'zlayer system prune --volumes' removes the unused ones.",
  .options =
      (const struct zl_option[]){
          { "time", "SECONDS", "Time of grace; default the service's, else 10", .letter = 't' },
          { "quiet", NULL, "Do not print the names", .letter = 'q' },
          { NULL },
      },
  .operands = ZL_COMPLETE_FILE,
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
