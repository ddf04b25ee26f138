/* SPDX-License-Identifier: Apache-2.0
 *
 * The types that functions of Windows take and give, with the layout of 64-bit Windows on every
 * platform. So the code that calls such functions through tables of pointers compiles everywhere,
 * and its tests on Linux hand in tables of their own. Only the files that fill the tables with the
 * real functions include Windows' headers.
 */
#ifndef ZL_BASE_WINABI_H
#define ZL_BASE_WINABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

_Static_assert(sizeof(void *) == 8, "64-bit Windows has one calling convention");

typedef uint16_t zl_wchar;   /* WCHAR */
typedef uint32_t zl_hr;      /* HRESULT; the sign bit is failure */
typedef void *zl_handle;     /* HANDLE */
typedef uintptr_t zl_socket; /* SOCKET */

#define ZL_HANDLE_INVALID ((zl_handle)(intptr_t)-1)
#define ZL_SOCKET_INVALID ((zl_socket)-1)

struct zl_guid { /* GUID */
  uint32_t data1;
  uint16_t data2, data3;
  uint8_t data4[8];
};
_Static_assert(sizeof(struct zl_guid) == 16, "GUID");

enum {
  ZL_GUID_CHARS = 37 /* "40000001-facb-11e6-bd58-64006a7986d3" and its NUL */
};

/* Lower case, without braces. Returns `text`. */
const char *zl_guid_format(const struct zl_guid *guid, char text[ZL_GUID_CHARS]);
/* 36 characters of either case, or 38 with braces; false leaves *ret as it was. */
bool zl_guid_parse(const char *text, struct zl_guid *ret);
/* A random one (version 4). */
int zl_guid_random(struct zl_guid *ret, struct zl_error *err);
/* One that always is the same for the same texts (version 8, of their SHA-256): what we make under
 * such a name on the host is found again without a list of it. `texts` ends with NULL. */
void zl_guid_of(const char *const *texts, struct zl_guid *ret);

/* The text in UTF-16 with its NUL, which the caller frees. ZL_E_INVALID: no UTF-8. */
int zl_wide_new(const char *text, zl_wchar **ret, struct zl_error *err);
/* The same back; a lone surrogate becomes U+FFFD. NULL gives "". At most `max` units are read:
 * ZL_E_LIMIT beyond. */
int zl_wide_text(const zl_wchar *wide, size_t max, char **ret, struct zl_error *err);
size_t zl_wide_len(const zl_wchar *wide);

#endif
