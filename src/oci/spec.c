/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "engine/cgroup.h"
#include "oci/oci.h"
#include "oci/options.h"

/* What a container has that nobody has thought about: the set of `runc spec`. */
static const char example[] =
    "{\"ociVersion\":\"" OCI_SPEC_VERSION "\",\"process\":{\"terminal\":true,"
    "\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],\"env\":["
    "\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],"
    "\"cwd\":\"/\",\"capabilities\":{"
    "\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
    "\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
    "\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
    "\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
    "\"hostname\":\"zlayer\",\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":["
    "\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
    "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
    "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],"
    "\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
    "{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
    "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
    "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
    "\"/sys/firmware\",\"/proc/scsi\"],"
    "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
    "\"/proc/sysrq-trigger\"]}}";

static bool has_value(const json_t *object, const char *key, const char *value)
{
  const char *text = json_string_value(json_object_get(object, key));

  return text != NULL && strcmp(text, value) == 0;
}

static void remove_where(json_t *array, const char *key, const char *value)
{
  for (size_t i = json_array_size(array); i-- > 0;)
    if (has_value(json_array_get(array, i), key, value))
      (void)json_array_remove(array, i);
}

/* The host's sysfs, since a new one belongs to a network namespace; no group that is not mapped. */
static int change_mounts(json_t *mounts)
{
  size_t i;
  json_t *mount;

  json_array_foreach (mounts, i, mount) {
    if (has_value(mount, "type", "devpts")) {
      json_t *options = json_object_get(mount, "options");

      (void)json_array_remove(options, json_array_size(options) - 1); /* "gid=5" */
    } else if (has_value(mount, "type", "sysfs")) {
      json_t *bind =
          json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination", "/sys", "type", "none",
                    "source", "/sys", "options", "rbind", "nosuid", "noexec", "nodev", "ro");

      if (json_array_set_new(mounts, i, bind) < 0)
        return -1;
    }
  }
  return 0;
}

static int map_one(json_t *object, const char *name, uint32_t id)
{
  return json_object_set_new(
      object, name,
      json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)id, "size", 1));
}

/* As in `runc spec`: on v1 hosts a container is to see the names of its cgroups. */
static void for_host(json_t *doc)
{
  struct zl_cgroup_root root = { .fd = -1 };

  if (zl_cgroup_root_open(&root, NULL) == 0 && root.mode != ZL_CGROUP_V2)
    remove_where(json_object_get(json_object_get(doc, "linux"), "namespaces"), "type", "cgroup");
  zl_cgroup_root_close(&root);
}

/* What a user without privileges can have: one id of his own, and nothing of the host's to set. */
static int for_user(json_t *doc, struct zl_error *err)
{
  json_t *object = json_object_get(doc, "linux"),
         *namespaces = json_object_get(object, "namespaces");

  remove_where(namespaces, "type", "network");
  (void)json_object_del(object, "resources");
  if (json_array_append_new(namespaces, json_pack("{s:s}", "type", "user")) < 0 ||
      map_one(object, "uidMappings", geteuid()) < 0 ||
      map_one(object, "gidMappings", getegid()) < 0 ||
      change_mounts(json_object_get(doc, "mounts")) < 0)
    return zl_fail_nomem(err, "config.json");
  return 0;
}

int oci_spec(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  const char *bundle = ".";
  bool rootless = false;
  const struct oci_option options[] = {
    { .name = "bundle", .letter = 'b', .kind = OCI_TEXT, .variable = &bundle },
    { .name = "rootless", .kind = OCI_FLAG, .variable = &rootless },
  };
  zl_autojson *doc = NULL;
  zl_autofree char *text = NULL;
  zl_autofd dir = -1, fd = -1;
  int first = argc, r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);

  (void)oci;
  if (r == 0 && first != argc)
    r = zl_fail(err, ZL_E_INVALID, 0, "spec: takes no arguments");
  if (r < 0)
    return r;
  doc = json_loads(example, 0, NULL);
  if (doc != NULL)
    for_host(doc);
  if (doc != NULL && rootless && for_user(doc, err) < 0)
    return -(int)err->code;
  text = doc != NULL ? json_dumps(doc, JSON_INDENT(2)) : NULL;
  if (text == NULL)
    return zl_fail_nomem(err, "config.json");
  dir = zl_fd_open(AT_FDCWD, bundle, O_PATH | O_DIRECTORY, 0);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "--bundle '%s'", bundle);
  fd = zl_fd_open(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (fd < 0)
    return zl_fail(err, fd == -EEXIST ? ZL_E_CONFLICT : ZL_E_SYSTEM, -fd, "config.json");
  r = zl_fd_write_full(fd, text, strlen(text));
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "config.json") : 0;
}
