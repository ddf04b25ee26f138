/* SPDX-License-Identifier: Apache-2.0
 *
 * Named pipes of messages between our own programs: what SOCK_SEQPACKET sockets are on Linux. Only
 * SYSTEM and the administrators can open one, and only from this host.
 */
#ifndef ZL_BASE_WIN32_PIPE_H
#define ZL_BASE_WIN32_PIPE_H

#include <stdbool.h>
#include <windows.h>
#include <zlayer/error.h>

#define ZL_PIPE_PREFIX "\\\\.\\pipe\\zlayer-"

enum {
  ZL_PIPE_NAME = 64
};
/* A name that nobody can guess, so that nobody can be there before us. */
int zl_pipe_name(char name[ZL_PIPE_NAME], struct zl_error *err);

/* One more end that waits for a client; `first`: fails when the name exists. */
int zl_pipe_make(const char *name, bool first, HANDLE *ret, struct zl_error *err);
/* Blocks until a client has connected or the event `stop` is set (false). */
bool zl_pipe_accept(HANDLE pipe, HANDLE stop);
/* ZL_E_NOT_FOUND: nobody listens. */
int zl_pipe_connect(const char *name, HANDLE *ret, struct zl_error *err);
/* Two ends that are connected. */
int zl_pipe_pair(HANDLE ends[2], struct zl_error *err);

/* Sends one message: 0 or -errno (EPIPE: the other end has gone, ETIMEDOUT: it does not read). */
int zl_pipe_send(HANDLE pipe, const void *data, size_t len, DWORD timeout_ms);
/* Receives one message: its length, 0: the other end has gone, or -errno. Waits until the
 * CLOCK_BOOTTIME deadline (-ETIMEDOUT) or until the event `cancel` (NULL: none) is set
 * (-ECANCELED); -EMSGSIZE: it was longer than the buffer, and is gone. */
int zl_pipe_recv(HANDLE pipe, void *data, size_t size, uint64_t deadline_ns, HANDLE cancel);

#endif
