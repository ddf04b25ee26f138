/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/config.h"

#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "spec/report.h"

#define FILE_NAME "config.yaml"

static void tree_freep(struct zl_tree **tree)
{
  zl_tree_free(*tree);
}

static void ctx_done(struct zl_spec_ctx *ctx)
{
  zl_spec_errors_done(&ctx->errors);
}

static int find_slice(const struct zl_node *root, char **ret, struct zl_error *err)
{
  if (root->kind != ZL_NODE_MAP)
    return zl_fail(err, ZL_E_INVALID, 0, FILE_NAME ": expected a mapping");
  for (size_t i = 0; i < root->count; i++) {
    const struct zl_entry *entry = &root->entries[i];

    if (strcmp(entry->key, "slice_cidr") != 0)
      continue;
    if (entry->value->kind != ZL_NODE_SCALAR)
      return zl_fail(err, ZL_E_INVALID, 0, FILE_NAME ": slice_cidr, line %u: expected a text",
                     entry->mark.line);
    *ret = strdup(entry->value->text);
    return *ret != NULL ? 0 : zl_fail_nomem(err, FILE_NAME);
  }
  return 0;
}

int zl_config_slice(int root_fd, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  ZL_CLEANUP(ctx_done) struct zl_spec_ctx ctx = { .from_file = true };
  ZL_CLEANUP(tree_freep) struct zl_tree *tree = NULL;
  const struct zl_node *root = NULL;
  int r = zl_file_read(root_fd, FILE_NAME, &text, NULL);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r == 0)
    r = zl_tree_parse(text.data, text.len, &ctx, &tree, &root, err);
  else
    return zl_fail(err, ZL_E_SYSTEM, 0, "reading '" FILE_NAME "'");
  if (r < 0)
    return r;
  if (root == NULL)
    return ctx.errors.count == 0 ? 0
                                 : zl_fail(err, ZL_E_INVALID, 0, FILE_NAME ", line %u: %s",
                                           ctx.errors.items[0].line, ctx.errors.items[0].message);
  return find_slice(root, ret, err);
}
