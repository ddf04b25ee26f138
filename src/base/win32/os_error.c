/* SPDX-License-Identifier: Apache-2.0
 *
 * An errno is small and positive; HRESULT and NTSTATUS of failures are negative, and a Win32 error
 * comes as an HRESULT. The C library here knows no texts for the newer errnos.
 */
#include "base/os_error.h"

#include <windows.h>

#include "base/cleanup.h"
#include "base/win32/wide.h"

static const struct {
  int os_error;
  const char *text;
} texts[] = {
  { EWOULDBLOCK, "Resource temporarily unavailable" },
  { ELOOP, "A link, junction or mount point is in the way" },
  { ENOTSUP, "Not supported" },
  { EOPNOTSUPP, "Not supported" },
  { EOVERFLOW, "Value too large" },
  { ETIMEDOUT, "Timed out" },
  { ECONNREFUSED, "Connection refused" },
  { ECONNRESET, "Connection reset" },
  { ECANCELED, "Cancelled" },
  { EPROTO, "Protocol error" },
  { EDQUOT, "Disk quota exceeded" },
  { ESTALE, "Stale file handle" },
  { EUCLEAN, "The file system is damaged" },
  { EBUSY, "In use by another process" },
};

/* Without the line's end and full stop. */
static void trim(char *text)
{
  size_t len = strlen(text);

  while (len > 0 && strchr(" .\r\n", text[len - 1]) != NULL)
    text[--len] = '\0';
}

static const char *system_text(DWORD code, char *text, size_t size)
{
  wchar_t wide[256];
  const DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  DWORD n = FormatMessageW(flags, NULL, code, 0, wide, ZL_COUNT(wide), NULL);
  zl_autofree char *utf8 = n > 0 ? zl_wide_to_utf8(wide, n) : NULL;

  if (utf8 != NULL)
    trim(utf8);
  if (utf8 != NULL && *utf8 != '\0')
    (void)snprintf(text, size, "%s (0x%08lx)", utf8, code);
  else
    (void)snprintf(text, size, "error 0x%08lx", code);
  return text;
}

const char *zl_os_error_text(int os_error, char *text, size_t size)
{
  if (os_error < 0)
    return system_text((DWORD)os_error, text, size);
  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    if (texts[i].os_error != os_error)
      continue;
    (void)snprintf(text, size, "%s", texts[i].text);
    return text;
  }
  (void)snprintf(text, size, "%s", strerror(os_error));
  return text;
}
