/* SPDX-License-Identifier: Apache-2.0
 *
 * The ids of layers: a GUID for each name, always the same.
 */
#ifndef HCS_SIM_LAYER_ID_H
#define HCS_SIM_LAYER_ID_H

#include <windows.h>

void sim_name_to_guid(const char *name, GUID *ret);

#endif
