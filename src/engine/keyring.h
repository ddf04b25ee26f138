/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_ENGINE_KEYRING_H
#define ZL_ENGINE_KEYRING_H

#include <stdbool.h>
#include <zlayer/error.h>

/* Puts the calling process into the session keyring `name` of its user namespace, which is made
 * when there is none: what a container adds to its session is not in its creator's, nor the other
 * way round. `in_userns`: the namespace is the container's own. `label` is the ring's SELinux
 * label, for a caller that still has the host's /proc; NULL: none. A kernel without keyrings has
 * nothing to separate: success. */
int zl_keyring_join(const char *name, bool in_userns, const char *label, struct zl_error *err);

#endif
