/* SPDX-License-Identifier: Apache-2.0
 *
 * Advisory locks on files, between threads and processes alike (flock). The
 * kernel drops them when the holder dies, so a lock is also the proof that a process lives.
 */
#ifndef ZL_BASE_LOCK_H
#define ZL_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

/* Creates (dirfd, name) mode 0600 if needed and takes it exclusively. Waits up to `timeout_ns`
 * (0: ZL_E_CONFLICT at once when taken; UINT64_MAX: for ever), then ZL_E_TIMEOUT. On success
 * *ret_fd holds the lock until it is closed. A lock file that was unlinked while waiting is made
 * again, so unlinking it under the lock is allowed. */
int zl_lock_acquire(int dirfd, const char *name, uint64_t timeout_ns, int *ret_fd,
                    struct zl_error *err);
/* As above without waiting, but makes no file: ZL_E_NOT_FOUND. For who clears away what nobody
 * holds any more. */
int zl_lock_acquire_existing(int dirfd, const char *name, int *ret_fd, struct zl_error *err);
/* True while somebody holds (dirfd, name); false also when there is no such file. */
bool zl_lock_is_held(int dirfd, const char *name);

#endif
