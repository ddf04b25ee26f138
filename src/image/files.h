/* SPDX-License-Identifier: Apache-2.0
 *
 * A read-only set of named files: those of a directory, or the members of a tar archive, which are
 * found by reading its headers once and are then read in place.
 */
#ifndef ZL_IMAGE_FILES_H
#define ZL_IMAGE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/source.h"

struct zl_files; /* any number of threads may read */

/* ZL_E_NOT_FOUND, ZL_E_PERMISSION; a directory: ZL_E_INVALID when it is none; an archive:
 * ZL_E_UNSUPPORTED when it is compressed, ZL_E_CORRUPT, ZL_E_LIMIT. */
int zl_files_open_dir(const char *path, struct zl_files **ret, struct zl_error *err);
int zl_files_open_archive(const char *path, struct zl_files **ret, struct zl_error *err);
/* An archive that is open already; `fd` is copied, `name` is for messages. */
int zl_files_open_fd(int fd, const char *name, struct zl_files **ret, struct zl_error *err);
void zl_files_free(struct zl_files *files);
ZL_DEFINE_CLEANUP(struct zl_files, zl_files_free)

/* Where the bytes of a file are. */
struct zl_range {
  int fd;     /* of the archive, or of the file itself */
  bool owned; /* the latter: zl_range_done closes it */
  uint64_t offset, size;
};
void zl_range_done(struct zl_range *range);
#define zl_autorange ZL_CLEANUP(zl_range_done) struct zl_range

/* `name` is relative and may be written by an image: it never leaves the set. Links are followed
 * inside it. ZL_E_NOT_FOUND; ZL_E_CORRUPT: not a regular file. */
int zl_files_find(const struct zl_files *files, const char *name, struct zl_range *ret,
                  struct zl_error *err);
/* All of a small file, appended to *ret whose maximum bounds it. */
int zl_files_read(const struct zl_files *files, const char *name, struct zl_buf *ret,
                  struct zl_error *err);
/* Hands all bytes of a range to fn, in order. */
int zl_range_stream(const struct zl_range *range, zl_blob_fn fn, void *ctx, struct zl_error *err);

#endif
