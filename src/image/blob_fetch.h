/* SPDX-License-Identifier: Apache-2.0
 *
 * A blob on its way into its partial file, by one connection or several. Threads of its own fill
 * the file, while the caller reads, in order, what is there. More connections are opened only while
 * the caller waits for the network and the server sends parts.
 */
#ifndef ZL_IMAGE_BLOB_FETCH_H
#define ZL_IMAGE_BLOB_FETCH_H

#include <stdatomic.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/partial.h"
#include "image/source.h"

enum {
  ZL_MAX_PULL_CONNECTIONS = 6, /* of one pull, to all hosts */
  ZL_MAX_BLOB_CONNECTIONS = 3
};

struct zl_blob_fetch; /* one blob */

struct zl_blob_fetch_options {
  struct zl_source *source; /* borrowed, as the others; it has parts */
  const struct zl_descriptor *blob;
  struct zl_partial *partial;
  atomic_uint *connections; /* of the pull: counted while they exist */
};

/* Starts to fetch what is missing. ZL_E_NO_MEMORY, ZL_E_SYSTEM: no thread. */
int zl_blob_fetch_start(const struct zl_blob_fetch_options *options, struct zl_blob_fetch **ret,
                        struct zl_error *err);

struct zl_blob_progress {
  uint64_t ready; /* the bytes from `from` up to here are there; == from: none yet */
  uint64_t total; /* bytes that are there, whatever their place */
};

/* Waits at most `wait_ms` for bytes from `from` on. Fails, once those in front are used up, as the
 * source did, or with os_error ENOSPC when the disk is full. */
int zl_blob_fetch_wait(struct zl_blob_fetch *fetch, uint64_t from, uint32_t wait_ms,
                       struct zl_blob_progress *ret, struct zl_error *err);

/* Ends all requests and waits for the threads. Accepts NULL. */
void zl_blob_fetch_free(struct zl_blob_fetch *fetch);
ZL_DEFINE_CLEANUP(struct zl_blob_fetch, zl_blob_fetch_free)

#endif
