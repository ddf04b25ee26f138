/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <stdarg.h>
#include <string.h>

#include "base/limits.h"

size_t zl_strv_len(const char *const *v)
{
  size_t n = 0;

  while (v != NULL && v[n] != NULL)
    n++;
  return n;
}

int zl_strv_push(char ***v, const char *text, struct zl_error *err)
{
  size_t n = zl_strv_len((const char *const *)*v);
  char *copy, **grown;

  if (n >= ZL_MAX_LIST)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d entries in a list", ZL_MAX_LIST);
  copy = strdup(text);
  grown = realloc(*v, (n + 2) * sizeof(**v));
  if (grown != NULL)
    *v = grown;
  if (copy == NULL || grown == NULL) {
    free(copy);
    return zl_fail_nomem(err, "list entry");
  }
  grown[n] = copy;
  grown[n + 1] = NULL;
  return 0;
}

int zl_strv_copy(char ***ret, const char *const *v, struct zl_error *err)
{
  zl_autostrv copy = NULL;
  int r;

  for (size_t i = 0; v != NULL && v[i] != NULL; i++) {
    r = zl_strv_push(&copy, v[i], err);
    if (r < 0)
      return r;
  }
  *ret = zl_steal_ptr(&copy);
  return 0;
}

bool zl_strv_contains(char *const *v, const char *text)
{
  for (size_t i = 0; v != NULL && v[i] != NULL; i++)
    if (strcmp(v[i], text) == 0)
      return true;
  return false;
}

void zl_strv_free(char **v)
{
  for (size_t i = 0; v != NULL && v[i] != NULL; i++)
    free(v[i]);
  free(v);
}

bool zl_parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
  uint64_t value = 0;

  if (*text == '\0')
    return false;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
        __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
      return false;
  }
  if (value > max)
    return false;
  *ret = value;
  return true;
}

char *zl_asprintf(const char *fmt, ...)
{
  char *text = NULL;
  va_list ap;
  int n;

  va_start(ap, fmt);
  n = vasprintf(&text, fmt, ap);
  va_end(ap);
  return n < 0 ? NULL : text;
}
