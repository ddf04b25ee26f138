/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes an EROFS image in one pass: content goes to the file as it comes, in whole blocks, and
 * inodes of everything but directories beside it; directories and the superblock follow when the
 * image is sealed. What is kept in memory is the tree of names (tree.h) and some buffers. The same
 * calls make the same bytes.
 *
 * A path never reaches this code: names are text in the image, and the one file it touches is the
 * descriptor that it was given.
 */
#ifndef ZL_IMAGE_EROFS_WRITER_H
#define ZL_IMAGE_EROFS_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/erofs/tree.h"

struct zl_erofs; /* one image being written */

struct zl_erofs_options {
  int fd;                 /* an empty regular file, writable; borrowed */
  uint64_t reserve_bytes; /* disk space to leave free */
};

struct zl_erofs_attrs {
  uint32_t mode; /* with the type: S_IFREG, S_IFLNK, ... */
  uint32_t uid, gid;
  int64_t mtime_s;
  uint32_t mtime_ns;
  const char *xattrs; /* packed (xattr.h) */
  size_t xattrs_len;
};

int zl_erofs_new(const struct zl_erofs_options *options, struct zl_erofs **ret,
                 struct zl_error *err);
/* The file keeps what was written so far; without the seal it is no file system. */
void zl_erofs_free(struct zl_erofs *image);
ZL_DEFINE_CLEANUP(struct zl_erofs, zl_erofs_free)

/* The names of the image, for the caller to fill. */
struct zl_erofs_tree *zl_erofs_get_tree(struct zl_erofs *image);

/* A regular file of `size` bytes: then its content by any number of zl_erofs_file_data with rising
 * offsets, up to the next file. What is left out reads as zeros and takes no space where the file
 * system below knows holes. ZL_E_LIMIT: size, or attributes. */
int zl_erofs_file(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, uint64_t size,
                  uint64_t *ret_nid, struct zl_error *err);
int zl_erofs_file_data(struct zl_erofs *image, uint64_t offset, const void *bytes, size_t len,
                       struct zl_error *err);
/* A symbolic link to `target`, 1..4095 bytes. */
int zl_erofs_symlink(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, const char *target,
                     uint64_t *ret_nid, struct zl_error *err);
/* A device, a fifo or a socket. The numbers are below 4096 and 1048576. */
int zl_erofs_special(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, uint32_t major,
                     uint32_t minor, uint64_t *ret_nid, struct zl_error *err);

/* Writes the directories of the tree and the superblock, and sets the length of the file. The image
 * is complete then, but not flushed to disk. Only zl_erofs_free may follow. */
int zl_erofs_seal(struct zl_erofs *image, struct zl_error *err);

#endif
