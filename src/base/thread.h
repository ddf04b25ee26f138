/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that help.
 */
#ifndef ZL_BASE_THREAD_H
#define ZL_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Starts one with a stack of `stack` bytes and the caller's signal mask: 0 or the error number of
 * pthread_create. */
int zl_thread_start(pthread_t *ret, size_t stack, void *(*run)(void *), void *arg);

#endif
