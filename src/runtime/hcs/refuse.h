/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Windows container cannot have.
 */
#ifndef ZL_RUNTIME_HCS_REFUSE_H
#define ZL_RUNTIME_HCS_REFUSE_H

#include <zlayer/error.h>
#include <zlayer/spec.h>

/* ZL_E_UNSUPPORTED with the path of a field that is of Linux, or that Windows has no counterpart
 * of, or that needs what the isolation keeps apart. Storage is looked at by zl_hcs_mounts_of, the
 * host's name by zl_hcs_hostname. No effect. */
int zl_hcs_refuse(const struct zl_service *service, enum zl_isolation isolation,
                  struct zl_error *err);

#endif
