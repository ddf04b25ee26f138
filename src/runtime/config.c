/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/config.h"

#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "spec/report.h"

static void ctx_done(struct zl_spec_ctx *ctx)
{
  zl_spec_errors_done(&ctx->errors);
}

void zl_config_close(struct zl_config *config)
{
  zl_tree_free(config->tree);
  *config = (struct zl_config){ 0 };
}

const struct zl_entry *zl_config_find(const struct zl_node *map, const char *key)
{
  for (size_t i = 0; map != NULL && i < map->count; i++)
    if (strcmp(map->entries[i].key, key) == 0)
      return &map->entries[i];
  return NULL;
}

static int parse(const struct zl_buf *text, struct zl_config *config, struct zl_error *err)
{
  ZL_CLEANUP(ctx_done) struct zl_spec_ctx ctx = { .from_file = true };
  int r = zl_tree_parse(text->data, text->len, &ctx, &config->tree, &config->root, err);

  if (r < 0)
    return r;
  if (config->root == NULL)
    return ctx.errors.count == 0 ? 0
                                 : zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ", line %u: %s",
                                           ctx.errors.items[0].line, ctx.errors.items[0].message);
  if (config->root->kind != ZL_NODE_MAP)
    return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": expected a mapping");
  return 0;
}

int zl_config_open(int root_fd, struct zl_config *ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autoconfig config = { 0 };
  int r = zl_file_read(root_fd, ZL_CONFIG_FILE, &text, NULL);

  if (r < 0 && r != -ZL_E_NOT_FOUND)
    return zl_fail(err, ZL_E_SYSTEM, 0, "reading '" ZL_CONFIG_FILE "'");
  if (r == 0)
    r = parse(&text, &config, err);
  if (r < 0 && r != -ZL_E_NOT_FOUND)
    return r;
  *ret = config;
  config = (struct zl_config){ 0 };
  return 0;
}

int zl_config_slice(int root_fd, char **ret, struct zl_error *err)
{
  zl_autoconfig config = { 0 };
  const struct zl_entry *entry;
  int r = zl_config_open(root_fd, &config, err);

  if (r < 0)
    return r;
  entry = zl_config_find(config.root, "slice_cidr");
  if (entry == NULL)
    return 0;
  if (entry->value->kind != ZL_NODE_SCALAR)
    return zl_fail(err, ZL_E_INVALID, 0, ZL_CONFIG_FILE ": slice_cidr, line %u: expected a text",
                   entry->mark.line);
  *ret = strdup(entry->value->text);
  return *ret != NULL ? 0 : zl_fail_nomem(err, ZL_CONFIG_FILE);
}
