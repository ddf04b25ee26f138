/* SPDX-License-Identifier: Apache-2.0
 *
 * Published layers reach the disk: by the program that pulled them, or by zlayer-unpack, which goes
 * on when that has ended (src/unpack/flush.c).
 */
#ifndef ZL_IMAGE_LAYER_FLUSH_H
#define ZL_IMAGE_LAYER_FLUSH_H

#include <stdatomic.h>
#include <zlayer/error.h>

/* A description of its own of the directory of layers, opened before anything is made that it is to
 * flush: the kernel tells each description once that writing has failed. Or -errno. */
int zl_layers_open_for_flush(int layers_fd);
/* Flushes the file system of such a descriptor if layers of this boot are pending, and marks those.
 * Blocks as long as the disk needs. Any number at once, beside pulls and removals. When the disk
 * has failed they are void; after any other failure they stay pending. */
int zl_layers_flush(int flush_fd, struct zl_error *err);

/* The helper of one pull, if it has any: flushes every few seconds, and a last time when the pull
 * has ended, however that was. */
struct zl_flusher {
  atomic_flag wanted;
  int fd; /* the helper is told by it, and waits for its end; -1: there is none */
};
#define ZL_FLUSHER_INIT                  \
  {                                      \
    .wanted = ATOMIC_FLAG_INIT, .fd = -1 \
  }

/* Something was published, or found pending. Starts the helper if it does not run. Any thread's. */
void zl_flusher_want(struct zl_flusher *flusher, const char *helper, int flush_fd);
/* Nobody wants anything any more. Does not block, unless there is no helper or it died: then this
 * flushes, and a failure, which is logged, leaves the layers as zl_layers_flush does. */
void zl_flusher_end(struct zl_flusher *flusher, int flush_fd);
/* A layer was met that is pending. If no helper is there any more to flush it, starts one that ends
 * by itself. */
void zl_flusher_rescue(const char *helper, int layers_fd);

#endif
