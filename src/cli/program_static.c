/* SPDX-License-Identifier: Apache-2.0
 *
 * A static program has no dynamic linker: these stand in for the C library's, which would only work
 * beside exactly the same C library.
 */
#include "cli/program.h"

#include <dlfcn.h>
#include <stddef.h>

const bool zl_program_is_complete = false;

void *dlopen(const char *file, int mode)
{
  (void)file;
  (void)mode;
  return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
  (void)handle;
  (void)name;
  return NULL;
}

int dlclose(void *handle)
{
  (void)handle;
  return -1;
}

char *dlerror(void)
{
  static char text[] = "this program is static; zlayer-complete is not beside it";

  return text;
}
