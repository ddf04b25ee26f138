/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a file system out while it is being filled, so that the flush at the end, which a layer in
 * a directory is published after, finds little left: it would keep one processor busy for a third
 * of the whole pull, with the others idle.
 */
#ifndef ZL_IMAGE_WRITE_BEHIND_H
#define ZL_IMAGE_WRITE_BEHIND_H

#include "base/cleanup.h"

struct zl_write_behind;

/* Starts a thread, with the caller's signal mask, that flushes the file system of `fd`, which must
 * stay open until the free. NULL: no thread could be had; all functions take that, and the flush at
 * the end does all the work. */
struct zl_write_behind *zl_write_behind_new(int fd);
/* Something was written: without this since its last flush the thread sleeps on. Any thread's. */
void zl_write_behind_wrote(struct zl_write_behind *behind);
/* Ends the thread, which may have to finish a flush. Accepts NULL. */
void zl_write_behind_free(struct zl_write_behind *behind);
ZL_DEFINE_CLEANUP(struct zl_write_behind, zl_write_behind_free)

#endif
