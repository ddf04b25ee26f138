/* SPDX-License-Identifier: Apache-2.0
 *
 * A static program has no dynamic linker: these stand in for the C library's, which would only work
 * beside exactly the same C library. Only for programs, never for a library.
 */
#include <dlfcn.h>
#include <stddef.h>

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
  static char text[] = "this program is static";

  return text;
}
