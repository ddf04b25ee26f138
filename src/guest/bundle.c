/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/bundle.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/device_nodes.h"
#include "engine/sysctl.h"

int bundle_add_devices(json_t *specification, struct zl_error *err)
{
  json_t *zlayer, *object, *devices;
  bool all = false;
  int r = zl_json_get_object(specification, "", "zlayer", &zlayer, err);

  if (r == 0)
    r = zl_json_get_bool(zlayer, "zlayer", "allDevices", false, &all, err);
  if (r == 0)
    r = zl_json_get_object(specification, "", "linux", &object, err);
  if (r < 0 || zlayer == NULL)
    return r;
  (void)json_object_del(zlayer, "allDevices");
  if (!all || object == NULL)
    return 0;
  devices = json_array();
  if (devices != NULL)
    zl_device_nodes(devices);
  return json_object_set_new(object, "devices", devices) < 0 ? zl_fail_nomem(err, "devices") : 0;
}

/* ---- Settings of the network --------------------------------------------------------------- */

static bool has_machines_network(json_t *specification)
{
  const json_t *network = json_object_get(json_object_get(specification, "zlayer"), "network");
  const char *mode = json_string_value(json_object_get(network, "mode"));

  return mode != NULL && strcmp(mode, "host") == 0;
}

/* Both separators are allowed, as in sysctl(8). */
static bool is_of_network(const char *key)
{
  return strncmp(key, "net.", 4) == 0 || strncmp(key, "net/", 4) == 0;
}

static int set_one(int proc_fd, const char *key, const json_t *value, struct zl_error *err)
{
  struct zl_sysctl setting = { .key = key, .value = json_string_value(value) };
  int r = 0;

  if (setting.value == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "'%.100s': must be a string", key);
  if (r == 0)
    r = zl_sysctl_apply(proc_fd, &setting, 1, CLONE_NEWNET, err);
  return r < 0 && err != NULL ? zl_wrap(err, "linux.sysctl") : r;
}

int bundle_set_network(json_t *specification, struct zl_error *err)
{
  zl_autofd proc = -1;
  json_t *object, *settings = NULL, *value;
  const char *key;
  void *next;
  int r = zl_json_get_object(specification, "", "linux", &object, err);

  if (r == 0)
    r = zl_json_get_object(object, "linux", "sysctl", &settings, err);
  if (r < 0 || settings == NULL || !has_machines_network(specification))
    return r;
  proc = zl_fd_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
  if (proc < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&proc), "opening '/proc'");
  json_object_foreach_safe(settings, next, key, value)
  {
    if (!is_of_network(key))
      continue;
    r = set_one(proc, key, value, err);
    if (r < 0)
      return r;
    (void)json_object_del(settings, key);
  }
  return 0;
}
