/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/containers.h"
#include "cli/deploy.h"
#include "cli/follow.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/verbs.h"

struct up {
  struct zl_cli *cli;
  const struct zl_args *args;
  struct zl_runtime *rt;
  struct zl_deployment *deployment;
  struct zl_units units;
  char **surplus; /* containers of the deployment that the file does not ask for any more */
};

/* Progress goes to standard error in the foreground, where standard output is the containers'. */
static void say(const struct up *up, const char *id, const char *what)
{
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int fd = zl_args_has(up->args, "detach") ? STDOUT_FILENO : STDERR_FILENO;

  if (!zl_args_has(up->args, "quiet") && zl_buf_printf(&line, NULL, "%s: %s\n", id, what) >= 0)
    (void)zl_fd_write_full(fd, line.data, line.len);
}

/* ---- What is to be done ---------------------------------------------------------------------- */

static int choose_action(struct up *up, struct zl_unit *unit, const struct zl_container_info *info,
                         struct zl_error *err)
{
  char digest[ZL_SERVICE_DIGEST];
  int r = zl_container_digest(up->rt, unit->id, digest, err);

  if (r < 0)
    return r;
  if (zl_container_has_ended(info))
    unit->action = ZL_UNIT_RENEW;
  else if (info->state.state == ZL_STATE_RUNNING && strcmp(digest, unit->digest) == 0)
    unit->action = ZL_UNIT_KEEP;
  else
    unit->action = ZL_UNIT_REPLACE;
  return 0;
}

static int compare(struct up *up, const struct zl_container_info *info, struct zl_error *err)
{
  struct zl_unit *unit = zl_units_find(&up->units, info->id);
  bool ours = info->deployment != NULL && strcmp(info->deployment, up->deployment->name) == 0;

  if (unit != NULL && !ours)
    return zl_fail(err, ZL_E_CONFLICT, 0,
                   "container '%s' exists and is not of deployment '%s': remove it with 'zlayer rm'"
                   " or rename the service",
                   info->id, up->deployment->name);
  if (unit != NULL)
    return choose_action(up, unit, info, err);
  return ours ? zl_strv_push(&up->surplus, info->id, err) : 0;
}

static int plan(struct up *up, struct zl_error *err)
{
  struct zl_container_info *list = NULL;
  size_t count = 0;
  int r = zl_units_plan(up->deployment, &up->units, err);

  if (r >= 0)
    r = zl_list(up->rt, &list, &count, err);
  for (size_t i = 0; r >= 0 && i < count; i++)
    r = compare(up, &list[i], err);
  zl_containers_free(list, count);
  return r;
}

/* Each image once, before anything is touched: a deployment whose image is missing changes nothing.
 */
static int pull_images(struct up *up, struct zl_error *err)
{
  const struct zl_service *done = NULL;
  int r = 0;

  for (size_t i = 0; i < up->units.count && r >= 0; i++) {
    const struct zl_unit *unit = &up->units.items[i];

    if (unit->action == ZL_UNIT_KEEP || unit->service == done)
      continue;
    done = unit->service;
    r = zl_image_ensure(up->rt, &done->image, zl_args_has(up->args, "quiet"), err);
    if (r < 0)
      return zl_wrap(err, "service '%s'", done->name);
  }
  return r;
}

/* ---- Doing it ---- */

static int create(struct up *up, struct zl_unit *unit, struct zl_error *err)
{
  struct zl_container_id id = { .service = unit->service->name, .replica = unit->replica };
  struct zl_create_options options = { .deployment = up->deployment->name,
                                       .auto_remove = unit->service->lifecycle.delete_on_exit,
                                       .open_stdin = unit->service->stdin_open };
  struct zl_service *service = NULL;
  int r = zl_service_copy(unit->service, &service, err);

  if (r >= 0)
    r = zl_service_add_names(up->rt, up->deployment->name, service, err);
  if (r >= 0)
    r = zl_pairs_set(&service->labels, ZL_DIGEST_LABEL, unit->digest, err);
  if (r >= 0 && service->image.pull_policy != ZL_PULL_NEVER)
    service->image.pull_policy = ZL_PULL_IF_NOT_PRESENT; /* pull_images has followed the policy */
  if (r >= 0)
    r = zl_create(up->rt, &id, service, &options, err);
  zl_service_free(service);
  unit->made = r >= 0;
  return r;
}

static int remove_old(struct up *up, const struct zl_unit *unit, struct zl_error *err)
{
  int r = 0;

  if (unit->action == ZL_UNIT_REPLACE)
    r = zl_stop(up->rt, unit->id, -1, err);
  return r < 0 || unit->action == ZL_UNIT_CREATE ? r : zl_remove(up->rt, unit->id, true, err);
}

