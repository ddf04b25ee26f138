/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/wintext.h"

bool zl_win_env_is_system(const char *name)
{
  static const char *const names[] = { "SystemRoot", "SystemDrive", "windir" };

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    if (zl_wintext_equal(names[i], name))
      return true;
  return false;
}

static int check(const char *name, const char *value, const char *field, struct zl_error *err)
{
  size_t units = 0;
  int r;

  if (*name == '\0' || strchr(name, '=') != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.100s' is no name of a variable", field, name);
  r = zl_wintext_check(name, field, ZL_WIN_ENV_MAX, err);
  if (r < 0)
    return r;
  /* A value may have line ends. */
  if (!zl_wintext_units(value, &units))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: not UTF-8, which Windows needs", field);
  if (units + strlen(name) + 2 > ZL_WIN_ENV_MAX)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: %zu characters, Windows takes at most %d", field, units,
                   ZL_WIN_ENV_MAX);
  return 0;
}

/* The place of `name`, or of the NULL. */
static size_t find(char *const *env, const char *name)
{
  size_t len = strlen(name), i = 0;

  for (; env != NULL && env[i] != NULL; i++)
    if (zl_wintext_equal_n(env[i], name, len) && env[i][len] == '=')
      break;
  return i;
}

static void drop(char **env, size_t i)
{
  free(env[i]);
  for (; env[i + 1] != NULL; i++)
    env[i] = env[i + 1];
  env[i] = NULL;
}

int zl_win_env_set(char ***env, const char *name, const char *value, const char *field,
                   struct zl_error *err)
{
  int r = check(name, value, field, err);
  size_t i = find(*env, name);
  bool is_there = *env != NULL && (*env)[i] != NULL;
  zl_autofree char *entry = NULL;

  if (r < 0)
    return r;
  if (*value == '\0') {
    if (is_there)
      drop(*env, i);
    return 0;
  }
  entry = zl_asprintf("%s=%s", name, value);
  if (entry == NULL)
    return zl_fail_nomem(err, field);
  if (!is_there)
    return zl_strv_push(env, entry, err);
  free((*env)[i]);
  (*env)[i] = zl_steal_ptr(&entry);
  return 0;
}

int zl_win_env_set_entry(char ***env, const char *entry, const char *field, struct zl_error *err)
{
  size_t len = strcspn(entry, "=");
  zl_autofree char *name = NULL;

  if (len == 0 || entry[len] == '\0')
    return 0;
  name = zl_asprintf("%.*s", (int)len, entry);
  if (name == NULL)
    return zl_fail_nomem(err, field);
  return zl_win_env_set(env, name, entry + len + 1, field, err);
}
