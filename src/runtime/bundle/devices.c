/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices of the node: those a service names, or with `privileged` all of them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"

static json_t *node_of(const char *path, const struct stat *st)
{
  return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "path", path, "type",
                   S_ISBLK(st->st_mode) ? "b" : "c", "major", (int)major(st->st_rdev), "minor",
                   (int)minor(st->st_rdev), "fileMode", (int)(st->st_mode & 07777), "uid",
                   (int)st->st_uid, "gid", (int)st->st_gid);
}

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
  return json_array_append_new(devices, node_of(device->path, &st)) < 0
             ? zl_fail_nomem(err, "bundle")
             : 0;
}

static void closedirp(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
}

/* File systems of their own below /dev, which a container has its own of. */
static bool is_skipped(const char *name)
{
  static const char *const names[] = { ".",  "..",   "pts",     "shm",      "mqueue",
                                       "fd", "ptmx", "console", "hugepages" };

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    if (strcmp(names[i], name) == 0)
      return true;
  return false;
}

static void add_below(const char *path, unsigned depth, json_t *devices)
{
  int fd = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  ZL_CLEANUP(closedirp) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  struct dirent *e;

  while (dir != NULL && (e = readdir(dir)) != NULL && json_array_size(devices) < ZL_MAX_DEVICES) {
    zl_autofree char *child = zl_asprintf("%s/%s", path, e->d_name);
    struct stat st;

    if (child == NULL || is_skipped(e->d_name) ||
        fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    if (S_ISDIR(st.st_mode) && depth > 0)
      add_below(child, depth - 1, devices);
    else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
      (void)json_array_append_new(devices, node_of(child, &st));
  }
}

int zl_bundle_devices(const struct zl_bundle *bundle, json_t *rules, json_t **ret,
                      struct zl_error *err)
{
  const struct zl_service *service = bundle->plan->service;
  zl_autojson *devices = json_array();
  int r = 0;

  if (service->privileged) {
    if (bundle->guest == NULL)
      add_below("/dev", 2, devices);
    (void)json_array_append_new(rules, json_pack("{s:b, s:s}", "allow", 1, "access", "rwm"));
  } else {
    for (size_t i = 0; r == 0 && i < service->n_devices; i++)
      r = add_named(service, i, devices, rules, err);
  }
  if (r == 0)
    *ret = zl_steal_ptr(&devices);
  return r;
}
