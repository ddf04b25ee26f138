/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store of layers needs of Windows (image/windows/services.h), by the host's own
 * functions.
 */
#ifndef ZL_RUNTIME_HCS_LAYER_SERVICES_H
#define ZL_RUNTIME_HCS_LAYER_SERVICES_H

#include "image/windows/services.h"
#include "runtime/hcs/api.h"

/* The functions are looked up when they are used first. Windows only. */
extern const struct zl_win_services zl_hcs_host_layer_services;

#endif
