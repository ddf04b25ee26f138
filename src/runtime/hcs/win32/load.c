/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of functions as this host has them.
 */
#include <pthread.h>
#include <string.h>
#include <windows.h>

#include "runtime/hcs/api.h"
#include "runtime/hcs/win32/doubles.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct zl_hcs_api table;
static struct zl_error failure;
static int result;

static void *find(void *ctx, const char *library, const char *name)
{
  FARPROC proc = zl_hcs_double(name);
  HMODULE module = NULL;
  void *found;

  (void)ctx;
  if (proc == NULL)
    module = LoadLibraryExA(library, NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (module != NULL)
    proc = GetProcAddress(module, name);
  memcpy(&found, &proc, sizeof(found));
  return found;
}

/* Libraries stay loaded: the table is used until the process ends. */
static void load(void)
{
  const struct zl_hcs_resolver resolver = { .find = find };

  result = zl_hcs_api_resolve(&resolver, &table, &failure);
}

int zl_hcs_api_load(const struct zl_hcs_api **ret, struct zl_error *err)
{
  (void)pthread_once(&once, load);
  if (result < 0) {
    if (err != NULL)
      *err = failure;
    return result;
  }
  *ret = &table;
  return 0;
}
