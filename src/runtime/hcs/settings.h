/* SPDX-License-Identifier: Apache-2.0
 *
 * What the node's operator says about Windows containers: `hcs` of ROOT/config.yaml.
 */
#ifndef ZL_RUNTIME_HCS_SETTINGS_H
#define ZL_RUNTIME_HCS_SETTINGS_H

#include "runtime/hcs/bundle.h"
#include "runtime/node.h"

/* default_scratch_size_gb (that of zl_runtime_options comes first) and keep_on_failure.
 * ZL_E_INVALID names the line of what cannot be read. */
int zl_hcs_settings_load(const struct zl_runtime *rt, struct zl_hcs_bundle_options *to,
                         struct zl_error *err);

#endif
