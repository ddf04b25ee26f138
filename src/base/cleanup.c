/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void zl_freep(void *pp)
{
  void *p;

  memcpy(&p, pp, sizeof(p)); /* any pointer type may be behind pp: no aliasing through void ** */
  free(p);
  p = NULL;
  memcpy(pp, &p, sizeof(p));
}

void zl_fd_closep(int *fd)
{
  int saved = errno;

  if (*fd >= 0)
    (void)close(*fd);
  *fd = -1;
  errno = saved;
}

void zl_filep(FILE **file)
{
  if (*file != NULL)
    (void)fclose(*file);
  *file = NULL;
}
