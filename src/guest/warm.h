/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of the container that warms a machine (docs/microvm.md, "Warm machines"): it is in
 * reach of who has the agent, and says something as a real one would.
 */
#ifndef ZL_GUEST_WARM_H
#define ZL_GUEST_WARM_H

/* Reads the programs of the list, which ends with NULL, so that they are in memory: paths, or names
 * to be looked up in $PATH. Those that are not there are none of its business. Returns the exit
 * status. */
int warm_run(char *const *programs);

#endif
