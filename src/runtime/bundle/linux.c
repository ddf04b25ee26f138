/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"

static const char *const masked_paths[] = {
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
  NULL,
};

static const char *const readonly_paths[] = {
  "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static void add_namespace(json_t *list, const char *type, const char *path)
{
  (void)json_array_append_new(list, json_pack("{s:s, s:s*}", "type", type, "path", path));
}

static json_t *list_namespaces(const struct zl_bundle *bundle)
{
  const struct zl_container_plan *plan = bundle->plan;
  const struct zl_service *service = plan->service;
  json_t *list = json_array();

  add_namespace(list, "mount", NULL);
  add_namespace(list, "uts", NULL);
  add_namespace(list, "cgroup", NULL);
  if (service->pid_mode != ZL_NS_HOST)
    add_namespace(list, "pid", NULL);
  if (service->ipc_mode != ZL_NS_HOST)
    add_namespace(list, "ipc", NULL);
  if (plan->network != ZL_PLAN_NET_HOST)
    add_namespace(list, "network", bundle->netns_path);
  if (service->userns_mode == ZL_USERNS_PRIVATE)
    add_namespace(list, "user", NULL);
  return list;
}

static json_t *id_map(const struct zl_container_plan *plan)
{
  return json_pack("[{s:i, s:I, s:I}]", "containerID", 0, "hostID", (json_int_t)plan->id_base,
                   "size", (json_int_t)plan->id_count);
}

static json_t *sysctls_of(const struct zl_service *service)
{
  json_t *object = json_object();

  for (size_t i = 0; i < service->sysctls.count; i++)
    (void)json_object_set_new(object, service->sysctls.items[i].key,
                              json_string(service->sysctls.items[i].value));
  return object;
}

static int add_resources(const struct zl_bundle *bundle, json_t *object, struct zl_error *err)
{
  json_t *resources = NULL, *devices = NULL;
  int r = zl_bundle_resources(bundle, &resources, err);

  if (r == 0)
    r = zl_bundle_devices(bundle, json_object_get(resources, "devices"), &devices, err);
  if (r < 0) {
    json_decref(resources);
    return r;
  }
  if (json_object_set_new(object, "resources", resources) < 0 ||
      json_object_set_new(object, "devices", devices) < 0)
    return zl_fail_nomem(err, "bundle");
  return 0;
}

int zl_bundle_linux(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err)
{
  const struct zl_service *service = bundle->plan->service;
  zl_autojson *object = json_pack("{s:s, s:o, s:o}", "cgroupsPath", bundle->cgroup, "namespaces",
                                  list_namespaces(bundle), "sysctl", sysctls_of(service));
  int r;

  if (object == NULL)
    return zl_fail_nomem(err, "bundle");
  if (!service->privileged) {
    (void)json_object_set_new(object, "maskedPaths", zl_json_from_strv(masked_paths));
    (void)json_object_set_new(object, "readonlyPaths", zl_json_from_strv(readonly_paths));
  }
  if (bundle->plan->id_count > 0) {
    (void)json_object_set_new(object, "uidMappings", id_map(bundle->plan));
    (void)json_object_set_new(object, "gidMappings", id_map(bundle->plan));
  }
  r = add_resources(bundle, object, err);
  if (r == 0)
    *ret = zl_steal_ptr(&object);
  return r;
}
