/* SPDX-License-Identifier: Apache-2.0
 *
 * The TOML reader's own: its state, and what its two files share. Functions that return bool have
 * reported an error when they return false; pointers are NULL then.
 */
#ifndef ZL_SPEC_TOML_PRIVATE_H
#define ZL_SPEC_TOML_PRIVATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "spec/report.h"
#include "spec/tree.h"

/* How a table came to be decides who may add to it. */
enum zl_toml_origin {
  ZL_TOML_BY_PATH,   /* as a parent in a header: a header of its own may follow */
  ZL_TOML_BY_HEADER, /* [name], or an element of [[name]] */
  ZL_TOML_BY_DOTS,   /* as a parent in a dotted key: only more dotted keys of the same table */
  ZL_TOML_IN_LINE    /* { } and values: complete */
};

struct zl_toml_item {
  struct zl_toml_item *next;
  const char *key; /* NULL in an array */
  struct zl_mark mark;
  struct zl_toml_value *value;
};

struct zl_toml_value {
  struct zl_node node; /* entries are filled at the end */
  enum zl_toml_origin origin;
  bool of_tables; /* an array made by [[name]] */
  struct zl_toml_item *first, *last;
};

struct zl_toml {
  const char *text;
  size_t len, pos;
  unsigned line;
  size_t line_start;
  struct zl_spec_ctx *ctx;
  struct zl_tree *tree;
  struct zl_toml_value *root, *table; /* the current one: where keys go */
  size_t values;
  unsigned depth;
  bool failed;
  struct zl_buf scratch; /* of the string or number that is being read */
};

/* ---- toml_text.c: characters, strings, numbers ------------------------------------------------
 */

struct zl_mark zl_toml_here(const struct zl_toml *t);
/* Reports the first error; always false. */
bool zl_toml_fail(struct zl_toml *t, struct zl_mark mark, const char *fmt, ...) ZL_PRINTF(3, 4);
bool zl_toml_no_memory(struct zl_toml *t); /* always false */

/* The next character; '\0' at the end, and the text itself holds none. */
char zl_toml_peek(const struct zl_toml *t);
bool zl_toml_starts(const struct zl_toml *t, const char *what);
void zl_toml_skip_blanks(struct zl_toml *t);
/* Blanks, comments and line ends, as between the elements of an array. */
bool zl_toml_skip_space(struct zl_toml *t);
/* What may follow on a line that has ended, and its end. */
bool zl_toml_end_line(struct zl_toml *t);
/* UTF-8 by RFC 3629 and no NUL, in the whole text. */
bool zl_toml_check_encoding(struct zl_toml *t);

struct zl_toml_value *zl_toml_new_value(struct zl_toml *t, enum zl_node_kind kind,
                                        struct zl_mark mark, enum zl_toml_origin origin);
/* A bare or quoted key, up to its end. */
const char *zl_toml_read_key(struct zl_toml *t);
/* A string of any of the four kinds; a number or boolean. */
struct zl_toml_value *zl_toml_read_string(struct zl_toml *t);
struct zl_toml_value *zl_toml_read_plain(struct zl_toml *t);

#endif
