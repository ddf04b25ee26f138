/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles of disks and of other things that CloseHandle closes.
 */
#ifndef HCS_SIM_DLL_DISK_H
#define HCS_SIM_DLL_DISK_H

#include "client.h"

/* The server's id, or 0 and a misuse. */
uint64_t disk_id(HANDLE disk, const char *name);
/* A real handle that stands for one of the server; CloseHandle of the doubles closes both. */
HANDLE handle_for(uint64_t id);
bool handle_find(HANDLE handle, uint64_t *ret);

#endif
