/* SPDX-License-Identifier: Apache-2.0
 *
 * What is mounted in the container: the kernel's file systems, its three network files, its
 * storage.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"

static int add(json_t *mounts, json_t *mount, struct zl_error *err)
{
  return json_array_append_new(mounts, mount) < 0 ? zl_fail_nomem(err, "bundle") : 0;
}

static json_t *mount_of(const char *target, const char *type, const char *source)
{
  return json_pack("{s:s, s:s, s:s, s:[]}", "destination", target, "type", type, "source", source,
                   "options");
}

static json_t *with(json_t *mount, const char *option)
{
  (void)json_array_append_new(json_object_get(mount, "options"), json_string(option));
  return mount;
}

static json_t *with_all(json_t *mount, const char *const *options)
{
  for (size_t i = 0; options[i] != NULL; i++)
    (void)with(mount, options[i]);
  return mount;
}

/* ---- The kernel's ---- */

struct kernel_mount {
  const char *target, *type, *source, *options[8];
};

static const struct kernel_mount kernel_mounts[] = {
  { "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
  { "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
  { "/dev/pts",
    "devpts",
    "devpts",
    { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
  { "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
  { "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
  { "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev" } },
  { "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime" } },
};

/* sysfs belongs to the owner of the network namespace: a user namespace without a network of its
 * own cannot mount it, and neither can it mount mqueue without an IPC namespace of its own. */
static bool must_bind(const struct zl_service *service, const struct zl_container_plan *plan,
                      const char *target)
{
  if (strcmp(target, "/dev/shm") == 0 || strcmp(target, "/dev/mqueue") == 0)
    return service->ipc_mode == ZL_NS_HOST;
  if (service->userns_mode != ZL_USERNS_PRIVATE)
    return false;
  return strcmp(target, "/sys") == 0 &&
         (plan->network == ZL_PLAN_NET_HOST || plan->network == ZL_PLAN_NET_PATH);
}

static int add_kernel_mounts(const struct zl_bundle *bundle, json_t *mounts, struct zl_error *err)
{
  const struct zl_service *service = bundle->plan->service;
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(kernel_mounts); i++) {
    const struct kernel_mount *k = &kernel_mounts[i];
    bool bind = must_bind(service, bundle->plan, k->target);
    bool is_sys = zl_has_prefix(k->target, "/sys");
    json_t *mount = mount_of(k->target, bind ? "bind" : k->type, bind ? k->target : k->source);

    mount = bind ? with(mount, "rbind") : with_all(mount, k->options);
    if (is_sys && !service->privileged)
      mount = with(mount, "ro");
    r = add(mounts, mount, err);
  }
  return r;
}

/* ---- Network files ---- */

static int add_files(const struct zl_bundle *bundle, json_t *mounts, struct zl_error *err)
{
  static const char *const names[] = { "hosts", "resolv.conf", "hostname" };
  static const char *const options[] = { "bind", "nosuid", "nodev", "noexec", NULL };
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(names); i++) {
    zl_autofree char *source = zl_asprintf("%s/%s", bundle->dir, names[i]);
    zl_autofree char *target = zl_asprintf("/etc/%s", names[i]);

    if (source == NULL || target == NULL)
      return zl_fail_nomem(err, "bundle");
    r = add(mounts, with_all(mount_of(target, "bind", source), options), err);
  }
  return r;
}

/* ---- Storage ---- */

static int check_source(const struct zl_service *service, size_t i, struct zl_error *err)
{
  struct stat st;

  if (stat(service->storage[i].source, &st) == 0)
    return 0;
  return zl_fail(err, errno == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno,
                 "services.%s.storage[%zu].source: '%s'", service->name, i,
                 service->storage[i].source);
}

static json_t *bind_of(const struct zl_storage *storage, const char *source)
{
  json_t *mount = with(mount_of(storage->target, "bind", source), "rbind");

  /* Read-only for the mounts below it too, else a submount would stay writable. */
  if (storage->readonly)
    mount = with(mount, "rro");
  return mount;
}

static json_t *tmpfs_of(const struct zl_storage *storage)
{
  static const char *const options[] = { "nosuid", "nodev", NULL };
  json_t *mount = with_all(mount_of(storage->target, "tmpfs", "tmpfs"), options);
  char text[48];

  if (storage->size > 0) {
    (void)snprintf(text, sizeof(text), "size=%" PRIu64, storage->size);
    mount = with(mount, text);
  }
  (void)snprintf(text, sizeof(text), "mode=%04o", storage->has_mode ? storage->mode : 01777);
  return with(mount, text);
}

/* What the i-th entry, which is a directory of this host, is where the container runs. */
static const char *source_of(const struct zl_bundle *bundle, size_t i)
{
  const struct zl_storage *storage = &bundle->plan->service->storage[i];

  if (bundle->guest != NULL)
    return bundle->guest->binds[i];
  return storage->type == ZL_STORAGE_BIND ? storage->source : bundle->plan->volumes[i];
}

static int add_storage(const struct zl_bundle *bundle, json_t *mounts, struct zl_error *err)
{
  const struct zl_service *service = bundle->plan->service;
  int r = 0;

  for (size_t i = 0; r == 0 && i < service->n_storage; i++) {
    const struct zl_storage *storage = &service->storage[i];

    switch (storage->type) {
    case ZL_STORAGE_BIND:
      r = check_source(service, i, err);
      if (r == 0)
        r = add(mounts, bind_of(storage, source_of(bundle, i)), err);
      break;
    case ZL_STORAGE_NAMED:
    case ZL_STORAGE_ANONYMOUS:
      r = add(mounts, bind_of(storage, source_of(bundle, i)), err);
      break;
    case ZL_STORAGE_TMPFS:
      r = add(mounts, tmpfs_of(storage), err);
      break;
    case ZL_STORAGE_S3:
      return zl_fail(err, ZL_E_UNSUPPORTED, 0, "services.%s.storage[%zu].type: s3 is not supported",
                     service->name, i);
    }
  }
  return r;
}

int zl_bundle_mounts(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err)
{
  zl_autojson *mounts = json_array();
  int r = add_kernel_mounts(bundle, mounts, err);

  if (r == 0)
    r = add_files(bundle, mounts, err);
  if (r == 0)
    r = add_storage(bundle, mounts, err);
  if (r == 0)
    *ret = zl_steal_ptr(&mounts);
  return r;
}
