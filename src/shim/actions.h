/* SPDX-License-Identifier: Apache-2.0
 *
 * What each request does.
 */
#ifndef ZL_SHIM_ACTIONS_H
#define ZL_SHIM_ACTIONS_H

#include "shim/conn.h"
#include "shim/request.h"

/* Carries the request out and answers it, at once or, for `wait` and `stop`, at the end. */
void action_run(struct conn *conn, struct request *request);
/* The client has gone: nobody is to be told any more. */
void action_forget(struct conn *conn);

#endif
