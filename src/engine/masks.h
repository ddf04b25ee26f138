/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths below /proc and /sys that a container must not see or change.
 */
#ifndef ZL_ENGINE_MASKS_H
#define ZL_ENGINE_MASKS_H

#include <zlayer/error.h>

#include "engine/view.h"

/* Hides each path of the view; one of /proc or /sys in what is mounted there. A file behind the
 * container's /dev/null, which must really be the null device (CVE-2025-31133), a directory behind
 * an empty read-only tmpfs. Paths that do not exist are skipped; a symbolic link is ZL_E_INVALID.
 * `paths` ends with NULL. */
int zl_masks_hide(const struct zl_view *view, char *const *paths, struct zl_error *err);

/* Makes each path and the mounts below it read-only. As above. */
int zl_masks_protect(const struct zl_view *view, char *const *paths, struct zl_error *err);

#endif
