/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/shim/session.h"

int zl_shimclient_pipe_from(int *ret_ours, int *ret_theirs, struct zl_error *err)
{
  int ends[2];
  int r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_ours = ends[0];
  *ret_theirs = ends[1];
  return 0;
}

/* A terminal is the container's; it has pipes like any process. */
bool zl_shimclient_has_masters(void)
{
  return false;
}

int zl_shimclient_set_size(int master, unsigned rows, unsigned cols, struct zl_error *err)
{
  (void)master;
  (void)rows;
  (void)cols;
  return zl_fail(err, ZL_E_INTERNAL, 0, "the shim sets the size of terminals");
}

static bool is_slash(char c)
{
  return c == '\\' || c == '/';
}

bool zl_shimclient_is_absolute(const char *path)
{
  return is_slash(path[0]) || (path[0] != '\0' && path[1] == ':' && is_slash(path[2]));
}
