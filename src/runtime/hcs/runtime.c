/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations. What they do to a container that exists is asked of its shim.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/hcs_private.h"
#include "runtime/hcs/refuse.h"

static int hcs_open(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err)
{
  struct zl_hcs_backend *hcs = calloc(1, sizeof(*hcs));
  int r;

  if (hcs == NULL)
    return zl_fail_nomem(err, "backend");
  r = zl_hcs_api_load(&hcs->api, err);
  if (r == 0)
    r = zl_hcs_host_version(hcs->api, &hcs->host, err);
  if (r < 0) {
    free(hcs);
    return r;
  }
  zl_shimclient_init(&hcs->client, &zl_hcs_ops, rt, "zlayer-shim.exe");
  *ret = &hcs->client.base;
  return 0;
}

static void hcs_close(struct zl_backend *backend)
{
  zl_shimclient_done((struct zl_shimclient *)backend);
  free(backend);
}

int zl_hcs_node_of(struct zl_backend *backend, char network[ZL_HCS_NETWORK_NAME],
                   struct zl_hcs_node *ret, struct zl_error *err)
{
  const struct zl_hcs_backend *hcs = (const struct zl_hcs_backend *)backend;
  struct zl_net *net = NULL;
  int r = zl_node_net(backend->rt, &net, err);

  if (r < 0)
    return r;
  /* The root's tag is in the name of its bridge. */
  (void)snprintf(network, ZL_HCS_NETWORK_NAME, "zlayer-%s", zl_net_bridge(net) + strlen("zl-"));
  *ret = (struct zl_hcs_node){
    .api = hcs->api, .owner = network, .network = network, .host = hcs->host
  };
  return 0;
}

/* With `auto` the isolation is known with the image only, and what is refused is then refused by
 * the shim. */
static int hcs_check(struct zl_backend *backend, const struct zl_service *service,
                     struct zl_error *err)
{
  (void)backend;
  return zl_hcs_refuse(
      service,
      service->isolation == ZL_ISOLATION_HYPERV ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS, err);
}

static int hcs_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                       const char *image_digest, int *ret_fd, struct zl_error *err)
{
  (void)service;
  (void)image_digest;
  return zl_shimclient_prepare((struct zl_shimclient *)backend, id, backend->rt->root, ret_fd, err);
}

static int hcs_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  const struct zl_hcs_backend *hcs = (const struct zl_hcs_backend *)backend;
  zl_autofree char *helpers = NULL;
  char network[ZL_HCS_NETWORK_NAME], version[ZL_OS_VERSION_TEXT];
  struct zl_hcs_node node;
  int r = zl_node_helper_dir(backend->rt, &helpers, err);

  if (r == 0)
    r = zl_hcs_node_of(backend, network, &node, err);
  if (r < 0)
    return r;
  if (json_object_set_new(to, "windows", json_string(zl_os_version_format(&hcs->host, version))) <
          0 ||
      json_object_set_new(to, "hcnNetwork", json_string(network)) < 0 ||
      json_object_set_new(to, "helperDir", json_string(helpers)) < 0)
    return zl_fail_nomem(err, "node facts");
  return 0;
}

const struct zl_runtime_ops zl_hcs_ops = {
  .name = "hcs",
  .caps = ZL_RT_ATTACH | ZL_RT_EXEC | ZL_RT_PAUSE | ZL_RT_STATS | ZL_RT_NETWORK,
  .open = hcs_open,
  .close = hcs_close,
  .check = hcs_check,
  .prepare = hcs_prepare,
  .isolate = zl_hcs_isolate,
  .create = zl_hcs_create,
  .start = zl_shimclient_start,
  .stop = zl_shimclient_stop,
  .kill = zl_shimclient_kill,
  .remove = zl_hcs_remove,
  .state = zl_shimclient_state,
  .wait = zl_shimclient_wait,
  .enumerate = zl_hcs_enumerate,
  .adopt = zl_shimclient_adopt,
  .describe = hcs_describe,
  .attach = zl_shimclient_attach,
  .exec = zl_shimclient_exec,
  .pause = zl_shimclient_pause,
  .stats = zl_shimclient_stats,
  .sweep = zl_hcs_sweep,
};
