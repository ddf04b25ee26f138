/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of users: the first line is a user's text, what follows the image's passwd and group.
 * Digits are that id or an error; a name is an id of a line that begins with it, or an error;
 * nobody is the id that the kernel takes for "no change".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/zlayer-fuzz-XXXXXX";

static void remove_top(void)
{
  (void)zl_path_remove_tree(AT_FDCWD, top);
}

static int root(void)
{
  static int fd = -1;

  if (fd >= 0)
    return fd;
  if (mkdtemp(top) == NULL || atexit(remove_top) != 0)
    abort();
  fd = zl_fd_open(AT_FDCWD, top, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0 || mkdirat(fd, "etc", 0755) < 0)
    abort();
  return fd;
}

static void put(const char *name, const char *text, size_t len)
{
  int fd = zl_fd_open(root(), name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

  if (fd < 0 || zl_fd_write_full(fd, text, len) < 0)
    abort();
  (void)close(fd);
}

/* A line of `file` begins with the name. */
static bool has_line(const char *file, size_t len, const char *name, size_t name_len)
{
  for (const char *at = file, *end = file + len; at < end;) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));

    if (stop == NULL)
      stop = end;
    if ((size_t)(stop - at) > name_len && memcmp(at, name, name_len) == 0 && at[name_len] == ':')
      return true;
    at = stop + 1;
  }
  return false;
}

static void check(const char *spec, const struct zl_user *user, const char *file, size_t len)
{
  const size_t name_len = strcspn(spec, ":"), digits = strspn(spec, "0123456789");

  if (user->uid == UINT32_MAX || user->gid == UINT32_MAX || user->home == NULL ||
      user->home[0] != '/')
    abort();
  for (size_t i = 0; i < user->n_gids; i++)
    if (user->gids[i] == UINT32_MAX || (i > 0 && user->gids[i - 1] >= user->gids[i]))
      abort();
  if (name_len == 0)
    return; /* nobody was asked for: that is 0 */
  if (digits == name_len && strtoull(spec, NULL, 10) != user->uid)
    abort();
  if (digits != name_len && !has_line(file, len, spec, name_len))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data, *line = memchr(data, '\n', size);
  size_t spec_len = line != NULL ? (size_t)(line - text) : size;
  size_t file_len = line != NULL ? size - spec_len - 1 : 0;
  zl_autofree char *spec = strndup(text, spec_len);
  struct zl_user user = { .uid = UINT32_MAX };
  struct zl_error err = { 0 };
  int r;

  if (spec == NULL)
    abort();
  put("etc/passwd", line != NULL ? line + 1 : "", file_len);
  put("etc/group", line != NULL ? line + 1 : "", file_len);
  r = zl_user_resolve(root(), spec, NULL, &user, &err);
  if (r < 0 && (err.code == ZL_OK || err.msg[0] == '\0'))
    abort();
  if (r == 0)
    check(spec, &user, line != NULL ? line + 1 : "", file_len);
  zl_user_done(&user);
  return 0;
}
