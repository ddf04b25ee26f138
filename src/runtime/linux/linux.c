/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/linux/linux.h"

#include "runtime/bundle/bundle.h"
#include "runtime/linux/groups.h"
#include "runtime/linux/linux_private.h"

static int linux_open(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err)
{
  struct zl_shimclient *client = calloc(1, sizeof(*client));

  if (client == NULL)
    return zl_fail_nomem(err, "linux backend");
  zl_shimclient_init(client, &zl_linux_ops, rt, "zlayer-shim");
  *ret = &client->base;
  return 0;
}

static void linux_close(struct zl_backend *backend)
{
  zl_shimclient_done((struct zl_shimclient *)backend);
  free(backend);
}

/* The network namespace is the dearest single thing to make, and most containers need one. */
static bool wants_netns(const struct zl_service *service)
{
  return service->network_mode.kind != ZL_NETWORK_HOST &&
         service->network_mode.kind != ZL_NETWORK_CONTAINER &&
         service->userns_mode != ZL_USERNS_PRIVATE;
}

static int linux_prepare(struct zl_backend *backend, const char *id,
                         const struct zl_service *service, const char *image_digest, int *ret_fd,
                         struct zl_error *err)
{
  (void)image_digest;
  return zl_shimclient_prepare((struct zl_shimclient *)backend, id,
                               wants_netns(service) ? "early-netns" : NULL, ret_fd, err);
}

static int linux_check(struct zl_backend *backend, const struct zl_service *service,
                       struct zl_error *err)
{
  uint64_t caps;

  (void)backend;
  if (service->network_mode.kind == ZL_NETWORK_CONTAINER &&
      service->userns_mode == ZL_USERNS_PRIVATE)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.userns_mode: a user namespace of its own cannot share another "
                   "container's network",
                   service->name);
  return zl_bundle_capabilities(service, &caps, err);
}

static int linux_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  zl_autofree char *helpers = NULL;
  int r = zl_node_helper_dir(backend->rt, &helpers, err);

  if (r < 0)
    return r;
  if (json_object_set_new(to, "cgroups", json_string(zl_groups_mode())) < 0 ||
      json_object_set_new(to, "helperDir", json_string(helpers)) < 0)
    return zl_fail_nomem(err, "node facts");
  return 0;
}

const struct zl_runtime_ops zl_linux_ops = {
  .name = "linux",
  .isolation = ZL_ISOLATION_PROCESS,
  .caps = ZL_RT_ATTACH | ZL_RT_EXEC | ZL_RT_PAUSE | ZL_RT_STATS | ZL_RT_NETWORK,
  .open = linux_open,
  .close = linux_close,
  .check = linux_check,
  .prepare = linux_prepare,
  .create = zl_linux_create,
  .start = zl_shimclient_start,
  .stop = zl_shimclient_stop,
  .kill = zl_shimclient_kill,
  .remove = zl_linux_remove,
  .state = zl_shimclient_state,
  .wait = zl_shimclient_wait,
  .enumerate = zl_linux_enumerate,
  .adopt = zl_shimclient_adopt,
  .describe = linux_describe,
  .attach = zl_shimclient_attach,
  .exec = zl_shimclient_exec,
  .pause = zl_shimclient_pause,
  .stats = zl_shimclient_stats,
};
