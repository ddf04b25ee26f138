/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start.h"

#include <windows.h>

#include <shellapi.h>

#include "base/cleanup.h"
#include "base/win32/wide.h"

/* The C runtime has turned the arguments into the code page of the system, which loses text. */
char **zl_cli_begin(int argc, char **argv)
{
  int n = 0;
  wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
  char **texts = calloc((size_t)n + 1, sizeof(*texts));

  (void)argv;
  if (wide == NULL || texts == NULL || n != argc) {
    free(texts);
    (void)LocalFree((HLOCAL)wide);
    return NULL;
  }
  for (int i = 0; i < n; i++) {
    texts[i] = zl_wide_to_utf8(wide[i], wcslen(wide[i]));
    if (texts[i] == NULL)
      return NULL; /* the program ends */
  }
  (void)LocalFree((HLOCAL)wide);
  (void)SetConsoleOutputCP(CP_UTF8);
  return texts;
}
