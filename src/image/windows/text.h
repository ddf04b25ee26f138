/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of NTFS: UTF-8 here, UTF-16 on the disk, and without case.
 */
#ifndef ZL_IMAGE_WINDOWS_TEXT_H
#define ZL_IMAGE_WINDOWS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_WIN_NAME_UNITS = 255 /* UTF-16 code units of a name on NTFS */
};

/* The next character of *text, and moves behind it; 0 at the end, UINT32_MAX: no UTF-8 (overlong
 * forms and surrogates are none either). */
uint32_t zl_win_text_next(const char **text);
/* The same letter for both cases, for the scripts in which Windows has names of its own and most
 * others have theirs: Latin, Greek, Cyrillic, Armenian. What is missing here the file system still
 * knows: making the second of two such names fails there. */
uint32_t zl_win_text_fold(uint32_t character);
/* Whether the first len_a and len_b bytes of two valid texts name the same. */
bool zl_win_text_equal(const char *a, size_t len_a, const char *b, size_t len_b);
/* Appends the text as UTF-16, little-endian, without a NUL. ZL_E_CORRUPT: no UTF-8. */
int zl_win_text_put(struct zl_buf *buf, const char *text, struct zl_error *err);

/* Why `len` bytes at `name` are no name that a file of a layer may have, as a static text, or NULL.
 * Beside what NTFS refuses, what programs would take for something else: devices, and names whose
 * end Windows cuts off. */
const char *zl_win_name_fault(const char *name, size_t len);

#endif
