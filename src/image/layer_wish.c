/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_wish.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "image/registry_config.h"
#include "spec/node.h"
#include "spec/report.h"

static const char *const wishes[] = { [ZL_LAYER_WISH_AUTO] = "auto",
                                      [ZL_LAYER_WISH_EROFS] = "erofs",
                                      [ZL_LAYER_WISH_DIRECTORY] = "directory" };

static bool take_wish(const char *text, enum zl_layer_wish *ret)
{
  for (size_t i = 0; i < ZL_COUNT(wishes); i++)
    if (strcmp(text, wishes[i]) == 0) {
      *ret = (enum zl_layer_wish)i;
      return true;
    }
  return false;
}

static void free_tree(struct zl_tree **tree)
{
  if (*tree != NULL)
    zl_tree_free(*tree);
}

static void free_errors(struct zl_spec_ctx *ctx)
{
  zl_spec_errors_done(&ctx->errors);
}

int zl_layer_wish_parse(const char *text, size_t len, const char *file_name,
                        enum zl_layer_wish *ret, struct zl_error *err)
{
  ZL_CLEANUP(free_tree) struct zl_tree *tree = NULL;
  ZL_CLEANUP(free_errors) struct zl_spec_ctx ctx = { .from_file = true };
  const struct zl_node *root = NULL;
  int r = zl_tree_parse(text, len, &ctx, &tree, &root, err);

  *ret = ZL_LAYER_WISH_AUTO;
  if (r < 0)
    return r;
  for (size_t i = 0; root != NULL && root->kind == ZL_NODE_MAP && i < root->count; i++) {
    const struct zl_entry *entry = &root->entries[i];

    if (strcmp(entry->key, "layers") == 0 &&
        (entry->value->kind != ZL_NODE_SCALAR || !take_wish(entry->value->text, ret)))
      return zl_fail(err, ZL_E_INVALID, 0, "%s, line %u: layers: expected auto, erofs or directory",
                     file_name, entry->mark.line);
  }
  return 0;
}

int zl_layer_wish_read(int root_fd, const char *root, enum zl_layer_wish *ret, struct zl_error *err)
{
  const char *variable = getenv("ZLAYER_LAYERS");
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_SPEC_FILE);
  zl_autofree char *file = NULL;
  int r;

  if (variable != NULL && *variable != '\0')
    return take_wish(variable, ret)
               ? 0
               : zl_fail(err, ZL_E_INVALID, 0, "$ZLAYER_LAYERS: expected auto, erofs or directory");
  r = zl_node_config_read(root_fd, root, &text, &file, NULL);
  *ret = ZL_LAYER_WISH_AUTO;
  if (r == -ZL_E_NOT_FOUND || (r == 0 && text.len == 0))
    return 0;
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, 0, "reading 'config.yaml'")
               : zl_layer_wish_parse(text.data, text.len, file, ret, err);
}
