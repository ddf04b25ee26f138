/* SPDX-License-Identifier: Apache-2.0
 *
 * ROOT/partial: what has come of layer blobs that are not layers yet, so that a pull that was
 * killed is continued and not repeated. One file per blob, named after its digest and locked by the
 * pull that fills it: a head that says which bytes are there, then the bytes at their places.
 *
 * Nothing here is trusted: whoever reads a file compares the digest of all of it at the end. After
 * a power cut the head may be ahead of the bytes; places that are holes then count as missing.
 */
#ifndef ZL_IMAGE_PARTIAL_H
#define ZL_IMAGE_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "image/partial_map.h"

enum {
  ZL_PARTIAL_NAME = 6 + 1 + 128 + 1
};

struct zl_partial {
  int dir_fd; /* borrowed */
  int fd;     /* with the lock; -1: none */
  char name[ZL_PARTIAL_NAME];
  uint64_t data_offset;      /* of the blob's first byte in the file */
  struct zl_partial_map map; /* of what is there */
};
#define ZL_PARTIAL_INIT \
  {                     \
    .fd = -1            \
  }

/* Opens ROOT/partial or returns -errno; -ENOENT only when it is not to be made. */
int zl_partial_open_dir(int root_fd, bool make);

/* Opens or makes the file of a blob and takes its lock, waiting for another pull that fills it.
 * A file that does not fit the blob is begun anew. ZL_E_CANCELLED when cancel_fd becomes readable.
 * Other failures mean that the blob cannot be kept, not that it cannot be fetched; with os_error
 * ENOSPC when the disk would not have ZL_LAYER_RESERVE bytes left. */
int zl_partial_open(int dir_fd, const char *digest, uint64_t size, int cancel_fd,
                    struct zl_partial *ret, struct zl_error *err);
/* Puts bytes in their place: 0 or -errno. The map is the caller's to change. */
int zl_partial_write(const struct zl_partial *partial, uint64_t offset, const void *data,
                     size_t len);
/* Writes down that piece `i` has `have` bytes, once they are there: 0 or -errno. */
int zl_partial_record(const struct zl_partial *partial, size_t i, uint32_t have);
/* Up to `len` bytes that are there: the count or -errno. */
ssize_t zl_partial_read(const struct zl_partial *partial, uint64_t offset, void *data, size_t len);
/* Lets go; the file stays. Idempotent. */
void zl_partial_close(struct zl_partial *partial);
/* Removes the file and lets go. */
void zl_partial_remove(struct zl_partial *partial);

/* Removes the file of a blob unless somebody fills it. */
void zl_partial_discard(int dir_fd, const char *digest);

struct zl_partial_swept {
  size_t files;
  uint64_t bytes; /* on disk */
};
/* Removes files that nobody fills: all of them, or those that are older than ZL_MAX_PARTIAL_AGE_S
 * and, oldest first, what exceeds ZL_MAX_PARTIAL_BYTES together. `dry_run` only counts. */
int zl_partial_sweep(int dir_fd, bool all, bool dry_run, struct zl_partial_swept *ret,
                     struct zl_error *err);

#endif
