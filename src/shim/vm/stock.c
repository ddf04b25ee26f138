/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/stock.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "bridge/guest.h"

#define CAPS                                                                                       \
  "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\"," \
  "\"CAP_SETUID\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_NET_RAW\",\"CAP_SYS_CHROOT\","    \
  "\"CAP_MKNOD\",\"CAP_AUDIT_WRITE\",\"CAP_SETFCAP\"]"
#define BIND(name)                                                                              \
  "{\"destination\":\"/etc/" name "\",\"type\":\"bind\",\"source\":\"" ZL_GUEST_BUNDLE "/" name \
  "\",\"options\":[\"bind\",\"nosuid\",\"nodev\",\"noexec\"]}"

/* As the runtime writes them (src/runtime/bundle): the same mounts, paths, capabilities. */
static const char bundle_text[] =
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"zlayer-warm\"],\"cwd\":\"/\","
    "\"env\":[\"PATH=/usr/local/bin:/usr/bin:/sbin:/bin\"],\"user\":{\"uid\":0,\"gid\":0},"
    "\"terminal\":false,\"noNewPrivileges\":false,\"rlimits\":[],"
    "\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS "}},"
    "\"root\":{\"path\":\"rootfs\",\"readonly\":false},\"hostname\":\"warm\",\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\","
    "\"noexec\",\"nodev\",\"ro\"]},"
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}," BIND("hosts") "," BIND(
        "resolv.conf") "," BIND("hostname") "],"
                                            "\"linux\":{\"cgroupsPath\":\"" ZL_GUEST_CGROUP
                                            "\",\"namespaces\":[{\"type\":\"mount\"},"
                                            "{\"type\":\"uts\"},{\"type\":\"cgroup\"},{\"type\":"
                                            "\"pid\"},{\"type\":\"ipc\"}],\"sysctl\":{},"
                                            "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/"
                                            "proc/interrupts\",\"/proc/kcore\","
                                            "\"/proc/keys\",\"/proc/latency_stats\",\"/proc/"
                                            "sched_debug\",\"/proc/scsi\","
                                            "\"/proc/timer_list\",\"/proc/timer_stats\",\"/sys/"
                                            "firmware\","
                                            "\"/sys/devices/virtual/"
                                            "powercap\"],\"readonlyPaths\":[\"/proc/bus\",\"/proc/"
                                            "fs\",\"/proc/irq\","
                                            "\"/proc/sys\",\"/proc/sysrq-trigger\"],"
                                            "\"resources\":{\"devices\":[],\"pids\":{\"limit\":"
                                            "2048}},\"devices\":[]},"
                                            "\"zlayer\":{\"layers\":[\"" ZL_GUEST_IMAGE
                                            "\"],\"init\":false,\"volatile\":true,"
                                            "\"openStdin\":false,\"stopSignal\":15,\"seccomp\":"
                                            "\"default\",\"log\":{\"maxBytes\":20971520,"
                                            "\"files\":5},\"network\":{\"mode\":\"host\"}}}";

json_t *stock_bundle(void)
{
  return json_loads(bundle_text, 0, NULL);
}

json_t *stock_files(void)
{
  return json_pack("{s:s, s:s, s:s}", "hosts", "127.0.0.1 localhost\n", "resolv.conf", "",
                   "hostname", "warm\n");
}

/* ---- What may still be said ---------------------------------------------------------------- */

/* Members of `zlayer` that concern the program alone; the log is none of the guest's business. */
static const char *const late[] = { "user", "extraGroups", "init", "openStdin", "stopSignal" };

static void keep_only(json_t *object, const char *member)
{
  json_t *value = json_incref(json_object_get(object, member));

  (void)json_object_clear(object);
  if (value != NULL)
    (void)json_object_set_new(object, member, value);
}

/* A bundle without what an amendment can say. */
static json_t *shape_of(const json_t *bundle)
{
  json_t *shape = json_deep_copy(bundle);
  json_t *zlayer = json_object_get(shape, "zlayer");

  (void)json_object_del(shape, "hostname");
  (void)json_object_del(shape, "root");
  keep_only(json_object_get(shape, "process"), "capabilities");
  keep_only(json_object_get(json_object_get(shape, "linux"), "resources"), "devices");
  for (size_t i = 0; i < ZL_COUNT(late); i++)
    (void)json_object_del(zlayer, late[i]);
  (void)json_object_del(zlayer, "log");
  return shape;
}

static bool has_labels(const json_t *bundle)
{
  const json_t *process = json_object_get(bundle, "process");

  return json_object_get(process, "apparmorProfile") != NULL ||
         json_object_get(process, "selinuxLabel") != NULL;
}

static json_t *late_process(const json_t *bundle)
{
  json_t *process = json_copy(json_object_get(bundle, "process"));

  (void)json_object_del(process, "capabilities");
  return process;
}

static json_t *late_members(const json_t *bundle)
{
  const json_t *zlayer = json_object_get(bundle, "zlayer");
  json_t *members = json_object();

  for (size_t i = 0; i < ZL_COUNT(late); i++)
    if (json_object_get(zlayer, late[i]) != NULL)
      (void)json_object_set(members, late[i], json_object_get(zlayer, late[i]));
  return members;
}

static json_t *resources_of(const json_t *bundle)
{
  return json_object_get(json_object_get(bundle, "linux"), "resources");
}

static json_t *write_amendment(const json_t *bundle, const json_t *prepared)
{
  json_t *resources = resources_of(bundle);
  json_t *doc = json_pack("{s:o, s:O?, s:O?, s:o}", "process", late_process(bundle), "hostname",
                          json_object_get(bundle, "hostname"), "root",
                          json_object_get(bundle, "root"), "zlayer", late_members(bundle));

  if (doc != NULL && !json_equal(resources, resources_of(prepared)))
    (void)json_object_set_new(doc, "linux", json_pack("{s:O}", "resources", resources));
  return doc;
}

static bool is_short(const json_t *amendment)
{
  return json_dumpb(amendment, NULL, 0, JSON_COMPACT) <= ZL_MAX_AMENDMENT;
}

json_t *stock_amendment(const json_t *bundle, const json_t *prepared)
{
  zl_autojson *wanted = NULL, *there = NULL, *amendment = NULL;

  if (prepared == NULL || has_labels(bundle))
    return NULL;
  wanted = shape_of(bundle);
  there = shape_of(prepared);
  if (wanted == NULL || there == NULL || !json_equal(wanted, there))
    return NULL;
  amendment = write_amendment(bundle, prepared);
  return amendment != NULL && is_short(amendment) ? zl_steal_ptr(&amendment) : NULL;
}
