/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_EROFS_CHECK_H
#define ZL_IMAGE_EROFS_CHECK_H

#include <zlayer/error.h>

/* Whether the superblock of the image in `fd` is one that our writer makes: none of the features
 * that make a kernel's reader large (compression, other devices, shared fragments), a right
 * checksum and the right length. For images that come out of the sandbox, before a kernel sees
 * them. ZL_E_CORRUPT otherwise. */
int zl_erofs_check(int fd, struct zl_error *err);

#endif
