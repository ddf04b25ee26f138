/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/strv.h"
#include "engine/cgroup_private.h"

static const char tree_dirs[ZL_TREE_COUNT][12] = {
  [ZL_TREE_UNIFIED] = "unified/",   [ZL_TREE_PIDS] = "pids/",       [ZL_TREE_MEMORY] = "memory/",
  [ZL_TREE_CPU] = "cpu/",           [ZL_TREE_CPUACCT] = "cpuacct/", [ZL_TREE_DEVICES] = "devices/",
  [ZL_TREE_FREEZER] = "freezer/",   [ZL_TREE_CPUSET] = "cpuset/",   [ZL_TREE_BLKIO] = "blkio/",
  [ZL_TREE_HUGETLB] = "hugetlb/",   [ZL_TREE_RDMA] = "rdma/",       [ZL_TREE_NET_CLS] = "net_cls/",
  [ZL_TREE_NET_PRIO] = "net_prio/", [ZL_TREE_SYSTEMD] = "systemd/",
};

const char *zl_cgroup_tree_dir(const struct zl_cgroup_root *root, enum zl_cgroup_tree tree)
{
  return root->mode == ZL_CGROUP_V2 ? "" : tree_dirs[tree];
}

static const char *file_path(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                             char text[ZL_CGROUP_FILE])
{
  (void)snprintf(text, ZL_CGROUP_FILE, "%s%s/%s", zl_cgroup_tree_dir(cg->root, tree), cg->path,
                 file);
  return text;
}

int zl_cgroup_write(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                    const char *text, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];
  int r = zl_file_poke(cg->root->fd, file_path(cg, tree, file, path), text, err);

  if (r == -ZL_E_NOT_FOUND)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "cgroup file '%s' to be set to '%.64s': there is none "
                   "here (controller not enabled, or an older kernel)",
                   path, text);
  return r < 0 && err != NULL ? zl_wrap(err, "cgroup") : r;
}

int zl_cgroup_writef(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, struct zl_error *err,
                     const char *file, const char *fmt, ...)
{
  ZL_UNCLEARED char text[ZL_CGROUP_LINE];
  va_list ap;
  int n;

  va_start(ap, fmt);
  n = vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  if (n < 0 || n >= (int)sizeof(text))
    return zl_fail(err, ZL_E_LIMIT, 0, "cgroup file '%s': value longer than %d bytes", file,
                   ZL_CGROUP_LINE - 1);
  return zl_cgroup_write(cg, tree, file, text, err);
}

bool zl_cgroup_file_exists(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file)
{
  char path[ZL_CGROUP_FILE];

  /* What cannot be told is taken to be there: it is used, and that says what is wrong. */
  return faccessat(cg->root->fd, file_path(cg, tree, file, path), F_OK, 0) == 0 ||
         (errno != ENOENT && errno != ENOTDIR);
}

int zl_cgroup_read(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                   struct zl_buf *buf, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];
  int r = zl_file_read(cg->root->fd, file_path(cg, tree, file, path), buf, err);

  return r < 0 && err != NULL ? zl_wrap(err, "cgroup") : r;
}

int zl_cgroup_read_number(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                          uint64_t *ret, struct zl_error *err)
{
  /* v1 counts memory in pages, so its "none" is not quite 2^63. */
  const uint64_t nearly_none = UINT64_C(0x7ffffffffff00000);
  zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);
  uint64_t number;
  int r = zl_cgroup_read(cg, tree, file, &buf, err);

  if (r < 0)
    return r;
  if (buf.len > 0 && buf.data[buf.len - 1] == '\n')
    buf.data[--buf.len] = '\0';
  if (buf.len == 3 && memcmp(buf.data, "max", 3) == 0)
    number = UINT64_MAX;
  else if (buf.len == 0 || !zl_parse_u64(buf.data, UINT64_MAX, &number))
    return zl_fail(err, ZL_E_SYSTEM, 0, "cgroup file '%s': not a number", file);
  *ret = number >= nearly_none ? UINT64_MAX : number;
  return 0;
}

bool zl_cgroup_find_key(const char *text, const char *key, uint64_t *ret)
{
  const size_t len = strlen(key);

  for (const char *line = text; line != NULL && *line != '\0';) {
    const char *end = strchrnul(line, '\n');

    if ((size_t)(end - line) > len + 1 && memcmp(line, key, len) == 0 && line[len] == ' ') {
      char number[24];

      (void)snprintf(number, sizeof(number), "%.*s", (int)(end - line - (ptrdiff_t)len - 1),
                     line + len + 1);
      return zl_parse_u64(number, UINT64_MAX, ret);
    }
    line = *end == '\n' ? end + 1 : NULL;
  }
  return false;
}

int zl_cgroup_read_key(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                       const char *key, uint64_t *ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_cgroup_read(cg, tree, file, &buf, err);

  if (r < 0)
    return r;
  if (buf.data == NULL || !zl_cgroup_find_key(buf.data, key, ret))
    *ret = 0;
  return 0;
}

int zl_cgroup_each_dir(int dirfd, const char *path, zl_cgroup_fn fn, void *payload,
                       struct zl_error *err)
{
  zl_autodir *dir = NULL;
  zl_autofd fd = zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
  int r = 0;

  if (fd < 0) {
    const int os_error = -fd;

    fd = -1;
    return os_error == ENOENT ? 0
                              : zl_fail(err, ZL_E_SYSTEM, os_error, "cgroup directory '%s'", path);
  }
  dir = fdopendir(fd);
  if (dir == NULL)
    return zl_fail_errno(err, "cgroup directory '%s'", path);
  (void)zl_steal_fd(&fd);
  for (;;) {
    const struct dirent *entry;

    errno = 0;
    entry = readdir(dir);
    if (entry == NULL)
      /* ENODEV: removed while it was being read. */
      return errno == 0 || errno == ENOENT || errno == ENODEV
                 ? 0
                 : zl_fail_errno(err, "cgroup directory '%s'", path);
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
      continue;
    r = fn(payload, entry->d_name);
    if (r != 0)
      return r;
  }
}
