/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle as the guest is to have it: paths of the guest, limits that are the container's, and
 * none of what is the host's.
 */
#include <stdio.h>
#include <string.h>

#include "base/ip4.h"
#include "base/json.h"
#include "bridge/guest.h"
#include "oci/vm/vm.h"

enum {
  PATH_TEXT = sizeof(ZL_GUEST_BINDS) + 64,
  MAC_TEXT = 3 * ZL_MAC
};

#define SHARE ZL_GUEST_BINDS "/0/" /* where the first shared directory appears */

/* ---- Mounts -------------------------------------------------------------------------------- */

static json_t *options_of(const struct zl_mount *mount)
{
  return mount->options != NULL ? zl_json_from_strv((const char *const *)mount->options)
                                : json_array();
}

/* A mount of a file system that the machine's kernel makes itself. */
static int check_type(const struct zl_mount *mount, struct zl_error *err)
{
  static const char *const types[] = { "proc",   "sysfs",  "tmpfs",   "devpts",
                                       "mqueue", "cgroup", "cgroup2", "ramfs" };

  for (size_t i = 0; mount->type != NULL && i < ZL_COUNT(types); i++)
    if (strcmp(mount->type, types[i]) == 0)
      return 0;
  return mount->remount
             ? 0
             : zl_fail(err, ZL_E_UNSUPPORTED, 0,
                       "config.json: mounts: '%.200s': type '%.40s': only the host could "
                       "mount it",
                       mount->destination, mount->type != NULL ? mount->type : "");
}

static int set_mounts(json_t *bundle, const struct zl_engine_config *config,
                      const struct oci_vm_shares *shares, struct zl_error *err)
{
  json_t *list = json_array();
  size_t share = 0;
  int r = json_object_set_new(bundle, "mounts", list) < 0 ? zl_fail_nomem(err, "mounts") : 0;

  for (size_t i = 0; r == 0 && i < config->n_mounts; i++) {
    const struct zl_mount *mount = &config->mounts[i];
    char path[PATH_TEXT];
    const char *source = mount->source;

    if (share < shares->n && shares->items[share].mount == mount) {
      (void)snprintf(path, sizeof(path), SHARE "%zu", share++);
      source = path;
    } else {
      r = check_type(mount, err);
    }
    if (r == 0 &&
        json_array_append_new(list, json_pack("{s:s, s:s*, s:s*, s:o}", "destination",
                                              mount->destination, "type", mount->type, "source",
                                              source, "options", options_of(mount))) < 0)
      r = zl_fail_nomem(err, "mounts");
  }
  return r;
}

/* ---- Namespaces and limits ----------------------------------------------------------------- */

/* Those that were the host's are new ones there. */
static void forget_paths(const json_t *linux_object)
{
  json_t *list = json_object_get(linux_object, "namespaces"), *item;
  size_t i;

  json_array_foreach (list, i, item)
    (void)json_object_del(item, "path");
}

/* Beside them the host's cgroup has others (resources.c). */
static void keep_own_limits(json_t *resources)
{
  static const char *const hosts[] = { "blockIO", "hugepageLimits", "network", "rdma" };
  static const char *const hosts_cpu[] = { "shares",          "cpus",          "mems", "idle",
                                           "realtimeRuntime", "realtimePeriod" };
  json_t *cpu = json_object_get(resources, "cpu"), *memory = json_object_get(resources, "memory");

  for (size_t i = 0; i < ZL_COUNT(hosts); i++)
    (void)json_object_del(resources, hosts[i]);
  for (size_t i = 0; i < ZL_COUNT(hosts_cpu); i++)
    (void)json_object_del(cpu, hosts_cpu[i]);
  (void)json_object_del(memory, "swap"); /* a bound of what a machine without swap has none of */
}

