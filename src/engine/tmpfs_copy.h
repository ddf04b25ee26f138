/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_ENGINE_TMPFS_COPY_H
#define ZL_ENGINE_TMPFS_COPY_H

#include <stdbool.h>
#include <zlayer/error.h>

/* Copies the content of the directory `from` (may be O_PATH) into the directory `to`, which is
 * empty and nobody else's: directories, files, links and nodes with owner, mode and times; extended
 * attributes and hard links are not kept. No link is followed and no mount below is entered. `top`
 * gives `to` itself the owner and mode of `from`. */
int zl_tmpfs_copy(int from, int to, bool top, struct zl_error *err);

#endif
