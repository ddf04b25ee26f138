/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent in a machine: docs/bridge.md, docs/microvm.md. It is the first process of one. With
 * `--bridge-fd N --stdio-fd N` it is an ordinary process that serves two descriptors and leaves the
 * machine as it is.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strv.h"
#include "bridge/guest.h"
#include "guest/agent.h"
#include "guest/machine.h"
#include "guest/port.h"
#include "guest/warm.h"

static struct agent agent;

/* Not dumpable: what runs in the container must not read this memory, or that of the children on
 * their way into it, through /proc. */
static int prepare_process(struct zl_error *err)
{
  sigset_t all;

  (void)umask(022);
  zl_proc_default_signals();
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  if (chdir("/") < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "preparing the process");
  return 0;
}

static int serve(bool is_machine, int bridge_fd, int stdio_fd, struct zl_error *err)
{
  int r = agent_open(&agent, is_machine, bridge_fd, stdio_fd, err);

  return r < 0 ? r : agent_run(&agent, err);
}

_Noreturn static void run_machine(void)
{
  struct zl_error err = { 0 };
  int bridge_fd = -1, stdio_fd = -1;
  int r = prepare_process(&err);

  if (r == 0)
    r = machine_prepare(&err);
  if (r == 0)
    r = port_find(ZL_GUEST_PORT_BRIDGE, &bridge_fd, &err);
  if (r == 0)
    r = port_find(ZL_GUEST_PORT_STDIO, &stdio_fd, &err);
  if (r == 0)
    r = serve(true, bridge_fd, stdio_fd, &err);
  if (r < 0)
    zl_warning("%s", err.msg);
  machine_off(r == 0 && agent.is_graceful);
}

static bool take_descriptor(const char *text, int *ret)
{
  uint64_t number;

  if (!zl_parse_u64(text, INT32_MAX, &number) || fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0 ||
      fcntl((int)number, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    return false;
  *ret = (int)number;
  return true;
}

static int run_process(int argc, char **argv)
{
  struct zl_error err = { 0 };
  int bridge_fd, stdio_fd, r;

  if (argc != 5 || strcmp(argv[1], "--bridge-fd") != 0 || strcmp(argv[3], "--stdio-fd") != 0 ||
      !take_descriptor(argv[2], &bridge_fd) || !take_descriptor(argv[4], &stdio_fd)) {
    (void)fputs("usage: zlayer-guest --bridge-fd N --stdio-fd N\n", stderr);
    return EXIT_FAILURE;
  }
  r = prepare_process(&err);
  if (r == 0)
    r = serve(false, bridge_fd, stdio_fd, &err);
  if (r < 0)
    zl_warning("%s", err.msg);
  agent_close(&agent);
  return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool is_called(const char *name, const char *program)
{
  const char *slash = strrchr(program, '/');

  return strcmp(slash != NULL ? slash + 1 : program, name) == 0;
}

int main(int argc, char **argv)
{
  bool has_descriptors = argc > 1 && strcmp(argv[1], "--bridge-fd") == 0;

  if (argc > 0 && is_called(ZL_GUEST_WARM, argv[0]))
    return warm_run(argv + 1);

  /* A kernel hands on what it does not understand of its own command line. */
  if (getpid() == 1 && !has_descriptors)
    run_machine();
  return run_process(argc, argv);
}
