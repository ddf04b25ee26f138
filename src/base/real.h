/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a path of the user's really leads. Not for paths that images or containers control.
 */
#ifndef ZL_BASE_REAL_H
#define ZL_BASE_REAL_H

/* The absolute path of what is there, with every link resolved; on Windows with its drive and
 * backslashes. The caller frees it. NULL with errno. */
char *zl_path_real(const char *path);

#endif
