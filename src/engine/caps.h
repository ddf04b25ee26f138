/* SPDX-License-Identifier: Apache-2.0
 *
 * Capability names and sets by raw system calls. A set is a mask: bit N is capability number N.
 */
#ifndef ZL_ENGINE_CAPS_H
#define ZL_ENGINE_CAPS_H

#include <stdint.h>
#include <zlayer/error.h>

struct zl_caps {
  uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* The number of "CAP_NET_ADMIN" (exactly this spelling), or -1 for a name not known here. */
int zl_cap_parse(const char *name);
/* "CAP_CHOWN" …; NULL for a number not known here. */
const char *zl_cap_name(unsigned cap);

/* What this thread could hand on at most: its permitted set within its bounding set. Never blocks;
 * fails only if the kernel refuses capget. */
int zl_caps_available(uint64_t *ret, struct zl_error *err);

/* Reads the bounding set once, a system call per capability, so that the children that are cloned
 * afterwards need not. Idempotent. */
void zl_caps_learn(void);

/* First half, before the user changes: drops everything outside caps->bounding from the bounding
 * set and makes the permitted set survive the change of user (PR_SET_KEEPCAPS). Needs CAP_SETPCAP
 * unless nothing is to be dropped. Idempotent while it is held. */
int zl_caps_limit(const struct zl_caps *caps, struct zl_error *err);

/* Second half, after the user changed: sets permitted, effective, inheritable and ambient.
 * Capabilities that this thread does not have are left out (a container cannot get more than its
 * runtime holds). Inheritable is what the document says; our own documents leave it empty
 * (CVE-2022-29162). Idempotent. */
int zl_caps_apply(const struct zl_caps *caps, struct zl_error *err);

#endif
