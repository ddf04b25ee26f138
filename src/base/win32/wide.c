/* SPDX-License-Identifier: Apache-2.0 */
#include "base/win32/wide.h"

#include <stdbool.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/win32/handle.h"

enum {
  MAX_TEXT = 1 << 24
};

wchar_t *zl_wide_of(const char *text)
{
  size_t len = strlen(text) + 1;
  wchar_t *wide;
  int n;

  if (len > MAX_TEXT) {
    errno = ENAMETOOLONG;
    return NULL;
  }
  wide = calloc(len, sizeof(*wide)); /* never more units than bytes */
  if (wide == NULL)
    return NULL;
  n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)len, wide, (int)len);
  if (n > 0)
    return wide;
  free(wide);
  errno = EILSEQ;
  return NULL;
}

/* No lone surrogate: the conversion would put another character in its place. */
static bool is_text(const wchar_t *text, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    if (text[i] >= 0xDC00 && text[i] <= 0xDFFF)
      return false;
    if (text[i] < 0xD800 || text[i] > 0xDBFF)
      continue;
    if (i + 1 == len || text[i + 1] < 0xDC00 || text[i + 1] > 0xDFFF)
      return false;
    i++;
  }
  return true;
}

char *zl_wide_to_utf8(const wchar_t *text, size_t len)
{
  char *utf8;
  int n = 0;

  if (len > MAX_TEXT || !is_text(text, len)) {
    errno = EILSEQ;
    return NULL;
  }
  utf8 = calloc(len * 3 + 1, 1);
  if (utf8 == NULL)
    return NULL;
  if (len > 0)
    n = WideCharToMultiByte(CP_UTF8, 0, text, (int)len, utf8, (int)(len * 3), NULL, NULL);
  if (len == 0 || n > 0)
    return utf8;
  free(utf8);
  errno = EILSEQ;
  return NULL;
}

/* GetFullPathNameW: absolute, without "." and "..". */
static wchar_t *full_path(const wchar_t *path)
{
  DWORD size = GetFullPathNameW(path, 0, NULL, NULL);
  wchar_t *full;
  DWORD n;

  if (size == 0) {
    errno = zl_errno_of_last();
    return NULL;
  }
  full = calloc(size, sizeof(*full));
  if (full == NULL)
    return NULL;
  n = GetFullPathNameW(path, size, full, NULL);
  if (n > 0 && n < size)
    return full;
  free(full);
  errno = ENOENT; /* the working directory has just changed */
  return NULL;
}

static wchar_t *joined(const wchar_t *prefix, const wchar_t *rest)
{
  size_t size = wcslen(prefix) + wcslen(rest) + 1;
  wchar_t *text = calloc(size, sizeof(*text));

  if (text == NULL)
    return NULL;
  wcscpy(text, prefix);
  wcscat(text, rest);
  return text;
}

wchar_t *zl_wide_nt_path(const char *path)
{
  zl_autofree wchar_t *wide = zl_wide_of(strcmp(path, "/dev/null") == 0 ? "NUL" : path);
  zl_autofree wchar_t *full = NULL;

  if (wide == NULL)
    return NULL;
  if (*wide == L'\0') {
    errno = ENOENT;
    return NULL;
  }
  if (wcsncmp(wide, L"\\\\?\\", 4) == 0)
    return joined(L"\\??\\", wide + 4);
  full = full_path(wide);
  if (full == NULL)
    return NULL;
  if (wcsncmp(full, L"\\\\.\\", 4) == 0 || wcsncmp(full, L"\\\\?\\", 4) == 0)
    return joined(L"\\??\\", full + 4);
  if (full[0] == L'\\' && full[1] == L'\\')
    return joined(L"\\??\\UNC\\", full + 2);
  return joined(L"\\??\\", full);
}
