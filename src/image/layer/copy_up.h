/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of single objects from a lower layer. Both sides are directories of ours that no container
 * can reach; names are never followed as links.
 */
#ifndef ZL_IMAGE_LAYER_COPY_UP_H
#define ZL_IMAGE_LAYER_COPY_UP_H

#include <zlayer/error.h>

/* Owner, mode, attributes and times of the directory `from` (O_PATH) onto `to` (O_RDONLY). */
int zl_copy_dir_attrs(int from, int to, struct zl_error *err);

/* Copies the file, link, device or fifo `from` (O_PATH, not followed) with all attributes to the
 * new name (dirfd, name). Shares blocks where the file system can. A directory is ZL_E_CORRUPT. */
int zl_copy_up(int from, int dirfd, const char *name, struct zl_error *err);

/* Makes (dirfd, name) a hard link to (target_dir, target). A whiteout there is replaced, the same
 * link is success, any other object stays as it is. */
int zl_link_over(int target_dir, const char *target, int dirfd, const char *name,
                 struct zl_error *err);

#endif
