/* SPDX-License-Identifier: Apache-2.0
 *
 * What the first process of a machine does before it serves anybody, and last of all.
 */
#ifndef ZL_GUEST_MACHINE_H
#define ZL_GUEST_MACHINE_H

#include <stdbool.h>
#include <zlayer/error.h>

/* Mounts, modules, cgroups, loopback link: everything that no container decides, so that it is part
 * of a template. Call it once. */
int machine_prepare(struct zl_error *err);

/* Ends the machine; with `is_synced` what has been written reaches the disks before. */
_Noreturn void machine_off(bool is_synced);

#endif
