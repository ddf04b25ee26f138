/* SPDX-License-Identifier: Apache-2.0 */
#include "image/config_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"

struct zl_at zl_read_child(const struct zl_at *up, const struct zl_entry *entry)
{
  return (
      struct zl_at){ .up = up, .key = entry->key, .node = entry->value, .key_mark = entry->mark };
}

void zl_read_wrong_kind(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what)
{
  char text[ZL_DESCRIBE_TEXT];

  zl_report(ctx, at, ZL_E_INVALID, "expected %s, not %s", what, zl_node_describe(at->node, text));
}

void zl_read_unknown_key(struct zl_spec_ctx *ctx, const struct zl_at *up,
                         const struct zl_entry *entry, const char *known)
{
  zl_report_mark(ctx, up, entry->mark, ZL_E_INVALID, "unknown key '%s': it has %s", entry->key,
                 known);
}

const struct zl_node *zl_read_kind(struct zl_spec_ctx *ctx, const struct zl_at *at,
                                   enum zl_node_kind kind, const char *what)
{
  if (at->node->kind == kind)
    return at->node;
  zl_read_wrong_kind(ctx, at, what);
  return NULL;
}

bool zl_read_bool(struct zl_spec_ctx *ctx, const struct zl_at *at)
{
  if (at->node->kind == ZL_NODE_SCALAR && zl_scalar_of(at->node) == ZL_SCALAR_BOOL)
    return at->node->text[0] == 't' || at->node->text[0] == 'T';
  zl_read_wrong_kind(ctx, at, "true or false");
  return false;
}

const char *zl_read_text(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what)
{
  if (at->node->kind == ZL_NODE_SCALAR && zl_scalar_of(at->node) == ZL_SCALAR_TEXT)
    return at->node->text;
  zl_read_wrong_kind(ctx, at, what);
  return NULL;
}

void zl_read_copy(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what, char **ret)
{
  const char *text = zl_read_text(ctx, at, what);

  if (text == NULL)
    return;
  free(*ret);
  *ret = strdup(text);
  ctx->no_memory |= *ret == NULL;
}

void zl_read_path(struct zl_spec_ctx *ctx, const struct zl_at *at, char **ret)
{
  const char *text = zl_read_text(ctx, at, "a path");

  if (text != NULL && !zl_path_is_absolute(text))
    zl_report(ctx, at, ZL_E_INVALID, "expected an absolute path");
  else if (text != NULL)
    zl_read_copy(ctx, at, "a path", ret);
}
