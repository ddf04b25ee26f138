/* SPDX-License-Identifier: Apache-2.0
 *
 * Volumes. A named one is ROOT/volumes/<name> and outlives its containers; an anonymous one is a
 * directory of the container and goes with it. A new volume gets owner and mode of the directory in
 * the image that it hides, so that an image with its own user can write to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/host.h"

int zl_plan_record_volumes(struct zl_runtime *rt, struct zl_store *store,
                           const struct zl_container_plan *plan, struct zl_error *err)
{
  const struct zl_service *service = plan->service;
  int r = 0;

  (void)rt;
  for (size_t i = 0; r == 0 && i < service->n_storage; i++) {
    if (service->storage[i].type != ZL_STORAGE_NAMED)
      continue;
    r = zl_store_run(store, err, "INSERT OR IGNORE INTO volumes VALUES (?, ?)", "su",
                     service->storage[i].name, zl_time_wall());
    if (r == 0)
      r = zl_store_run(store, err, "INSERT OR IGNORE INTO volume_users VALUES (?, ?)", "ss",
                       service->storage[i].name, plan->id);
  }
  return r;
}

static int make_volume(int at, const char *name, const struct zl_container_plan *plan,
                       const char *target, struct zl_error *err)
{
  zl_autofd fd = -1;
  bool is_new = mkdirat(at, name, 0755) == 0;

  if (!is_new && errno != EEXIST)
    return zl_fail_errno(err, "making volume '%s'", name);
  fd = zl_fd_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0) {
    int os_error = -fd;

    fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening volume '%s'", name);
  }
  return is_new ? zl_host_own_volume(fd, plan, target, err) : 0;
}

static int make_named(struct zl_runtime *rt, struct zl_container_plan *plan,
                      const struct zl_storage *storage, char **ret, struct zl_error *err)
{
  zl_autofd dir = zl_path_open_dir(rt->root_fd, "volumes", 0700);
  int r;

  if (dir < 0) {
    int os_error = -dir;

    dir = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening directory 'volumes'");
  }
  r = make_volume(dir, storage->name, plan, storage->target, err);
  *ret = r == 0 ? zl_asprintf("%s/volumes/%s", rt->root, storage->name) : NULL;
  return r;
}

static int make_anonymous(struct zl_runtime *rt, struct zl_container_plan *plan, size_t i,
                          char **ret, struct zl_error *err)
{
  char name[24];
  int r;

  (void)snprintf(name, sizeof(name), "volume-%zu", i);
  r = make_volume(plan->dir_fd, name, plan, plan->service->storage[i].target, err);
  *ret = r == 0 ? zl_asprintf("%s/containers/%s/%s", rt->root, plan->id, name) : NULL;
  return r;
}

int zl_plan_make_volumes(struct zl_runtime *rt, struct zl_container_plan *plan,
                         struct zl_error *err)
{
  const struct zl_service *service = plan->service;
  int r = 0;

  for (size_t i = 0; r == 0 && i < service->n_storage; i++) {
    zl_autofree char *path = NULL;

    if (service->storage[i].type == ZL_STORAGE_NAMED)
      r = make_named(rt, plan, &service->storage[i], &path, err);
    else if (service->storage[i].type == ZL_STORAGE_ANONYMOUS)
      r = make_anonymous(rt, plan, i, &path, err);
    else
      path = strdup("");
    if (r == 0 && path == NULL)
      r = zl_fail_nomem(err, "volumes");
    if (r == 0)
      r = zl_strv_push(&plan->volumes, path, err);
  }
  return r;
}
