/* SPDX-License-Identifier: Apache-2.0
 *
 * Platforms of images, and what this node runs.
 */
#ifndef ZL_IMAGE_PLATFORM_H
#define ZL_IMAGE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

enum {
  ZL_PLATFORM_PART = 64, /* "linux", "amd64", "v8", "10.0.20348.2966" */
  ZL_PLATFORM_TEXT = 4 * ZL_PLATFORM_PART
};

struct zl_image_platform { /* empty text: not given */
  char os[ZL_PLATFORM_PART];
  char arch[ZL_PLATFORM_PART];
  char variant[ZL_PLATFORM_PART];
  char os_version[ZL_PLATFORM_PART];
};

/* This node: os and arch by Go's names, and the highest variant its processor runs ("v3"). */
void zl_platform_of_node(struct zl_image_platform *ret);
/* The same for a machine by its kernel's name ("x86_64"), with the variant of this processor. */
void zl_platform_of_machine(const char *os, const char *machine, struct zl_image_platform *ret);

/* How well `image` suits `node`: 0 not at all, else higher is better. An image without a variant
 * is for the lowest one. */
unsigned zl_platform_rank(const struct zl_image_platform *image,
                          const struct zl_image_platform *node);

/* "windows/amd64 10.0.20348.2966", "linux/arm64/v8". Returns `text`. */
const char *zl_platform_format(const struct zl_image_platform *platform,
                               char text[ZL_PLATFORM_TEXT]);

#endif
