/* SPDX-License-Identifier: Apache-2.0
 *
 * A YAML document as a tree whose nodes know their positions. Types are not decided here: a plain
 * scalar keeps its text, and the field that reads it says what it has to be.
 */
#ifndef ZL_SPEC_NODE_H
#define ZL_SPEC_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

/* From 1; line 0: unknown. */
struct zl_mark {
  unsigned line, column;
};

enum zl_node_kind {
  ZL_NODE_SCALAR,
  ZL_NODE_LIST,
  ZL_NODE_MAP
};

struct zl_entry {
  const char *key; /* NULL in a list */
  struct zl_mark mark;
  const struct zl_node *value;
};

struct zl_node {
  enum zl_node_kind kind;
  struct zl_mark mark;
  bool flow;                /* a list or map in brackets: its own mark is where it begins */
  bool plain;               /* a scalar without quotes */
  bool tagged;              /* "!kind text", kept as "kind:text" */
  const char *text;         /* scalars */
  struct zl_entry *entries; /* lists and maps */
  size_t count;
};

/* What a scalar is by the rules of YAML 1.2's core schema; quoted text is always text. */
enum zl_scalar {
  ZL_SCALAR_NULL,
  ZL_SCALAR_BOOL,
  ZL_SCALAR_INT,
  ZL_SCALAR_FLOAT,
  ZL_SCALAR_TEXT
};
enum zl_scalar zl_scalar_of(const struct zl_node *node);
/* The same for a text that would be written without quotes. */
enum zl_scalar zl_scalar_of_text(const char *text);
/* Absent or null. */
bool zl_node_is_null(const struct zl_node *node);

/* A whole number: decimal without leading zeros, 0x or 0o, with a sign. False: not one, or it does
 * not fit; *ret_negative tells the sign of the magnitude. */
bool zl_scalar_int(const char *text, bool *ret_negative, uint64_t *ret);

/* For messages: "a list", "the number 5", "the text 'abc'". Returns `text`. */
enum {
  ZL_DESCRIBE_TEXT = 80
};
const char *zl_node_describe(const struct zl_node *node, char text[ZL_DESCRIBE_TEXT]);

/* The memory of a tree. */
struct zl_tree;
void zl_tree_free(struct zl_tree *tree);

/* Reads one document. Errors go to `ctx`; *ret_root is NULL when there is no usable tree (also for
 * an empty file, which is reported). Returns 0, or a negative code when out of memory. */
struct zl_spec_ctx;
int zl_tree_parse(const char *text, size_t len, struct zl_spec_ctx *ctx, struct zl_tree **ret,
                  const struct zl_node **ret_root, struct zl_error *err);

#endif
