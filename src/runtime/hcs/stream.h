/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipe of a process in a container on the host's kernel as a stream of bytes. The service gives
 * pipes for overlapped I/O.
 */
#ifndef ZL_RUNTIME_HCS_STREAM_H
#define ZL_RUNTIME_HCS_STREAM_H

#include "bridge/conn.h"
#include "runtime/hcs/api.h"

/* Takes the handle over on success. */
int zl_hcs_stream_new(const struct zl_hcs_api *api, zl_handle pipe, struct zl_byte_stream *ret,
                      struct zl_error *err);

#endif
