/* SPDX-License-Identifier: Apache-2.0
 *
 * TOML 1.0 as the tree that a YAML document gives, so that one set of readers and messages serves
 * both. For the configuration files of other tools; ours are YAML.
 */
#ifndef ZL_SPEC_TOML_H
#define ZL_SPEC_TOML_H

#include <stddef.h>
#include <zlayer/error.h>

#include "spec/node.h"

struct zl_spec_ctx;

/* Reads the whole text. A table is a ZL_NODE_MAP with its keys in the order of the file, an array a
 * ZL_NODE_LIST; a string is a scalar that is not plain, a boolean, integer or float a plain one.
 * Dates and times are refused: nothing that is read here has any. The first error ends the reading;
 * it goes to `ctx` with its position, and *ret_root is NULL then. An empty file is an empty table.
 * Returns 0, or a negative code when out of memory. Free *ret with zl_tree_free in either case. */
int zl_toml_parse(const char *text, size_t len, struct zl_spec_ctx *ctx, struct zl_tree **ret,
                  const struct zl_node **ret_root, struct zl_error *err);

#endif
