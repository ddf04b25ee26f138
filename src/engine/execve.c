/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/execve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/compiler.h"
#include "base/strv.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
  MAX_FILE = 4096 /* the kernel executes none with a longer name */
};

const char *zl_env_get(char *const *env, const char *name)
{
  size_t len = strlen(name);

  for (; env != NULL && *env != NULL; env++)
    if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
      return *env + len + 1;
  return NULL;
}

static int failure(const char *name, int os_error, struct zl_error *err)
{
  switch (os_error) {
  case ENOENT:
  case ENOTDIR:
  case ENAMETOOLONG:
    return zl_fail(err, ZL_E_NO_COMMAND, os_error, "command '%s': executable file not found", name);
  case EACCES:
  case EPERM:
  case ENOEXEC:
  case EISDIR:
  case ELOOP:
  case ELIBBAD:
  case EINVAL:
  case ETXTBSY:
    return zl_fail(err, ZL_E_NOT_EXECUTABLE, os_error, "command '%s'%s", name,
                   os_error == EACCES ? ": permission denied" : "");
  default:
    return zl_fail(err, ZL_E_SYSTEM, os_error, "executing '%s'", name);
  }
}

/* Tries one path: the errno of why it cannot be executed, 0 if it can. */
struct attempt {
  int (*fn)(const struct attempt *attempt, const char *path);
  char *const *args, *const *env;
  int cwd_fd;
};

static int execute(const struct attempt *attempt, const char *path)
{
  (void)execve(path, attempt->args, attempt->env);
  return errno;
}

static int look(const struct attempt *attempt, const char *path)
{
  struct stat st;

  if (fstatat(attempt->cwd_fd, path, &st, 0) < 0)
    return errno;
  if (!S_ISREG(st.st_mode))
    return EACCES;
  return faccessat(attempt->cwd_fd, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* A directory answers EACCES: in a search it is passed over like a missing file. */
static int try_file(const struct attempt *attempt, const char *path)
{
  int os_error = attempt->fn(attempt, path);
  struct stat st;

  if (os_error == EACCES && fstatat(attempt->cwd_fd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
    return ENOENT;
  return os_error;
}

static int search(const struct attempt *attempt, const char *name, struct zl_error *err)
{
  const char *dirs = zl_env_get(attempt->env, "PATH");
  int seen = ENOENT;

  if (dirs == NULL)
    dirs = DEFAULT_PATH;
  for (;;) {
    size_t len = strcspn(dirs, ":");
    ZL_UNCLEARED char path[MAX_FILE]; /* what is allocated would stay with who shares its memory */
    int n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, name), os_error;

    if (n < 0 || (size_t)n >= sizeof(path))
      return failure(name, ENAMETOOLONG, err);
    os_error = try_file(attempt, len > 0 ? path : name);
    if (os_error == 0)
      return 0;
    if (os_error != ENOENT && os_error != ENOTDIR && os_error != EACCES)
      return failure(path, os_error, err);
    if (os_error == EACCES)
      seen = EACCES;
    if (dirs[len] == '\0')
      return failure(name, seen, err);
    dirs += len + 1;
  }
}

static int attempt_name(const struct attempt *attempt, struct zl_error *err)
{
  const char *name = attempt->args[0];
  int os_error;

  if (*name == '\0')
    return failure(name, ENOENT, err);
  if (strchr(name, '/') == NULL)
    return search(attempt, name, err);
  os_error = attempt->fn(attempt, name);
  return os_error == 0 ? 0 : failure(name, os_error, err);
}

int zl_execve(char *const *args, char *const *env, struct zl_error *err)
{
  const struct attempt attempt = { .fn = execute, .args = args, .env = env, .cwd_fd = AT_FDCWD };

  return attempt_name(&attempt, err);
}

int zl_execve_check(char *const *args, char *const *env, int cwd_fd, struct zl_error *err)
{
  const struct attempt attempt = { .fn = look, .args = args, .env = env, .cwd_fd = cwd_fd };

  return attempt_name(&attempt, err);
}
