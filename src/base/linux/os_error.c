/* SPDX-License-Identifier: Apache-2.0 */
#include "base/os_error.h"

#include <stdio.h>
#include <string.h>

const char *zl_os_error_text(int os_error, char *text, size_t size)
{
  (void)snprintf(text, size, "%s", strerror(os_error));
  return text;
}
