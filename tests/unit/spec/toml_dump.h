/* SPDX-License-Identifier: Apache-2.0
 *
 * A TOML document as JSON on one line, for comparison with other readers.
 */
#ifndef ZL_TEST_TOML_DUMP_H
#define ZL_TEST_TOML_DUMP_H

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "spec/report.h"
#include "spec/toml.h"

static inline void dump_text(struct zl_buf *out, const char *text)
{
  (void)zl_buf_puts(out, "\"", NULL);
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\')
      (void)zl_buf_printf(out, NULL, "\\%c", *p);
    else if ((unsigned char)*p < ' ')
      (void)zl_buf_printf(out, NULL, "\\u%04x", (unsigned)*p);
    else
      (void)zl_buf_append(out, p, 1, NULL);
  }
  (void)zl_buf_puts(out, "\"", NULL);
}

static inline void dump_node(struct zl_buf *out, const struct zl_node *node)
{
  const bool map = node->kind == ZL_NODE_MAP;

  if (node->kind == ZL_NODE_SCALAR) {
    if (node->plain)
      (void)zl_buf_puts(out, node->text, NULL);
    else
      dump_text(out, node->text);
    return;
  }
  (void)zl_buf_puts(out, map ? "{" : "[", NULL);
  for (size_t i = 0; i < node->count; i++) {
    (void)zl_buf_puts(out, i > 0 ? "," : "", NULL);
    if (map) {
      dump_text(out, node->entries[i].key);
      (void)zl_buf_puts(out, ":", NULL);
    }
    dump_node(out, node->entries[i].value);
  }
  (void)zl_buf_puts(out, map ? "}" : "]", NULL);
}

/* 0 and the document, or < 0 and *err. */
static inline int dump_toml(const char *text, size_t len, struct zl_buf *out, struct zl_error *err)
{
  struct zl_spec_ctx ctx = { .from_file = true };
  struct zl_tree *tree = NULL;
  const struct zl_node *root = NULL;
  int r = zl_toml_parse(text, len, &ctx, &tree, &root, err), finished;

  if (r == 0 && root != NULL)
    dump_node(out, root);
  zl_tree_free(tree);
  finished = zl_spec_ctx_finish(&ctx, "f", NULL, r == 0 ? err : NULL);
  return r < 0 ? r : finished;
}

#endif
