/* SPDX-License-Identifier: Apache-2.0
 *
 * Privileges of this process. An administrator has those that layers need, but they are off.
 */
#ifndef ZL_RUNTIME_HCS_PRIVILEGE_H
#define ZL_RUNTIME_HCS_PRIVILEGE_H

#include "runtime/hcs/api.h"

/* Turns backup, restore and security on, for the rest of the process's life. ZL_E_PERMISSION: it
 * has not all of them. */
int zl_hcs_enable_privileges(const struct zl_hcs_api *api, struct zl_error *err);

#endif
