/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
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

int oci_spec(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  const char *bundle = ".";
  const struct oci_option options[] = {
    { .name = "bundle", .letter = 'b', .kind = OCI_TEXT, .variable = &bundle },
    { .name = "rootless", .kind = OCI_REFUSED, .why = "not written for a user without privileges" },
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