static int bring_up(struct up *up, struct zl_unit *unit, struct zl_error *err)
{
  static const char *const words[ZL_UNIT_ACTION_MAX_] = {
    [ZL_UNIT_CREATE] = "started",
    [ZL_UNIT_KEEP] = "runs unchanged",
    [ZL_UNIT_REPLACE] = "changed, started anew",
    [ZL_UNIT_RENEW] = "had ended, started anew",
  };
  int r = 0, signal = zl_follow_interrupted();

  if (signal != 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "interrupted by %s", zl_cli_signal_text(signal));
  if (unit->action != ZL_UNIT_KEEP) {
    r = remove_old(up, unit, err);
    if (r >= 0)
      r = create(up, unit, err);
    if (r >= 0)
      r = zl_start(up->rt, unit->id, err);
  }
  if (r < 0)
    return zl_wrap(err, "service '%s'", unit->service->name);
  say(up, unit->id, words[unit->action]);
  return 0;
}

/* Takes back what this call has made, the last one first. Containers that it replaced are gone. */
static void roll_back(struct up *up)
{
  struct zl_error err = { 0 };

  for (size_t i = up->units.count; i-- > 0;) {
    struct zl_unit *unit = &up->units.items[i];

    if (!unit->made)
      continue;
    if (zl_remove(up->rt, unit->id, true, &err) < 0)
      zl_cli_note("%s", err.msg);
    else
      say(up, unit->id, "taken back");
  }
}

static int remove_surplus(struct up *up, struct zl_error *err)
{
  int r = 0;

  for (size_t i = zl_strv_len((const char *const *)up->surplus); i-- > 0 && r >= 0;) {
    r = zl_stop(up->rt, up->surplus[i], -1, err);
    if (r >= 0)
      r = zl_remove(up->rt, up->surplus[i], true, err);
    if (r >= 0)
      say(up, up->surplus[i], "no longer in the file, removed");
  }
  return r;
}

static int bring_all_up(struct up *up, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < up->units.count && r >= 0; i++)
    r = bring_up(up, &up->units.items[i], err);
  if (r < 0) {
    roll_back(up);
    return r;
  }
  return remove_surplus(up, err);
}

/* ---- Staying in the foreground ---- */

static int follow(struct up *up, uint64_t now)
{
  zl_autofree struct zl_followed *items = calloc(up->units.count + 1, sizeof(*items));
  struct zl_error err = { 0 };

  if (items == NULL) {
    (void)zl_fail_nomem(&err, "the view");
    return zl_cli_failed(up->cli, &err);
  }
  for (size_t i = 0; i < up->units.count; i++) {
    items[i].id = up->units.items[i].id;
    items[i].since_ns = up->units.items[i].made ? 0 : now;
  }
  return zl_follow(up->cli, up->rt, items, up->units.count);
}

static int run_up(struct up *up)
{
  struct zl_error err = { 0 };
  uint64_t now = zl_time_wall();
  int r = zl_deploy_load(up->args->operands[0], &up->deployment, &err), signal;

  if (r >= 0)
    r = zl_cli_open(up->cli, &up->rt, &err);
  if (r >= 0)
    r = plan(up, &err);
  if (r >= 0)
    r = pull_images(up, &err);
  zl_follow_block_signals();
  if (r >= 0)
    r = bring_all_up(up, &err);
  signal = zl_follow_interrupted();
  if (r < 0)
    (void)zl_cli_failed(up->cli, &err);
  if (r < 0)
    return signal != 0 ? 128 + signal : ZL_RC_FAILED;
  return zl_args_has(up->args, "detach") ? ZL_RC_OK : follow(up, now);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct up up = { .cli = cli, .args = args };
  int rc;

  zl_program_complete(); /* for the digests of services, and before anything is started */
  rc = run_up(&up);

  zl_units_done(&up.units);
  zl_strv_free(up.surplus);
  zl_deployment_free(up.deployment);
  return rc;
}

const struct zl_verb zl_verb_up = {
  .name = "up",
  .group = "Deployments",
  .summary = "Start what a deployment file declares, and show its output",
  .usage = "[OPTIONS] FILE",
  .detail =
      "Services start after those they depend on. Again with a changed file: containers whose "
      "service did not change stay, the others are made anew, those that the file no longer "
      "has are removed. When one does not start, what this call made is taken back. Ctrl-C "
      "stops all in reverse order, a second one kills them; they stay until 'down'. The exit "
      "code is the first one, in order of start, that is not 0.",
  .options =
      (const struct zl_option[]){
          { "detach", NULL, "Return once all have started", .letter = 'd' },
          { "quiet", NULL, "Do not tell what is done", .letter = 'q' },
          { NULL },
      },
  .operands = ZL_COMPLETE_FILE,
  .min_operands = 1,
  .max_operands = 1,
  .run = run,
};
