/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/pidfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/strv.h"

int oci_pidfile_write(const char *path, pid_t pid, struct zl_error *err)
{
  const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
  zl_autofree char *directory =
      slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
  char text[16];
  zl_autofd dir = -1;
  int r;

  if (directory == NULL)
    return zl_fail_nomem(err, "--pid-file");
  (void)snprintf(text, sizeof(text), "%d", (int)pid);
  dir = zl_fd_open(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "--pid-file '%s'", path);
  r = zl_file_replace(dir, name, text, strlen(text), 0644, false, err);
  return r < 0 ? zl_wrap(err, "--pid-file '%s'", path) : 0;
}
