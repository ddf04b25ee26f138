/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_SHIM_FOOTPRINT_H
#define ZL_SHIM_FOOTPRINT_H

/* Gives memory back while nothing happens: free heap, and the pages of the program's own file, of
 * which building a container touched nearly all and waiting needs a handful. The kernel maps them
 * again from its cache at the first use. */
void footprint_shrink(void);

#endif
