/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of Windows layers: what may stand where.
 */
#ifndef ZL_IMAGE_WINDOWS_PATH_H
#define ZL_IMAGE_WINDOWS_PATH_H

#include <zlayer/error.h>

#include "image/layer/layer_path.h"

/* The part of the layer that a path belongs to. */
enum zl_win_part {
  ZL_WIN_FILES,     /* Files, and what is below */
  ZL_WIN_HIVES,     /* Hives, and what is below */
  ZL_WIN_UTILITY,   /* UtilityVM itself */
  ZL_WIN_UTILITY_FS /* UtilityVM/Files, and what is below */
};

struct zl_win_path {
  char text[ZL_LAYER_PATH]; /* relative, with "/", every name a good one */
  enum zl_win_part part;
  bool is_top;        /* Files, Hives, UtilityVM or UtilityVM/Files itself */
  const char *stream; /* of "name:stream", inside of `text` behind a NUL; NULL: none */
  bool is_whiteout;   /* `text` is what it hides */
};

/* Reads the path of a member. ZL_E_CORRUPT, ZL_E_LIMIT, naming it: what is absolute, climbs, lies
 * elsewhere, or has a name that Windows does not take as it is. */
int zl_win_path_read(const char *raw, struct zl_win_path *ret, struct zl_error *err);
/* Reads the target of a hard link of the member at `path`: no whiteout, no stream. */
int zl_win_path_read_target(const char *raw, const char *path, struct zl_win_path *ret,
                            struct zl_error *err);

/* The refusal of a member: "'PATH': WHY". Returns -ZL_E_CORRUPT. */
int zl_win_refuse(const char *path, const char *why, struct zl_error *err);

#endif
