/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/execve.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
    return zl_fail(err, ZL_E_NO_COMMAND, os_error, "command '%s'", name);
  case EACCES:
  case EPERM:
  case ENOEXEC:
  case EISDIR:
  case ELOOP:
  case ELIBBAD:
  case EINVAL:
  case ETXTBSY:
    return zl_fail(err, ZL_E_NOT_EXECUTABLE, os_error, "command '%s'", name);
  default:
    return zl_fail(err, ZL_E_SYSTEM, os_error, "executing '%s'", name);
  }
}

/* A directory answers EACCES: in a search it is passed over like a missing file. */
static int try_file(const char *path, char *const *args, char *const *env)
{
  struct stat st;

  (void)execve(path, args, env);
  if (errno == EACCES && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
    return ENOENT;
  return errno;
}

int zl_execve(char *const *args, char *const *env, struct zl_error *err)
{
  const char *dirs = zl_env_get(env, "PATH"), *name = args[0];
  int seen = ENOENT;

  if (*name == '\0')
    return failure(name, ENOENT, err);
  if (strchr(name, '/') != NULL) {
    (void)execve(name, args, env);
    return failure(name, errno, err);
  }
  if (dirs == NULL)
    dirs = DEFAULT_PATH;
  for (;;) {
    size_t len = strcspn(dirs, ":");
    zl_autofree char *path = zl_asprintf("%.*s/%s", (int)len, len > 0 ? dirs : "", name);
    int os_error;

    if (path == NULL)
      return zl_fail_nomem(err, "command path");
    os_error = try_file(len > 0 ? path : name, args, env);
    if (os_error != ENOENT && os_error != ENOTDIR && os_error != EACCES)
      return failure(path, os_error, err);
    if (os_error == EACCES)
      seen = EACCES;
    if (dirs[len] == '\0')
      return failure(name, seen, err);
    dirs += len + 1;
  }
}
