/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes executed in the running container on behalf of a client.
 */
#ifndef ZL_SHIM_SESSION_H
#define ZL_SHIM_SESSION_H

#include "shim/conn.h"
#include "shim/process/process.h"
#include "shim/request.h"

/* Starts the process and answers the client; its exit event follows. */
int session_start(struct conn *conn, struct request *request, struct zl_error *err);
/* SIGKILL to every process; each is reaped and reported as usual. What a cgroup would have done. */
void session_kill_all(struct process_shim *shim);
/* Tries again to reap what had ended while a debugger traced it. */
void session_retry(struct process_shim *shim);
/* The client has gone; the process goes on. */
void session_forget(struct conn *conn);

#endif
