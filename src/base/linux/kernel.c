/* SPDX-License-Identifier: Apache-2.0 */
#include "base/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/strv.h"

enum {
  NOTHING = -1 /* neither a descriptor, nor a process, nor an address */
};

/* All of Linux 5.15; older ones lack some (man 2 of each). */
static const struct {
  const char *name;
  long number;
} needed[] = {
  { "clone3", SYS_clone3 },
  { "close_range", SYS_close_range },
  { "execveat", SYS_execveat },
  { "fsconfig", SYS_fsconfig },
  { "fsmount", SYS_fsmount },
  { "fsopen", SYS_fsopen },
  { "mount_setattr", SYS_mount_setattr },
  { "move_mount", SYS_move_mount },
  { "open_tree", SYS_open_tree },
  { "openat2", SYS_openat2 },
  { "pidfd_open", SYS_pidfd_open },
  { "pidfd_send_signal", SYS_pidfd_send_signal },
};

static void append(struct zl_error *err, const char *before, const char *text)
{
  const size_t len = strlen(err->msg);

  (void)snprintf(err->msg + len, sizeof(err->msg) - len, "%s%s", before, text);
}

void zl_kernel_explain(struct zl_error *err)
{
  const char *separator = " (missing here: ";

  if (err->code == ZL_OK || err->os_error != ENOSYS)
    return;
  for (size_t i = 0; i < ZL_COUNT(needed); i++) {
    if (syscall(needed[i].number, NOTHING, 0, 0, 0, 0) >= 0 || errno != ENOSYS)
      continue;
    append(err, separator, needed[i].name);
    separator = ", ";
  }
  if (*separator == ',')
    append(err, "; ",
           "zlayer needs Linux 5.15 or later, and no filter around it that hides calls)");
}

bool zl_kernel_is_from(unsigned major, unsigned minor)
{
  unsigned long here_major, here_minor = 0;
  struct utsname name;
  char *end;

  if (uname(&name) < 0)
    return false;
  here_major = strtoul(name.release, &end, 10);
  if (*end == '.')
    here_minor = strtoul(end + 1, NULL, 10);
  return here_major > major || (here_major == major && here_minor >= minor);
}
