/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended attributes of NTFS files, as FILE_FULL_EA_INFORMATION.
 */
#ifndef ZL_IMAGE_WINDOWS_EA_H
#define ZL_IMAGE_WINDOWS_EA_H

#include <stddef.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_WIN_MAX_EA = 64 << 10, /* NTFS keeps less than this of one file */
  ZL_WIN_EA_NAME = 254
};

/* Appends one, unless it is refused: why, as a static text. */
const char *zl_win_ea_add(struct zl_buf *list, const char *name, const void *value, size_t len);
/* The list is complete: marks the last one as such. */
int zl_win_ea_end(struct zl_buf *list, struct zl_error *err);

#endif
