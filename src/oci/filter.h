/* SPDX-License-Identifier: Apache-2.0
 *
 * System call filters that were compiled before. Clients give every container the same profile, and
 * it is most of their document: reading it as JSON and compiling it takes three quarters of the
 * time that a `create` needs outside of the kernel. Below the root, in ROOT/.filters~ (no
 * container's id), lies a file per profile: the program that made it, the filter, and the profile's
 * text byte for byte. The text of a new document is compared with all of that, so a file that is
 * not meant for it is never used; nor is one that others than us could have written.
 */
#ifndef ZL_OCI_FILTER_H
#define ZL_OCI_FILTER_H

#include "base/buf.h"
#include "oci/container.h"

/* zl_engine_document_parse and zl_engine_config_read of *text. With a profile that is known, or is
 * from now on, config->filter is *filter, which the caller releases after the configuration; *text
 * then has a profile that kills everything in its place, as the copy in the state directory may
 * have it: the directory holds the filter too. */
int oci_filter_read(struct oci_container *c, struct zl_buf *text, json_t **ret_doc,
                    struct zl_engine_config **ret_config, struct zl_seccomp_filter *filter,
                    struct zl_error *err);

/* The filter in the state directory. 1: *ret is it; 0: there is none. */
int oci_filter_open(const struct oci_container *c, struct zl_seccomp_filter *ret,
                    struct zl_error *err);

#endif
