/* SPDX-License-Identifier: Apache-2.0
 *
 * Images in local files: image layouts (oci:, oci-archive:) and what `docker save` writes
 * (docker-archive:).
 */
#ifndef ZL_IMAGE_LOCAL_H
#define ZL_IMAGE_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "image/source.h"
#include "spec/imageref.h"

/* `ref` is borrowed until the source is freed. Errors of opening and of root: ZL_E_NOT_FOUND: no
 * such file, or no such tag in it; ZL_E_INVALID: the tag is needed or ambiguous; ZL_E_CORRUPT;
 * ZL_E_UNSUPPORTED: a compressed archive. */
int zl_layout_open(const struct zl_image_ref *ref, struct zl_source **ret, struct zl_error *err);
int zl_docker_archive_open(const struct zl_image_ref *ref, struct zl_source **ret,
                           struct zl_error *err);

/* The same of an archive at `fd`, which is copied, for the image that stands at `position` in its
 * list; for messages it is "the archive". */
int zl_layout_open_at(int fd, size_t position, struct zl_source **ret, struct zl_error *err);
int zl_docker_archive_open_at(int fd, size_t position, struct zl_source **ret,
                              struct zl_error *err);

/* What an archive holds, in the order of its list: per image its names, as written, NULL-terminated
 * (NULL: none). */
struct zl_local_list {
  bool docker; /* has no image layout, is read as docker's */
  char ***names;
  size_t n;
};
/* ZL_E_UNSUPPORTED: neither kind of archive. ZL_E_CORRUPT, ZL_E_LIMIT. */
int zl_local_list(int fd, struct zl_local_list *ret, struct zl_error *err);
void zl_local_list_done(struct zl_local_list *list);

#endif
