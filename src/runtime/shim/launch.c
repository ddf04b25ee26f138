/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend's shims from their program to a container that is made. How one is started and what it
 * is handed differs between systems: linux/launch.c, win32/launch.c.
 */
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"

void zl_shimclient_init(struct zl_shimclient *client, const struct zl_runtime_ops *ops,
                        struct zl_runtime *rt, const char *program)
{
  client->base.ops = ops;
  client->base.rt = rt;
  client->program = program;
  client->shim_fd = -1;
  (void)pthread_mutex_init(&client->lock, NULL);
}

void zl_shimclient_done(struct zl_shimclient *client)
{
  zl_fd_closep(&client->shim_fd);
  (void)pthread_mutex_destroy(&client->lock);
}

int zl_shimclient_hand_over(const struct zl_container_plan *plan, struct zl_error *err)
{
  int r = zl__shimclient_give(plan, err);

  return r == -ZL_E_REMOTE
             ? zl_fail(err, ZL_E_INTERNAL, 0, "the shim ended before it built the container")
             : r;
}

/* The shim's own error is the caller's; a shim that is just gone has crashed. */
int zl_shimclient_await(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  const char *warning = NULL;
  int r = zl_control_receive(plan->prepared_fd, zl_time_boot() + zl__shimclient_patience_ns, -1,
                             &reply, NULL, err);

  if (r == -ZL_E_REMOTE)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the shim ended while it built the container");
  if (r == 0 && zl_json_get_string(reply, "reply", "warning", &warning, NULL) == 0 &&
      warning != NULL)
    zl_warning("%s", warning);
  return r;
}

int zl_shimclient_launch(const struct zl_container_plan *plan, struct zl_error *err)
{
  int r = zl_shimclient_hand_over(plan, err);

  return r < 0 ? r : zl_shimclient_await(plan, err);
}
