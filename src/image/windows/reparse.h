/* SPDX-License-Identifier: Apache-2.0
 *
 * Symbolic links and junctions as NTFS has them: REPARSE_DATA_BUFFER.
 */
#ifndef ZL_IMAGE_WINDOWS_REPARSE_H
#define ZL_IMAGE_WINDOWS_REPARSE_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_WIN_MAX_REPARSE = 16 << 10 /* MAXIMUM_REPARSE_DATA_BUFFER_SIZE */
};

/* Appends the buffer of a link to `target`, which may have slashes of either kind. A relative one
 * stays relative; "C:\…", "\\server\share" and "\\?\…" become paths of the object manager. NULL,
 * or why it is refused, as a static text: what leads to devices, depends on a drive's directory,
 * or is a junction to no volume of this machine. */
const char *zl_win_reparse_put(struct zl_buf *buf, const char *target, bool mount_point);

#endif
