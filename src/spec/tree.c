/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/tree.h"

#include <stdlib.h>

enum {
  CHUNK = 64 << 10
};

struct zl_tree_chunk {
  struct zl_tree_chunk *next;
  _Alignas(max_align_t) char data[];
};

void *zl_tree_alloc(struct zl_tree *tree, size_t size)
{
  struct zl_tree_chunk *chunk;
  void *memory;
  size_t fresh;

  size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
  if (size > tree->left) {
    fresh = size > CHUNK ? size : CHUNK;
    chunk = malloc(sizeof(*chunk) + fresh);
    if (chunk == NULL)
      return NULL;
    chunk->next = tree->chunks;
    tree->chunks = chunk;
    tree->at = chunk->data;
    tree->left = fresh;
  }
  memory = tree->at;
  tree->at += size;
  tree->left -= size;
  return memory;
}

void zl_tree_free(struct zl_tree *tree)
{
  if (tree == NULL)
    return;
  while (tree->chunks != NULL) {
    struct zl_tree_chunk *next = tree->chunks->next;

    free(tree->chunks);
    tree->chunks = next;
  }
  free(tree);
}
