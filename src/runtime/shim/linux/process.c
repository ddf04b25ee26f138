/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/process.h"

#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/strv.h"
#include "base/time.h"

const struct zl__shim_patience zl__shim_patience = { .answer_ns = 5 * ZL_NS_PER_S,
                                                     .end_ns = 20 * ZL_NS_PER_S };

/* The process that has the container's directory as descriptor 3: the shim, found without its help.
 * Only for one that does not answer. */
void zl__shim_signal(int dir_fd, int signal)
{
  zl_autodir *proc = opendir("/proc");
  struct dirent *e;
  struct stat ours, theirs;

  if (proc == NULL || fstat(dir_fd, &ours) < 0)
    return;
  while ((e = readdir(proc)) != NULL) {
    uint64_t pid = 0;
    zl_autofd pidfd = -1;
    char path[64];

    if (!zl_parse_u64(e->d_name, INT32_MAX, &pid) || (pid_t)pid == getpid())
      continue;
    /* The descriptor first: then what is looked at is what will get the signal. */
    pidfd = pidfd_open((pid_t)pid, 0);
    (void)snprintf(path, sizeof(path), "%d/fd/3", (int)pid);
    if (pidfd >= 0 && fstatat(dirfd(proc), path, &theirs, 0) == 0 && theirs.st_dev == ours.st_dev &&
        theirs.st_ino == ours.st_ino)
      (void)pidfd_send_signal(pidfd, signal, NULL, 0);
  }
}
