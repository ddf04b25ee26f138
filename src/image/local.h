/* SPDX-License-Identifier: Apache-2.0
 *
 * Images in local files: image layouts (oci:, oci-archive:) and what `docker save` writes
 * (docker-archive:).
 */
#ifndef ZL_IMAGE_LOCAL_H
#define ZL_IMAGE_LOCAL_H

#include <zlayer/error.h>

#include "image/source.h"
#include "spec/imageref.h"

/* `ref` is borrowed until the source is freed. Errors of opening and of root: ZL_E_NOT_FOUND: no
 * such file, or no such tag in it; ZL_E_INVALID: the tag is needed or ambiguous; ZL_E_CORRUPT;
 * ZL_E_UNSUPPORTED: a compressed archive. */
int zl_layout_open(const struct zl_image_ref *ref, struct zl_source **ret, struct zl_error *err);
int zl_docker_archive_open(const struct zl_image_ref *ref, struct zl_source **ret,
                           struct zl_error *err);

#endif
