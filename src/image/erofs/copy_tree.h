/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_EROFS_COPY_TREE_H
#define ZL_IMAGE_EROFS_COPY_TREE_H

#include <stdint.h>
#include <zlayer/error.h>

/* Writes the tree at dir_fd (open for reading) as an EROFS image to out_fd, an empty regular file:
 * types, modes, owners, times, attributes, hard links, devices, content; blocks of zeros become
 * holes. Other mounts in it are left out, links are not followed. Nobody may change the tree
 * meanwhile. Blocks as long as copying takes; does not flush. ZL_E_LIMIT: too deep, or a limit of
 * the writer. */
int zl_erofs_copy_tree(int dir_fd, int out_fd, uint64_t reserve_bytes, struct zl_error *err);

#endif
