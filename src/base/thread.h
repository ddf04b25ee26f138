/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that help.
 */
#ifndef ZL_BASE_THREAD_H
#define ZL_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* A condition whose timed waits no change of the clock disturbs. */
void zl_cond_init(pthread_cond_t *ret);
/* Waits for it, which was made by zl_cond_init, at most `wait_ms`; may return at any time. */
void zl_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint32_t wait_ms);

/* Starts one with a stack of `stack` bytes and the caller's signal mask: 0 or the error number of
 * pthread_create. */
int zl_thread_start(pthread_t *ret, size_t stack, void *(*run)(void *), void *arg);
/* The same for one that nobody waits for. Its being so is settled before it runs: winpthreads'
 * pthread_detach of a thread that just ends has another one never run. */
int zl_thread_release(void *(*run)(void *), void *arg);

#endif
