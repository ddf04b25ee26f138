/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in the text of a config.json the value of linux.seccomp is.
 */
#ifndef ZL_OCI_PROFILE_H
#define ZL_OCI_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

struct oci_span {
  const char *at;
  size_t len;
};

/* False when there is none, and for texts that one could read in more than one way. What is found
 * is only sure to be it when the rest of the text, with some object in its place, is a proper
 * document that has this object as linux.seccomp. */
bool oci_profile_find(const char *text, size_t len, struct oci_span *ret);

#endif
