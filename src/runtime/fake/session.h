/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_RUNTIME_FAKE_SESSION_H
#define ZL_RUNTIME_FAKE_SESSION_H

#include "runtime/runtime.h"

/* The operations attach and exec of the fake backend. */
int zl_fake_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                   struct zl_error *err);
int zl_fake_exec(struct zl_backend *backend, const char *id, const struct zl_exec_options *options,
                 struct zl_session **ret, struct zl_error *err);

#endif
