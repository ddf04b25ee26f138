/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of large chunks between the decoding thread and the writing thread. Chunks are
 * filled and read in place.
 */
#ifndef ZL_UNPACK_RING_H
#define ZL_UNPACK_RING_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_RING_CHUNK = 256 << 10, /* large enough that hand-over costs nothing, small enough for L2 */
  ZL_RING_CHUNKS = 8
};

struct zl_ring;

int zl_ring_new(struct zl_ring **ret, struct zl_error *err);
void zl_ring_free(struct zl_ring *ring);

/* Producer: the chunk to fill (ZL_RING_CHUNK bytes); blocks while all are taken. */
uint8_t *zl_ring_reserve(struct zl_ring *ring);
/* Producer: hands the reserved chunk over with `len` bytes in it. */
void zl_ring_commit(struct zl_ring *ring, size_t len);
/* Producer: nothing follows; `error` non-NULL: because of that, and what is queued is worthless. */
void zl_ring_close(struct zl_ring *ring, const struct zl_error *error);

/* Consumer: 1 and the next chunk, valid until the next call; 0 at the end; or the producer's
 * error. Blocks. */
int zl_ring_next(struct zl_ring *ring, const uint8_t **ret_bytes, size_t *ret_len,
                 struct zl_error *err);

#endif
