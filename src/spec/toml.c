/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of TOML 1.0: pairs, arrays, tables. Read in one pass, recursive only in arrays and
 * inline tables, whose depth is bounded. Tables grow while the file is read, since headers may come
 * back to them, and get their final form at the end.
 */
#include "spec/toml.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "spec/toml_private.h"

/* ---- Tables ------------------------------------------------------------------------------------
 */

static bool add_item(struct zl_toml *t, struct zl_toml_value *to, const char *key,
                     struct zl_mark mark, struct zl_toml_value *value)
{
  struct zl_toml_item *item;

  if (to->node.count >= ZL_MAX_LIST)
    return zl_toml_fail(t, mark, "more than %d entries", ZL_MAX_LIST);
  item = zl_tree_alloc(t->tree, sizeof(*item));
  if (item == NULL)
    return zl_toml_no_memory(t);
  *item = (struct zl_toml_item){ .key = key, .mark = mark, .value = value };
  if (to->last != NULL)
    to->last->next = item;
  else
    to->first = item;
  to->last = item;
  to->node.count++;
  return true;
}

static struct zl_toml_value *find_key(const struct zl_toml_value *table, const char *key)
{
  for (struct zl_toml_item *item = table->first; item != NULL; item = item->next)
    if (strcmp(item->key, key) == 0)
      return item->value;
  return NULL;
}

/* A '.' and what may stand around it. */
static bool take_dot(struct zl_toml *t)
{
  zl_toml_skip_blanks(t);
  if (zl_toml_peek(t) != '.')
    return false;
  t->pos++;
  zl_toml_skip_blanks(t);
  return true;
}

static bool twice(struct zl_toml *t, const char *key, struct zl_mark mark)
{
  return zl_toml_fail(t, mark, "'%.100s' is there twice", key);
}

/* ---- Collections -------------------------------------------------------------------------------
 */

static struct zl_toml_value *read_value(struct zl_toml *t);

static bool fill_array(struct zl_toml *t, struct zl_toml_value *array)
{
  t->pos++;
  for (;;) {
    struct zl_mark mark;
    struct zl_toml_value *value;

    if (!zl_toml_skip_space(t))
      return false;
    if (zl_toml_peek(t) == ']')
      break;
    mark = zl_toml_here(t);
    value = read_value(t);
    if (value == NULL || !add_item(t, array, NULL, mark, value) || !zl_toml_skip_space(t))
      return false;
    if (zl_toml_peek(t) == ']')
      break;
    if (zl_toml_peek(t) != ',')
      return zl_toml_fail(t, zl_toml_here(t), "expected ',' or ']' in an array");
    t->pos++;
  }
  t->pos++;
  return true;
}

static bool read_pair(struct zl_toml *t, struct zl_toml_value *table);

static bool fill_inline(struct zl_toml *t, struct zl_toml_value *table)
{
  t->pos++;
  zl_toml_skip_blanks(t);
  if (zl_toml_peek(t) == '}') {
    t->pos++;
    return true;
  }
  for (;;) {
    zl_toml_skip_blanks(t);
    if (!read_pair(t, table))
      return false;
    zl_toml_skip_blanks(t);
    if (zl_toml_peek(t) == '}')
      break;
    if (zl_toml_peek(t) != ',')
      return zl_toml_fail(t, zl_toml_here(t), "expected ',' or '}' on the line of an inline table");
    t->pos++;
  }
  t->pos++;
  return true;
}

/* Dotted keys inside made tables; no one may add to them either any more. */
static void close_tables(struct zl_toml_value *table)
{
  table->origin = ZL_TOML_IN_LINE;
  for (struct zl_toml_item *item = table->first; item != NULL; item = item->next)
    if (item->value->origin == ZL_TOML_BY_DOTS)
      close_tables(item->value);
}

static struct zl_toml_value *read_collection(struct zl_toml *t, bool array)
{
  struct zl_toml_value *value =
      zl_toml_new_value(t, array ? ZL_NODE_LIST : ZL_NODE_MAP, zl_toml_here(t),
                        array ? ZL_TOML_IN_LINE : ZL_TOML_BY_DOTS);
  bool good;

