/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the readers of other tools' configuration: TOML itself. What is accepted is a tree
 * whose every text ends, and a refusal says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/report.h"
#include "spec/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct zl_node *node)
{
  size_t total = node->text != NULL ? strlen(node->text) : 0;

  if ((node->kind == ZL_NODE_SCALAR) != (node->text != NULL))
    abort();
  for (size_t i = 0; i < node->count; i++) {
    if ((node->kind == ZL_NODE_MAP) != (node->entries[i].key != NULL))
      abort();
    total += walk(node->entries[i].value);
  }
  return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct zl_spec_ctx ctx = { .from_file = true };
  struct zl_tree *tree = NULL;
  const struct zl_node *root = NULL;
  struct zl_error err = { 0 };
  int r = zl_toml_parse((const char *)data, size, &ctx, &tree, &root, &err);

  if (r == 0 && (root == NULL) != (ctx.errors.count == 1))
    abort();
  if (root != NULL && walk(root) > size)
    abort();
  zl_tree_free(tree);
  (void)zl_spec_ctx_finish(&ctx, "fuzz", NULL, r == 0 ? &err : NULL);
  return 0;
}
