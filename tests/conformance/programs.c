/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "box.h"

static const char *backend; /* as main was told */

double program_now_ms(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

/* ---- Those who start one ----------------------------------------------------------------------
 */

static void start(const char *role, unsigned arg, int out, struct zl_proc *ret)
{
  char number[16];
  const char *argv[] = {
    "conformance", backend, "--role", role, number, box.root, box.image, NULL
  };
  const struct zl_proc_fd fds[] = { { out, 1 }, { 2, 2 } };
  const struct zl_proc_options options = { .path = box.program,
                                           .exec_fd = -1,
                                           .argv = argv,
                                           .envp = (const char *const *)environ,
                                           .fds = fds,
                                           .n_fds = 2 };

  (void)snprintf(number, sizeof(number), "%u", arg);
  OK(zl_proc_spawn(&options, ret, &err));
}

struct zl_proc program_start(const char *role, unsigned arg)
{
  struct zl_proc program = { .pidfd = -1 };
  int ends[2];
  char begun;

  OK(zl_fd_pipe(ends, &err));
  start(role, arg, ends[1], &program);
  (void)close(ends[1]);
  assert_int_equal(read(ends[0], &begun, 1), 1);
  (void)close(ends[0]);
  return program;
}

void program_finish(struct zl_proc *program)
{
  int status = -1;

  OK(zl_proc_wait(program, &status, &err));
  assert_int_equal(status, 0);
}

bool program_was_killed(struct zl_proc *program)
{
  int status = 0;

  OK(zl_proc_wait(program, &status, &err));
  return (status & 0x7f) == SIGKILL; /* on Windows the code of whoever is killed is 128 + 9 */
}

void program_strike(const char *role, unsigned arg, double after_ms)
{
  struct zl_proc program = program_start(role, arg);

  (void)usleep((useconds_t)(after_ms * 1000));
  zl_proc_kill(&program);
}

double program_time_ms(const char *role, unsigned arg)
{
  struct zl_proc program = program_start(role, arg);
  double from = program_now_ms();

  program_finish(&program);
  return program_now_ms() - from;
}

/* ---- It ------------------------------------------------------------------------------------- */

static int play(const struct role *role, unsigned arg)
{
  int r;

  if (write(1, "", 1) != 1) /* it has begun */
    return 1;
  box.rt = box_runtime();
  r = role->play(arg);
  zl_runtime_close(box.rt);
  return r == 0 ? 0 : 1;
}

int program_main(int argc, char **argv)
{
  backend = argc > 1 ? argv[1] : NULL;
  if (argc != 7 || strcmp(argv[2], "--role") != 0)
    return -1;
  box_describe(argv[1]);
  (void)snprintf(box.root, sizeof(box.root), "%s", argv[5]);
  (void)snprintf(box.image, sizeof(box.image), "%s", argv[6]);
  for (const struct role *role = roles; role->name != NULL; role++)
    if (strcmp(role->name, argv[3]) == 0)
      return play(role, (unsigned)strtoul(argv[4], NULL, 10));
  (void)fprintf(stderr, "no program has the role '%s'\n", argv[3]);
  return 1;
}
