/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a file system as its parameters.
 */
#ifndef ZL_ENGINE_MOUNT_OPTIONS_H
#define ZL_ENGINE_MOUNT_OPTIONS_H

#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "engine/mount_fd.h"

struct zl_fs_params {
  struct zl_fs_param *items;
  size_t n;
  char *text; /* what the items point into */
};

/* There is room for one more. Splits "key=value" and "flag" entries (ended by NULL). Released with
 * zl_fs_params_done. */
int zl_fs_params_split(char *const *options, struct zl_fs_params *ret, struct zl_error *err);
void zl_fs_params_done(struct zl_fs_params *params);
#define zl_autofsparams ZL_CLEANUP(zl_fs_params_done) struct zl_fs_params

#endif
