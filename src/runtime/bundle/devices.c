/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices of the node: those a service names, or with `privileged` all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/json.h"
#include "engine/device_nodes.h"
#include "runtime/bundle/bundle.h"

static int add_named(const struct zl_service *service, size_t i, json_t *devices, json_t *rules,
                     struct zl_error *err)
{
  const struct zl_device *device = &service->devices[i];
  char access[4];
  struct stat st;

  if (stat(device->path, &st) < 0)
    return zl_fail(err, errno == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno,
                   "services.%s.devices[%zu].path: '%s'", service->name, i, device->path);
  if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
    return zl_fail(err, ZL_E_INVALID, 0, "services.%s.devices[%zu].path: '%s' is not a device",
                   service->name, i, device->path);
  (void)snprintf(access, sizeof(access), "%s%s%s", device->read ? "r" : "",
                 device->write ? "w" : "", device->mknod ? "m" : "");
  (void)json_array_append_new(rules, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1, "type",
                                               S_ISBLK(st.st_mode) ? "b" : "c", "major",
                                               (int)major(st.st_rdev), "minor",
                                               (int)minor(st.st_rdev), "access", access));
  return json_array_append_new(devices, zl_device_node(device->path, &st)) < 0
             ? zl_fail_nomem(err, "bundle")
             : 0;
}

int zl_bundle_devices(const struct zl_bundle *bundle, json_t *rules, json_t **ret,
                      struct zl_error *err)
{
  const struct zl_service *service = bundle->plan->service;
  zl_autojson *devices = json_array();
  int r = 0;

  if (service->privileged) {
    if (bundle->guest == NULL) /* else the machine's, which its agent knows */
      zl_device_nodes(devices);
    (void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 1, "access", "rwm"));
  } else {
    for (size_t i = 0; r == 0 && i < service->n_devices; i++)
      r = add_named(service, i, devices, rules, err);
  }
  if (r == 0)
    *ret = zl_steal_ptr(&devices);
  return r;
}
