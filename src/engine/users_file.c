/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"

static const struct {
  const char *path;
  size_t min_fields;
} files[] = {
  [ZL_FILE_PASSWD] = { "/etc/passwd", 4 },
  [ZL_FILE_GROUP] = { "/etc/group", 3 },
};

bool zl_users_parse_id(const char *text, uint32_t *ret)
{
  uint64_t id;

  if ((text[0] == '0' && text[1] != '\0') || !zl_parse_u64(text, UINT32_MAX - 1, &id))
    return false;
  *ret = (uint32_t)id;
  return true;
}

static int fail_open(int os_error, const char *path, struct zl_error *err)
{
  return zl_fail(err, ZL_E_SYSTEM, os_error, "opening the image's %s", path);
}

static int check_file(const struct stat *st, const char *path, struct zl_error *err)
{
  if (!S_ISREG(st->st_mode))
    return zl_fail(err, ZL_E_INVALID, 0, "the image's %s is not a regular file", path);
  if (st->st_size > ZL_MAX_PASSWD)
    return zl_fail(err, ZL_E_LIMIT, 0, "the image's %s has %lld bytes, the limit is %d", path,
                   (long long)st->st_size, ZL_MAX_PASSWD);
  return 0;
}

/* Opening a FIFO would hang and opening a device could act on it, so the kind of file is looked at
 * first. It is opened by its path again and must be the same one: the other way, /proc/self/fd, is
 * the container's /proc by now, which need not be there and may be anything. */
static int read_file(int root_fd, const char *path, struct zl_buf *buf, struct zl_error *err)
{
  struct stat st, now;
  zl_autofd fd = -1, at = zl_path_open_in_root(root_fd, path, O_PATH, 0);
  int r;

  if (at == -ENOENT || at == -ENOTDIR)
    return 0;
  if (at < 0)
    return fail_open(-at, path, err);
  if (fstat(at, &st) < 0)
    return zl_fail_errno(err, "the image's %s", path);
  r = check_file(&st, path, err);
  if (r < 0)
    return r;
  fd = zl_path_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0)
    return fail_open(-fd, path, err);
  if (fstat(fd, &now) < 0)
    return zl_fail_errno(err, "the image's %s", path);
  if (now.st_dev != st.st_dev || now.st_ino != st.st_ino)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the image's %s has changed meanwhile", path);
  return zl_fd_read_all(fd, path, buf, err);
}

static bool split_line(char *text, size_t min_fields, struct zl_users_line *line)
{
  size_t n = 0;

  for (size_t i = 0; i < ZL_USERS_FIELDS; i++)
    line->fields[i] = text + strlen(text);
  for (char *next = text; next != NULL && n < ZL_USERS_FIELDS;)
    line->fields[n++] = strsep(&next, ":");
  return n >= min_fields && line->fields[0][0] != '\0' &&
         zl_users_parse_id(line->fields[2], &line->id);
}

int zl_users_walk(int root_fd, enum zl_users_file file, zl_users_fn fn, void *payload,
                  struct zl_error *err)
{
  /* One byte more than the limit, so that a file of exactly the limit can be told from a longer. */
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_PASSWD + 1);
  int r = read_file(root_fd, files[file].path, &buf, err);

  for (char *at = buf.data, *end = buf.data + buf.len; r == 0 && at != NULL && at < end;) {
    char *stop = memchr(at, '\n', (size_t)(end - at));
    struct zl_users_line line;

    if (stop == NULL)
      stop = end;
    *stop = '\0';
    /* A NUL inside would let a line look shorter here than to others. */
    if (strlen(at) == (size_t)(stop - at) && split_line(at, files[file].min_fields, &line))
      r = fn(payload, &line, err);
    at = stop + 1;
  }
  return r;
}
