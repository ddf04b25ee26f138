/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/warm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

enum {
  MOST = 16 << 20, /* of one program: a template's memory is on the node's disk */
  CHUNK = 64 << 10
};

static void read_file(int fd)
{
  static char chunk[CHUNK];
  size_t left = MOST;
  ssize_t n;

  while (left > 0 && (n = read(fd, chunk, left < CHUNK ? left : CHUNK)) > 0)
    left -= (size_t)n;
}

/* Not zl_path_…: this is a program of the container, with the container's rights. */
static bool read_program(const char *path)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);

  if (fd < 0)
    return false;
  read_file(fd);
  return true;
}

static void look_up(const char *name)
{
  const char *dirs = getenv("PATH");

  for (; dirs != NULL && *dirs != '\0'; dirs += strspn(dirs, ":")) {
    size_t len = strcspn(dirs, ":");
    zl_autofree char *path = zl_asprintf("%.*s/%s", (int)len, dirs, name);

    if (path == NULL || read_program(path))
      return;
    dirs += len;
  }
}

int warm_run(char *const *programs)
{
  static const char line[] = "warm\n";

  for (; *programs != NULL; programs++) {
    if (strchr(*programs, '/') == NULL)
      look_up(*programs);
    else
      (void)read_program(*programs);
  }
  return zl_fd_write_full(STDOUT_FILENO, line, strlen(line)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