  if (value == NULL)
    return NULL;
  if (t->depth >= ZL_MAX_SPEC_DEPTH) {
    (void)zl_toml_fail(t, zl_toml_here(t), "nested more than %d levels deep", ZL_MAX_SPEC_DEPTH);
    return NULL;
  }
  t->depth++;
  good = array ? fill_array(t, value) : fill_inline(t, value);
  t->depth--;
  if (good && !array)
    close_tables(value);
  return good ? value : NULL;
}

static struct zl_toml_value *read_value(struct zl_toml *t)
{
  switch (zl_toml_peek(t)) {
  case '"':
  case '\'':
    return zl_toml_read_string(t);
  case '[':
    return read_collection(t, true);
  case '{':
    return read_collection(t, false);
  default:
    return zl_toml_read_plain(t);
  }
}

/* ---- Pairs and headers ----------------------------------------------------------------------- */

/* One step down a path; made as `origin` when it is not there. Bounded by the depth of a tree. */
static struct zl_toml_value *step(struct zl_toml *t, struct zl_toml_value *table, const char *key,
                                  struct zl_mark mark, enum zl_toml_origin origin, unsigned depth)
{
  struct zl_toml_value *next = find_key(table, key);

  if (depth >= ZL_MAX_SPEC_DEPTH) {
    (void)zl_toml_fail(t, mark, "nested more than %d levels deep", ZL_MAX_SPEC_DEPTH);
    return NULL;
  }
  if (next == NULL) {
    next = zl_toml_new_value(t, ZL_NODE_MAP, mark, origin);
    return next != NULL && add_item(t, table, key, mark, next) ? next : NULL;
  }
  if (origin == ZL_TOML_BY_PATH && next->of_tables)
    return next->last->value;
  if (next->node.kind == ZL_NODE_MAP && next->origin != ZL_TOML_IN_LINE &&
      (origin == ZL_TOML_BY_PATH || next->origin == ZL_TOML_BY_DOTS))
    return next;
  (void)zl_toml_fail(t, mark, "'%.100s' is defined elsewhere and cannot be added to here", key);
  return NULL;
}

static bool read_pair(struct zl_toml *t, struct zl_toml_value *table)
{
  struct zl_mark mark = zl_toml_here(t);
  const char *key = zl_toml_read_key(t);
  struct zl_toml_value *value;

  for (unsigned depth = t->depth; key != NULL && take_dot(t); depth++) {
    table = step(t, table, key, mark, ZL_TOML_BY_DOTS, depth);
    if (table == NULL)
      return false;
    mark = zl_toml_here(t);
    key = zl_toml_read_key(t);
  }
  if (key == NULL)
    return false;
  if (zl_toml_peek(t) != '=')
    return zl_toml_fail(t, zl_toml_here(t), "expected '=' after a key");
  t->pos++;
  zl_toml_skip_blanks(t);
  if (find_key(table, key) != NULL)
    return twice(t, key, mark);
  value = read_value(t);
  return value != NULL && add_item(t, table, key, mark, value);
}

/* [name]: the table that it opens. */
static struct zl_toml_value *open_table(struct zl_toml *t, struct zl_toml_value *up,
                                        const char *key, struct zl_mark mark)
{
  struct zl_toml_value *found = find_key(up, key);

  if (found == NULL) {
    found = zl_toml_new_value(t, ZL_NODE_MAP, mark, ZL_TOML_BY_HEADER);
    return found != NULL && add_item(t, up, key, mark, found) ? found : NULL;
  }
  if (found->node.kind != ZL_NODE_MAP || found->origin != ZL_TOML_BY_PATH) {
    (void)twice(t, key, mark);
    return NULL;
  }
  found->origin = ZL_TOML_BY_HEADER;
  found->node.mark = mark;
  return found;
}

