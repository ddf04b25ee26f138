/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime's own settings in ROOT/config.yaml.
 */
#ifndef ZL_RUNTIME_CONFIG_H
#define ZL_RUNTIME_CONFIG_H

#include <zlayer/error.h>

/* The text of `slice_cidr`, which the caller frees; left as it was when there is no file or no such
 * key. ZL_E_INVALID names the line of what cannot be read. */
int zl_config_slice(int root_fd, char **ret, struct zl_error *err);

#endif
