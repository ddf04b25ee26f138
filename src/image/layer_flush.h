/* SPDX-License-Identifier: Apache-2.0
 *
 * Published layers reach the disk: by the program that pulled them, or by zlayer-unpack, which goes
 * on when that has ended (src/unpack/flush.c).
 */
#ifndef ZL_IMAGE_LAYER_FLUSH_H
#define ZL_IMAGE_LAYER_FLUSH_H

#include <stdatomic.h>
#include <zlayer/error.h>

/* Flushes the file system of `layers_fd` (O_RDONLY) if layers of this boot are pending, and marks
 * those. Blocks as long as the disk needs. Any number at once, beside pulls and removals. After a
 * failure of the disk they are void. */
int zl_layers_flush(int layers_fd, struct zl_error *err);

/* The helper of one pull, if it has any: flushes every few seconds, and a last time when the pull
 * has ended, however that was. */
struct zl_flusher {
  atomic_flag wanted;
  int fd; /* the helper waits for its end; -1: there is none */
};
#define ZL_FLUSHER_INIT                  \
  {                                      \
    .wanted = ATOMIC_FLAG_INIT, .fd = -1 \
  }

/* Something was published, or found pending. Starts the helper if it does not run. Any thread's. */
void zl_flusher_want(struct zl_flusher *flusher, const char *helper, int layers_fd);
/* Nobody wants anything any more. Does not block, unless the helper could not be started: then this
 * flushes, and a failure leaves the layers as zl_layers_flush does. */
void zl_flusher_end(struct zl_flusher *flusher, int layers_fd);

#endif