/* [[name]]: one more element. */
static struct zl_toml_value *open_element(struct zl_toml *t, struct zl_toml_value *up,
                                          const char *key, struct zl_mark mark)
{
  struct zl_toml_value *array = find_key(up, key), *table;

  if (array == NULL) {
    array = zl_toml_new_value(t, ZL_NODE_LIST, mark, ZL_TOML_IN_LINE);
    if (array == NULL || !add_item(t, up, key, mark, array))
      return NULL;
    array->of_tables = true;
  }
  if (!array->of_tables) {
    (void)zl_toml_fail(t, mark, "'%.100s' is there already and is not an array of tables", key);
    return NULL;
  }
  table = zl_toml_new_value(t, ZL_NODE_MAP, mark, ZL_TOML_BY_HEADER);
  return table != NULL && add_item(t, array, NULL, mark, table) ? table : NULL;
}

static bool read_header(struct zl_toml *t)
{
  const bool element = zl_toml_starts(t, "[[");
  struct zl_toml_value *up = t->root;
  struct zl_mark mark;
  const char *key;

  t->pos += element ? 2 : 1;
  zl_toml_skip_blanks(t);
  mark = zl_toml_here(t);
  key = zl_toml_read_key(t);
  for (unsigned depth = 0; key != NULL && take_dot(t); depth++) {
    up = step(t, up, key, mark, ZL_TOML_BY_PATH, depth);
    if (up == NULL)
      return false;
    mark = zl_toml_here(t);
    key = zl_toml_read_key(t);
  }
  if (key == NULL)
    return false;
  if (!zl_toml_starts(t, element ? "]]" : "]"))
    return zl_toml_fail(t, zl_toml_here(t), "expected '%s' after the name of a table",
                        element ? "]]" : "]");
  t->pos += element ? 2 : 1;
  t->table = element ? open_element(t, up, key, mark) : open_table(t, up, key, mark);
  return t->table != NULL;
}

static bool read_document(struct zl_toml *t)
{
  while (t->pos < t->len) {
    zl_toml_skip_blanks(t);
    if (zl_toml_peek(t) == '[') {
      if (!read_header(t))
        return false;
    } else if (zl_toml_peek(t) != '#' && zl_toml_peek(t) != '\n' && zl_toml_peek(t) != '\r' &&
               t->pos < t->len) {
      if (!read_pair(t, t->table))
        return false;
    }
    if (!zl_toml_end_line(t))
      return false;
  }
  return true;
}

/* ---- The tree -------------------------------------------------------------------------------- */

/* A path, and one more in each value of its last table: the depth is bounded by the square of
 * ZL_MAX_SPEC_DEPTH. */
static bool seal(struct zl_toml *t, struct zl_toml_value *value)
{
  size_t i = 0;

  if (value->node.kind == ZL_NODE_SCALAR)
    return true;
  value->node.entries = zl_tree_alloc(t->tree, (value->node.count + 1) * sizeof(struct zl_entry));
  if (value->node.entries == NULL)
    return zl_toml_no_memory(t);
  for (struct zl_toml_item *item = value->first; item != NULL; item = item->next) {
    value->node.entries[i++] = (struct zl_entry){ item->key, item->mark, &item->value->node };
    if (!seal(t, item->value))
      return false;
  }
  return true;
}

int zl_toml_parse(const char *text, size_t len, struct zl_spec_ctx *ctx, struct zl_tree **ret,
                  const struct zl_node **ret_root, struct zl_error *err)
{
  struct zl_toml t = { .text = text,
                       .len = len,
                       .line = 1,
                       .ctx = ctx,
                       .tree = calloc(1, sizeof(*t.tree)),
                       .scratch = ZL_BUF_INIT((size_t)ZL_MAX_TOML) };
  bool good;

  if (t.tree == NULL)
    return zl_fail_nomem(err, "TOML reader");
  *ret = t.tree;
  *ret_root = NULL;
  good = len <= ZL_MAX_TOML ||
         zl_toml_fail(&t, (struct zl_mark){ 0 }, "the file has more than %d bytes", ZL_MAX_TOML);
  t.root = t.table =
      zl_toml_new_value(&t, ZL_NODE_MAP, (struct zl_mark){ 1, 1 }, ZL_TOML_BY_HEADER);
  good =
      good && t.root != NULL && zl_toml_check_encoding(&t) && read_document(&t) && seal(&t, t.root);
  zl_buf_done(&t.scratch);
  if (ctx->no_memory)
    return zl_fail_nomem(err, "TOML reader");
  if (good)
    *ret_root = &t.root->node;
  return 0;
}
