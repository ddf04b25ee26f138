/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle/bundle.h"

#include "base/json.h"
#include "base/strv.h"
#include "runtime/plan.h"

static json_t *network_of(const struct zl_container_plan *plan)
{
  static const char *const modes[] = { [ZL_PLAN_NET_BRIDGE] = "bridge",
                                       [ZL_PLAN_NET_NONE] = "none",
                                       [ZL_PLAN_NET_HOST] = "host",
                                       [ZL_PLAN_NET_PATH] = "path" };
  const struct zl_plan_link *link = &plan->link;

  if (plan->network != ZL_PLAN_NET_BRIDGE)
    return json_pack("{s:s}", "mode", modes[plan->network]);
  return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i}", "mode", "bridge", "bridge", link->bridge,
                   "link", link->link, "address", link->address, "prefix", (int)link->prefix,
                   "gateway", link->gateway, "mtu", (int)link->mtu);
}

static json_t *zlayer_of(const struct zl_bundle *bundle)
{
  const struct zl_container_plan *plan = bundle->plan;
  const char *const *layers =
      bundle->guest != NULL ? bundle->guest->layers : (const char *const *)plan->layers;
  const struct zl_service *service = plan->service;
  /* A layer that goes with its container need not be written to the disk when it is unmounted. */
  bool is_volatile = plan->options->auto_remove || service->lifecycle.delete_on_exit;
  bool unconfined = service->privileged || zl_bundle_has_option(service, "seccomp");

  return json_pack("{s:o, s:s*, s:o*, s:b, s:b, s:b, s:i, s:s, s:o, s:o, s:o*}", "layers",
                   zl_json_from_strv(layers), "user", plan->user, "extraGroups",
                   service->extra_groups != NULL
                       ? zl_json_from_strv((const char *const *)service->extra_groups)
                       : NULL,
                   "init", (int)service->init_container, "volatile", (int)is_volatile, "openStdin",
                   (int)(service->stdin_open || plan->options->open_stdin), "stopSignal",
                   plan->stop_signal, "seccomp", unconfined ? "unconfined" : "default", "log",
                   zl_plan_log(service), "network", network_of(plan), "allDevices",
                   service->privileged && bundle->guest != NULL ? json_true() : NULL);
}

int zl_bundle_render(const struct zl_bundle *bundle, char **ret, struct zl_error *err)
{
  const struct zl_container_plan *plan = bundle->plan;
  zl_autojson *process = NULL, *mounts = NULL, *linux_part = NULL;
  zl_autojson *document = NULL;
  int r = zl_bundle_process(bundle, &process, err);

  if (r == 0)
    r = zl_bundle_mounts(bundle, &mounts, err);
  if (r == 0)
    r = zl_bundle_linux(bundle, &linux_part, err);
  if (r < 0)
    return r;
  document = json_pack("{s:s, s:O, s:{s:s, s:b}, s:s, s:O, s:O, s:o}", "ociVersion", "1.2.0",
                       "process", process, "root", "path", "rootfs", "readonly",
                       (int)plan->service->read_only_root_fs, "hostname", plan->hostname, "mounts",
                       mounts, "linux", linux_part, "zlayer", zlayer_of(bundle));
  if (document == NULL)
    return zl_fail_nomem(err, "bundle");
  return zl_json_render(document, ret, err);
}
