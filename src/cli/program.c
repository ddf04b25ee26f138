/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strv.h"

#define NAME "zlayer-complete"

enum {
  MAX_PATH = 4096 /* of the running program, as readlink gives it */
};

static char **own_argv;

void zl_program_set_argv(char **argv)
{
  own_argv = argv;
}

static void execute(const char *dir, const char *name, char *const *argv)
{
  zl_autofree char *path = zl_asprintf("%s/%s", dir, name);
  sigset_t none, mask;

  if (path == NULL)
    return;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, &mask);
  (void)execv(path, argv);
  (void)sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Beside this program in a build directory, else where it is installed. */
int zl_program_execute(const char *name, char *const *argv)
{
  zl_autofree char *own = calloc(1, MAX_PATH);
  char *slash;

  if (own == NULL)
    return -ENOMEM;
  if (readlink("/proc/self/exe", own, MAX_PATH - 1) > 0 && (slash = strrchr(own, '/')) != NULL) {
    *slash = '\0';
    execute(own, name, argv);
  }
  execute(ZL_LIBEXEC_DIR, name, argv);
  return -errno;
}

void zl_program_complete(void)
{
  int r;

  if (zl_program_is_complete || own_argv == NULL)
    return;
  r = zl_program_execute(NAME, own_argv);
  zl_warning("cannot execute " NAME ": %s", strerror(-r));
}
