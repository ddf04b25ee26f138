/* SPDX-License-Identifier: Apache-2.0
 *
 * Named fault points for tests; compiled out unless the `faults` build option is on.
 * ZLAYER_FAULTS="site=error(ENOSPC);other=2*off->crash" : FreeBSD fail(9) grammar, cut down to
 * off, error(ERRNO) and crash, each with an optional "N*" count; the last term stays in force.
 */
#ifndef ZL_BASE_FAULT_H
#define ZL_BASE_FAULT_H

#ifdef ZL_FAULTS
/* The errno to fail with at this site now, or 0. Does not return for "crash" (SIGKILL to itself).
 */
int zl_fault_hit(const char *site);
#define ZL_FAULT(site) zl_fault_hit(site)
#else
#define ZL_FAULT(site) 0
#endif

#endif
