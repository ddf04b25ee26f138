/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store of layers needs of Windows (image/windows/services.h), by this backend's table of
 * functions.
 */
#ifndef ZL_RUNTIME_HCS_LAYER_SERVICES_H
#define ZL_RUNTIME_HCS_LAYER_SERVICES_H

#include "image/windows/services.h"
#include "runtime/hcs/api.h"

/* The services by these functions; `api` is borrowed. */
struct zl_win_services zl_hcs_layer_services(const struct zl_hcs_api *api);
/* By the host's own, which are looked up when they are used first. Windows only. */
extern const struct zl_win_services zl_hcs_host_layer_services;

#endif
