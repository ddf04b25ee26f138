/* SPDX-License-Identifier: Apache-2.0
 *
 * Security descriptors as they stand on the disk: self-relative.
 */
#ifndef ZL_IMAGE_WINDOWS_DESCRIPTOR_H
#define ZL_IMAGE_WINDOWS_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>

enum {
  ZL_WIN_MAX_DESCRIPTOR = 64 << 10 /* an access list cannot be larger, and there is one that can */
};

/* Whether the bytes are one whole: revision, offsets, identifiers and lists of access entries all
 * within it. Who is meant by them is not looked at. */
bool zl_win_descriptor_is_valid(const void *data, size_t len);

#endif
