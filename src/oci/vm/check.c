/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/mount.h>

#include "oci/vm/vm.h"

static int refuse(struct zl_error *err, const char *member, const char *why)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "config.json: %s: %s", member, why);
}

/* ---- Namespaces ---------------------------------------------------------------------------- */

static int check_namespace(const struct zl_namespace *ns, const char *name, bool may_be_absent,
                           bool may_have_path, struct zl_error *err)
{
  char member[64];

  (void)stpcpy(stpcpy(member, "linux.namespaces: "), name);
  if (!ns->present && !may_be_absent)
    return refuse(err, member, "a machine cannot have the host's");
  if (ns->path != NULL && !may_have_path)
    return refuse(err, member, "a machine cannot join another process's");
  return 0;
}

static int check_namespaces(const struct oci_machine_spec *spec, struct zl_error *err)
{
  const struct zl_namespace *ns = spec->config->namespaces;
  bool pod = oci_vm_is_of_pod(spec->doc);
  int r = check_namespace(&ns[ZL_NS_PID], "pid", false, false, err);

  if (r == 0)
    r = check_namespace(&ns[ZL_NS_NETWORK], "network", false, true, err);
  if (r == 0)
    r = check_namespace(&ns[ZL_NS_IPC], "ipc", false, pod, err);
  if (r == 0)
    r = check_namespace(&ns[ZL_NS_UTS], "uts", false, pod, err);
  if (r == 0)
    r = check_namespace(&ns[ZL_NS_MOUNT], "mount", false, false, err);
  if (r == 0)
    r = check_namespace(&ns[ZL_NS_CGROUP], "cgroup", true, false, err);
  if (r == 0)
    r = check_namespace(&ns[ZL_NS_TIME], "time", true, false, err);
  if (r == 0 && ns[ZL_NS_USER].present)
    r = refuse(err, "linux.namespaces: user", "ids of a machine are not mapped");
  return r;
}

/* ---- Objects of the host ------------------------------------------------------------------- */

/* Those that every kernel has. */
static bool is_everywhere(const struct zl_device *device)
{
  static const struct {
    unsigned major, first, last;
  } known[] = { { 1, 3, 3 }, { 1, 5, 5 }, { 1, 7, 9 }, { 5, 0, 2 } };

  if (device->type == 'p')
    return true;
  for (size_t i = 0; i < ZL_COUNT(known); i++)
    if (device->type == 'c' && device->major == known[i].major && device->minor >= known[i].first &&
        device->minor <= known[i].last)
      return true;
  return false;
}

static int check_devices(const struct zl_engine_config *config, struct zl_error *err)
{
  for (size_t i = 0; i < config->n_devices; i++)
    if (!is_everywhere(&config->devices[i]))
      return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                     "config.json: linux.devices: '%.200s' (%u:%u): a device of the host, which a "
                     "machine cannot have",
                     config->devices[i].path, config->devices[i].major, config->devices[i].minor);
  return 0;
}

static int check_hooks(const struct zl_engine_config *config, struct zl_error *err)
{
  static const char why[] = "would be run in the machine, where its program is not";

  if (config->hooks[ZL_HOOK_CREATE_CONTAINER].n > 0)
    return refuse(err, "hooks.createContainer", why);
  return config->hooks[ZL_HOOK_START_CONTAINER].n > 0 ? refuse(err, "hooks.startContainer", why)
                                                      : 0;
}

static int check_rest(const struct oci_machine_spec *spec, struct zl_error *err)
{
  const json_t *seccomp = json_object_get(json_object_get(spec->doc, "linux"), "seccomp");

  if (json_object_get(seccomp, "listenerPath") != NULL)
    return refuse(err, "linux.seccomp.listenerPath", "an agent of the host cannot serve a machine");
  if (spec->config->rootfs_propagation & MS_SHARED)
    return refuse(err, "linux.rootfsPropagation: shared",
                  "what the machine mounts cannot appear on the host");
  if (spec->config->mount_label != NULL)
    return refuse(err, "linux.mountLabel", "a machine has no SELinux");
  if (spec->config->resources.n_unified > 0)
    return refuse(err, "linux.resources.unified",
                  "whether the host's cgroup or the machine's is meant is not known");
  if (spec->preserved_fds > 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "--preserve-fds: descriptors of the host cannot be given to a machine");
  return 0;
}

int oci_vm_check_process(const struct zl_process *process, struct zl_error *err)
{
  if (process->apparmor_profile != NULL)
    return refuse(err, "process.apparmorProfile",
                  "a machine has no AppArmor; tell the caller to use none (unconfined)");
  if (process->selinux_label != NULL)
    return refuse(err, "process.selinuxLabel", "a machine has no SELinux");
  return 0;
}

int oci_vm_check(const struct oci_machine_spec *spec, struct zl_error *err)
{
  int r = check_namespaces(spec, err);

  if (r == 0)
    r = check_devices(spec->config, err);
  if (r == 0)
    r = check_hooks(spec->config, err);
  if (r == 0)
    r = oci_vm_check_process(&spec->config->process, err);
  return r == 0 ? check_rest(spec, err) : r;
}
