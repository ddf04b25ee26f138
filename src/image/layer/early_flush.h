/* SPDX-License-Identifier: Apache-2.0
 *
 * Begins to flush a directory's file system while the directory is still being filled, in a thread
 * of its own. Whoever publishes the directory flushes it anyway; by then little is left.
 */
#ifndef ZL_IMAGE_LAYER_EARLY_FLUSH_H
#define ZL_IMAGE_LAYER_EARLY_FLUSH_H

#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_early_flush;

/* Starts the thread. `fd` is borrowed: anything in the file system. */
int zl_early_flush_new(int fd, struct zl_early_flush **ret, struct zl_error *err);

/* So many bytes more are to be flushed. Does not block. */
void zl_early_flush_add(struct zl_early_flush *flush, uint64_t bytes);

/* Ends the thread. Accepts NULL. */
void zl_early_flush_free(struct zl_early_flush *flush);
ZL_DEFINE_CLEANUP(struct zl_early_flush, zl_early_flush_free)

#endif
