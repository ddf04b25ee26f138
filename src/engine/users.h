/* SPDX-License-Identifier: Apache-2.0
 *
 * Users and groups of an image, read from its own /etc/passwd and /etc/group: files that the image
 * controls, so reading is confined to the root, bounded, and cannot hang on a FIFO or device.
 */
#ifndef ZL_ENGINE_USERS_H
#define ZL_ENGINE_USERS_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_user {
  uint32_t uid, gid;
  uint32_t *gids; /* supplementary groups, ascending, without doubles; malloc'd */
  size_t n_gids;
  char *home; /* absolute path, never NULL after success; malloc'd */
};

/* Resolves "user[:group]", each a name or a decimal id, below `root_fd`.
 *
 * Digits are always an id, even when the file has a name made of digits (a user "0815" must not be
 * able to be root). An id needs no line, but takes the primary group (otherwise 0), home and groups
 * from one if there is. Without ":group" the supplementary groups are those that list the user;
 * with it there are none. `extra_groups` (NULL-terminated names or ids, may be NULL) are added in
 * both cases. "" and NULL mean "0".
 *
 * Anything odd (signs, blanks, leading zeros, overflow, an empty half, 4294967295) is ZL_E_INVALID;
 * a name without a line is ZL_E_NOT_FOUND; more than ZL_MAX_GROUPS groups or a file above
 * ZL_MAX_PASSWD is ZL_E_LIMIT. A missing file is an empty one. *ret is released with zl_user_done.
 */
int zl_user_resolve(int root_fd, const char *spec, const char *const *extra_groups,
                    struct zl_user *ret, struct zl_error *err);

/* The home directory of `uid` below root_fd, "/" when no line says one. The caller frees it. */
int zl_user_home(int root_fd, uint32_t uid, char **ret, struct zl_error *err);

void zl_user_done(struct zl_user *user);
#define zl_autouser ZL_CLEANUP(zl_user_done) struct zl_user

#endif
