/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/device_nodes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

json_t *zl_device_node(const char *path, const struct stat *st)
{
  return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "path", path, "type",
                   S_ISBLK(st->st_mode) ? "b" : "c", "major", (int)major(st->st_rdev), "minor",
                   (int)minor(st->st_rdev), "fileMode", (int)(st->st_mode & 07777), "uid",
                   (int)st->st_uid, "gid", (int)st->st_gid);
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
  zl_autodir *dir = zl_dir_open(AT_FDCWD, path);
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
      (void)json_array_append_new(devices, zl_device_node(child, &st));
  }
}

void zl_device_nodes(json_t *devices)
{
  add_below("/dev", 2, devices);
}
