/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop of a shim on Windows: a queue of calls that one thread makes, so that the shim's core is
 * as single-threaded as on Linux. Other threads, which wait for pipes and for the compute service,
 * only post.
 */
#ifndef ZL_SHIM_WIN32_LOOP_H
#define ZL_SHIM_WIN32_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

typedef void (*loop_fn)(void *ctx);

/* From any other thread: fn(ctx) will be called in the loop's, after all that was posted before.
 * Waits while there is no memory for it. */
void loop_post(loop_fn fn, void *ctx);
/* The same, and waits until it has been called. False when out of memory: it will not be. */
bool loop_call(loop_fn fn, void *ctx);

/* Calls `fn` in the loop's thread at that CLOCK_BOOTTIME; 0: no more. From that thread. */
void loop_at(uint64_t at_ns, loop_fn fn, void *ctx);

/* Runs fn(ctx) in a thread of its own, then done(ctx) in the loop's. On failure: neither. */
int loop_work(loop_fn fn, loop_fn done, void *ctx, struct zl_error *err);

#endif
