/* SPDX-License-Identifier: Apache-2.0
 *
 * A shim as a process of Linux.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/proc.h"
#include "shim/keeper.h"
#include "shim/run.h"

/* Not dumpable: what runs in the container must not read this memory, or that of the children on
 * their way into it, through /proc. */
int shim_prepare_process(struct zl_error *err)
{
  sigset_t all;

  (void)umask(077);
  zl_proc_default_signals();
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  if (chdir("/") < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "preparing the process");
  return 0;
}

int shim_main(struct shim *shim, int argc, char **argv)
{
  struct zl_error err = { 0 };
  int r;

  if (argc < 2 || !zl_path_is_name(argv[1], ZL_MAX_ID))
    return EXIT_FAILURE;
  memcpy(shim->id, argv[1], strlen(argv[1]) + 1);
  r = shim_prepare_process(&err);
  if (r == 0 && fcntl(SHIM_CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
    r = zl_fail_errno(&err, "descriptor %d", SHIM_CONTROL_FD);
  if (r == 0 && fcntl(SHIM_DIR_FD, F_SETFD, FD_CLOEXEC) == 0) {
    shim->dir_fd = SHIM_DIR_FD;
    if (fcntl(SHIM_LOCK_FD, F_SETFD, FD_CLOEXEC) == 0)
      shim->lock_fd = SHIM_LOCK_FD;
  }
  if (r == 0 && shim->keeper->prepare != NULL)
    r = shim->keeper->prepare(shim, argc - 2, argv + 2, &err);
  return r < 0 ? EXIT_FAILURE : shim_serve(shim, SHIM_CONTROL_FD);
}