static int set_linux(json_t *bundle, struct zl_error *err)
{
  json_t *linux_object = json_object_get(bundle, "linux");

  if (linux_object == NULL) { /* without namespaces it has been refused */
    linux_object = json_object();
    if (json_object_set_new(bundle, "linux", linux_object) < 0)
      return zl_fail_nomem(err, "linux");
  }
  forget_paths(linux_object);
  keep_own_limits(json_object_get(linux_object, "resources"));
  return json_object_set_new(linux_object, "cgroupsPath", json_string(ZL_GUEST_CGROUP)) < 0
             ? zl_fail_nomem(err, "linux.cgroupsPath")
             : 0;
}

/* ---- What is ours -------------------------------------------------------------------------- */

static json_t *network_of(const struct zl_link_pod *pod)
{
  char mac[MAC_TEXT], address[ZL_IP4_TEXT], gateway[ZL_IP4_TEXT];

  if (pod == NULL)
    return json_pack("{s:s}", "mode", "none");
  (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", pod->mac[0], pod->mac[1],
                 pod->mac[2], pod->mac[3], pod->mac[4], pod->mac[5]);
  return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s*, s:i}", "mode", "pod", "link", pod->name, "mac",
                   mac, "address", zl_ip4_format(pod->address, address), "prefix", (int)pod->prefix,
                   "gateway", pod->gateway != 0 ? zl_ip4_format(pod->gateway, gateway) : NULL,
                   "mtu", (int)pod->mtu);
}

/* Without layers the root directory is used as it is; with one there is a writable layer over it.
 * A profile is only what linux.seccomp says. */
static int set_own(json_t *bundle, bool scratch, const struct zl_link_pod *pod,
                   struct zl_error *err)
{
  json_t *layers = scratch ? json_pack("[s]", SHARE OCI_VM_ROOTFS) : json_array();
  json_t *zlayer =
      json_pack("{s:o, s:b, s:b, s:s, s:o}", "layers", layers, "volatile", (int)scratch,
                "openStdin", 1, "seccomp", "unconfined", "network", network_of(pod));

  return json_object_set_new(bundle, "zlayer", zlayer) < 0 ? zl_fail_nomem(err, "zlayer") : 0;
}

static int set_root(json_t *bundle, const struct oci_machine_spec *spec, struct zl_error *err)
{
  json_t *root = json_pack("{s:s, s:b}", "path", SHARE OCI_VM_ROOTFS, "readonly",
                           (int)spec->config->root_readonly);

  return json_object_set_new(bundle, "root", root) < 0 ? zl_fail_nomem(err, "root") : 0;
}

int oci_vm_set_size(json_t *object, const struct zl_process *process, struct zl_error *err)
{
  if (!process->terminal || process->console_rows == 0 || process->console_cols == 0)
    return 0;
  return json_object_set_new(object, "consoleSize",
                             json_pack("{s:i, s:i}", "height", (int)process->console_rows, "width",
                                       (int)process->console_cols)) < 0
             ? zl_fail_nomem(err, "process.consoleSize")
             : 0;
}

int oci_vm_bundle_render(const struct oci_machine_spec *spec, const struct oci_vm_shares *shares,
                         const struct zl_link_pod *pod, char **ret, struct zl_error *err)
{
  zl_autojson *bundle = json_deep_copy(spec->doc);
  int r = bundle != NULL ? 0 : zl_fail_nomem(err, "the machine's bundle");

  if (r < 0)
    return r;
  (void)json_object_del(bundle, "hooks");
  (void)json_object_del(bundle, "annotations");
  r = set_mounts(bundle, spec->config, shares, err);
  if (r == 0)
    r = set_linux(bundle, err);
  if (r == 0)
    r = set_root(bundle, spec, err);
  if (r == 0)
    r = oci_vm_set_size(json_object_get(bundle, "process"), &spec->config->process, err);
  if (r == 0)
    r = set_own(bundle, shares->scratch, pod, err);
  return r == 0 ? zl_json_render(bundle, ret, err) : r;
}
