/* SPDX-License-Identifier: Apache-2.0
 *
 * The image configuration: what the author set, and the diff ids that prove the layers' content.
 */
#ifndef ZL_IMAGE_CONFIG_H
#define ZL_IMAGE_CONFIG_H

#include <stddef.h>
#include <zlayer/error.h>

#include "image/image.h"

/* Fills os, arch, variant, os_version and config of *ret (to be released with zl_image_done) and
 * *ret_diff_ids, a string vector, base first. `what` names the document in messages.
 * ZL_E_CORRUPT: malformed, or without an os, an architecture or valid diff ids. */
int zl_image_config_parse(const char *text, size_t len, const char *what, struct zl_image *ret,
                          char ***ret_diff_ids, struct zl_error *err);

#endif
