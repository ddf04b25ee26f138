/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/refuse.h"

#include <errno.h>
#include <sys/stat.h>

/* A field that needs an object of the host, and why. */
struct host_field {
  bool is_set;
  const char *field, *why;
};

static int refuse_fields(const struct zl_service *s, struct zl_error *err)
{
  const struct zl_resources *res = &s->resources;
  const struct host_field fields[] = {
    { s->network_mode.kind == ZL_NETWORK_HOST, "network_mode",
      "a machine has a network of its own and cannot use the node's" },
    { s->network_mode.kind == ZL_NETWORK_CONTAINER, "network_mode",
      "a machine cannot share another container's network" },
    { s->pid_mode != ZL_NS_PRIVATE, "pid_mode", "a machine sees its own processes only" },
    { s->ipc_mode != ZL_NS_PRIVATE, "ipc_mode", "a machine has IPC of its own only" },
    { s->n_devices > 0, "devices", "a machine has none of the node's devices" },
    { s->userns_mode == ZL_USERNS_PRIVATE, "userns_mode",
      "a machine's users are apart from the node's already" },
    { s->cgroup_parent != NULL, "cgroup_parent", "the cgroups are the machine's, not the node's" },
    { res->cpuset != NULL, "resources.cpuset", "it names processors of the node" },
    { res->cpu_shares != 0, "resources.cpu_shares", "there is nobody in a machine to share with" },
    { res->blkio_weight != 0, "resources.blkio_weight",
      "there is nobody in a machine to share with" },
    { res->memory_swap != 0 && res->memory_swap != res->memory, "resources.memory_swap",
      "a machine has no swap space" },
    { res->has_memory_swappiness, "resources.memory_swappiness", "a machine has no swap space" },
  };

  for (size_t i = 0; i < ZL_COUNT(fields); i++)
    if (fields[i].is_set)
      return zl_fail(err, ZL_E_UNSUPPORTED, 0, "services.%s.%s: with isolation hyperv %s", s->name,
                     fields[i].field, fields[i].why);
  return 0;
}

static int refuse_size(const struct zl_vm_machine_plan *machine, const struct zl_service *s,
                       struct zl_error *err)
{
  if (zl_vm_cpus_of(&machine->settings, s) > ZL_VM_MAX_VCPUS)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.resources.cpu: with isolation hyperv at most %d", s->name,
                   ZL_VM_MAX_VCPUS);
  if (zl_vm_memory_of(&machine->settings, s) > ZL_VM_MAX_MEMORY_MIB)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.resources.memory: with isolation hyperv at most 1Ti", s->name);
  return 0;
}

/* A machine shares directories. To share the parent of a file would show what lies beside it, and a
 * file that is replaced by rename would stay the old one. */
static int check_source(const struct zl_service *s, size_t i, struct zl_error *err)
{
  const char *source = s->storage[i].source;
  struct stat st;

  if (stat(source, &st) < 0)
    return zl_fail(err, errno == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno,
                   "services.%s.storage[%zu].source: '%s'", s->name, i, source);
  if (S_ISDIR(st.st_mode))
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.storage[%zu].source: '%s' is not a directory, and with isolation "
                 "hyperv only directories can be shared",
                 s->name, i, source);
}

static int refuse_storage(const struct zl_vm_machine_plan *machine, const struct zl_service *s,
                          struct zl_error *err)
{
  size_t n = zl_vm_count_binds(s);
  int r = 0;

  if (n > ZL_VM_MAX_BINDS)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.storage: with isolation hyperv at most %d binds and volumes",
                   s->name, ZL_VM_MAX_BINDS);
  if (n > 0 && !machine->guest.has_9p)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.storage: the guest kernel '%s' cannot share directories (no 9p); "
                   "'make guest-kernel' makes one that can",
                   s->name, machine->guest.name);
  for (size_t i = 0; r == 0 && i < s->n_storage; i++)
    if (s->storage[i].type == ZL_STORAGE_BIND)
      r = check_source(s, i, err);
  return r;
}

int zl_vm_refuse(const struct zl_vm_machine_plan *machine, const struct zl_service *service,
                 struct zl_error *err)
{
  int r = refuse_fields(service, err);

  if (r == 0)
    r = refuse_size(machine, service, err);
  return r < 0 ? r : refuse_storage(machine, service, err);
}
