/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of other C libraries that the one here lacks.
 */
#include <windows.h>

#include "base/cleanup.h"
#include "base/rand.h"
#include "base/win32/handle.h"
#include "base/win32/wide.h"

char *strndup(const char *text, size_t len)
{
  size_t n = strnlen(text, len);
  char *copy = malloc(n + 1);

  if (copy == NULL)
    return NULL;
  memcpy(copy, text, n);
  copy[n] = '\0';
  return copy;
}

char *strsep(char **text, const char *separators)
{
  char *start = *text, *end;

  if (start == NULL)
    return NULL;
  end = start + strcspn(start, separators);
  *text = *end != '\0' ? end + 1 : NULL;
  *end = '\0';
  return start;
}

char *strcasestr(const char *text, const char *part)
{
  const size_t len = strlen(part);

  for (; strlen(text) >= len; text++)
    if (_strnicmp(text, part, len) == 0)
      return (char *)(uintptr_t)text;
  return NULL;
}

void *memrchr(const void *data, int c, size_t len)
{
  const unsigned char *p = data;

  while (len-- > 0)
    if (p[len] == (unsigned char)c)
      return (void *)(uintptr_t)(p + len);
  return NULL;
}

void *reallocarray(void *p, size_t n, size_t size)
{
  size_t bytes;

  if (__builtin_mul_overflow(n, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  return realloc(p, bytes);
}

void explicit_bzero(void *data, size_t len)
{
  SecureZeroMemory(data, len);
}

int setenv(const char *name, const char *value, int overwrite)
{
  if (!overwrite && getenv(name) != NULL)
    return 0;
  return _putenv_s(name, value) == 0 ? 0 : -1;
}

int unsetenv(const char *name)
{
  return _putenv_s(name, "") == 0 ? 0 : -1;
}

char *mkdtemp(char *path)
{
  const size_t len = strlen(path);
  char hex[7];

  if (len < 6 || strcmp(path + len - 6, "XXXXXX") != 0) {
    errno = EINVAL;
    return NULL;
  }
  for (int i = 0; i < 100; i++) {
    if (zl_rand_hex(hex, sizeof(hex), NULL) < 0)
      return NULL;
    memcpy(path + len - 6, hex, 6);
    if (mkdir(path, 0700) == 0)
      return path;
    if (errno != EEXIST)
      return NULL;
  }
  return NULL;
}

char *zl_posix_getcwd(char *text, size_t size)
{
  zl_autofree wchar_t *wide = NULL;
  char *utf8;
  DWORD n = GetCurrentDirectoryW(0, NULL);

  if (text != NULL || size != 0) {
    errno = EINVAL;
    return NULL;
  }
  wide = calloc((size_t)n + 1, sizeof(*wide));
  if (wide == NULL)
    return NULL;
  n = GetCurrentDirectoryW(n + 1, wide);
  utf8 = zl_wide_to_utf8(wide, n);
  for (char *p = utf8; p != NULL && *p != '\0'; p++)
    if (*p == '\\')
      *p = '/';
  return utf8;
}
