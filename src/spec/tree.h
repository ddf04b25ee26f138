/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a document's tree, for the readers that make one (yaml.c, toml.c).
 */
#ifndef ZL_SPEC_TREE_H
#define ZL_SPEC_TREE_H

#include <stddef.h>

#include "spec/node.h"

struct zl_tree_chunk;

/* A bump arena: one free() per chunk, whatever the depth of the tree. All zero is empty. */
struct zl_tree {
  struct zl_tree_chunk *chunks;
  size_t left; /* bytes free at the end of the newest chunk */
  char *at;
};

/* Aligned for anything; lives until zl_tree_free. NULL when out of memory. */
void *zl_tree_alloc(struct zl_tree *tree, size_t size);

#endif
