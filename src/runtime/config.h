/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime's own settings in ROOT/config.yaml.
 */
#ifndef ZL_RUNTIME_CONFIG_H
#define ZL_RUNTIME_CONFIG_H

#include <zlayer/error.h>

#include "base/cleanup.h"
#include "spec/node.h"

#define ZL_CONFIG_FILE "config.yaml"

/* The file as a tree. */
struct zl_config {
  struct zl_tree *tree;
  const struct zl_node *root; /* a mapping; NULL: there is no file, or it is empty */
};

/* ZL_E_INVALID names the line of what cannot be read. */
int zl_config_open(int root_fd, struct zl_config *ret, struct zl_error *err);
void zl_config_close(struct zl_config *config);
#define zl_autoconfig ZL_CLEANUP(zl_config_close) struct zl_config

/* The entry of a mapping (NULL: an empty one), or NULL. */
const struct zl_entry *zl_config_find(const struct zl_node *map, const char *key);

/* The text of `slice_cidr`, which the caller frees; left as it was when there is no file or no such
 * key. ZL_E_INVALID names the line of what cannot be read. */
int zl_config_slice(int root_fd, char **ret, struct zl_error *err);

#endif
