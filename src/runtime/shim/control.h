/* SPDX-License-Identifier: Apache-2.0
 *
 * A shim's client: docs/shim.md, "Messages". A connection is a descriptor; one thread uses it.
 */
#ifndef ZL_RUNTIME_SHIM_CONTROL_H
#define ZL_RUNTIME_SHIM_CONTROL_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

/* An answer that takes longer than this comes from a shim that is stuck. */
#define ZL_CONTROL_PATIENCE (UINT64_C(30) * 1000000000)

/* Connects to the control socket of the container directory. ZL_E_NOT_FOUND: nobody listens. */
int zl_control_connect(int dir_fd, int *ret_fd, struct zl_error *err);

/* Sends a request, which is released (NULL: out of memory), with descriptors. ZL_E_REMOTE: the shim
 * has gone. */
int zl_control_send(int fd, json_t *request, const int *fds, size_t n_fds, struct zl_error *err);

/* Waits for the next message until the CLOCK_BOOTTIME deadline (UINT64_MAX: for ever) or until
 * cancel_fd (-1: none) is readable. At most one descriptor comes with it: *ret_fd, else -1; ret_fd
 * may be NULL. The caller releases *ret. An error reply is returned as the error it says, REMOTE as
 * ZL_E_INTERNAL. ZL_E_TIMEOUT, ZL_E_CANCELLED; ZL_E_REMOTE: the shim has gone. */
int zl_control_receive(int fd, uint64_t deadline_ns, int cancel_fd, json_t **ret, int *ret_fd,
                       struct zl_error *err);

/* Request and answer, with the usual patience. `ret` may be NULL. */
int zl_control_call(int fd, json_t *request, json_t **ret, struct zl_error *err);

#endif
