/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-shim-vm: one process per virtual machine (docs/microvm.md).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "shim/vm/modes.h"

static bool has_fd(int fd)
{
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* A machine that nobody waits for is begun beside a container whose program has just been started:
 * that has the processors for itself first. */
#define OTHERS_FIRST (30 * ZL_NS_PER_MS)

/* The lock, descriptor 5, is held by being inherited and goes with this process. */
static int run_helper(struct vm_shim *vm, bool is_pool)
{
  struct zl_error err = { 0 };
  int reply_fd = has_fd(SHIM_CONTROL_FD) ? SHIM_CONTROL_FD : -1;

  (void)has_fd(SHIM_LOCK_FD);
  if (!has_fd(SHIM_DIR_FD) || shim_prepare_process(&err) < 0)
    return EXIT_FAILURE;
  if (reply_fd < 0)
    zl_time_pause(OTHERS_FIRST);
  return is_pool ? mode_pool(vm, SHIM_DIR_FD) : mode_template(vm, SHIM_DIR_FD, reply_fd);
}

int main(int argc, char **argv)
{
  static struct vm_shim vm;

  vm_init(&vm);
  if (argc == 2 && strcmp(argv[1], "probe") == 0)
    return mode_probe();
  /* Containers have a "-rep-" or an "-on-" in their names: these are none. */
  if (argc == 2 && (strcmp(argv[1], "template") == 0 || strcmp(argv[1], "pool") == 0))
    return run_helper(&vm, strcmp(argv[1], "pool") == 0);
  return shim_main(&vm.shim, argc, argv);
}
