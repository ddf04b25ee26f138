/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_CONFORMANCE_WINDOWS_DEATHS_H
#define ZL_CONFORMANCE_WINDOWS_DEATHS_H

/* Handles that this process has open. */
unsigned count_handles(void);

#endif
