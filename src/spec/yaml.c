/* SPDX-License-Identifier: Apache-2.0
 *
 * libyaml's events into a tree. An alias shares the nodes of its anchor, and what it stands for
 * counts again towards the limits: a "billion laughs" file is refused, not expanded.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/strv.h"
#include "spec/node.h"
#include "spec/report.h"
#include "spec/tree.h"

struct anchor {
  struct anchor *next;
  char *name;
  const struct zl_node *node;
  size_t nodes, bytes; /* what one alias of it costs */
};

struct reader {
  yaml_parser_t parser;
  yaml_event_t event;
  bool has_event;
  struct zl_spec_ctx *ctx;
  struct zl_tree *tree;
  struct anchor *anchors;
  size_t nodes, bytes;
  unsigned depth;
  bool failed; /* an error after which the rest cannot be read; it was reported */
};

static struct zl_mark mark_of(yaml_mark_t mark)
{
  return (struct zl_mark){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

static void stop_at(struct reader *reader, const struct zl_at *at, struct zl_mark mark,
                    enum zl_code code, const char *message)
{
  if (!reader->failed)
    zl_report_mark(reader->ctx, at, mark, code, "%s", message);
  reader->failed = true;
}

static void out_of_memory(struct reader *reader)
{
  reader->ctx->no_memory = true;
  reader->failed = true;
}

/* The scanner's own words; `context` tells what it was reading. */
static void report_syntax(struct reader *reader)
{
  const yaml_parser_t *parser = &reader->parser;
  static const struct zl_at file = { 0 };
  struct zl_mark mark = mark_of(parser->problem_mark);
  const char *problem = parser->problem != NULL ? parser->problem : "not YAML";

  reader->failed = true;
  if (parser->error == YAML_MEMORY_ERROR)
    out_of_memory(reader);
  else if (parser->error == YAML_READER_ERROR)
    zl_report_mark(reader->ctx, &file, (struct zl_mark){ 0 }, ZL_E_INVALID,
                   "not YAML: %s at byte %zu", problem, parser->problem_offset);
  else
    zl_report_mark(reader->ctx, &file, mark, ZL_E_INVALID, "not YAML: %s%s%s", problem,
                   parser->context != NULL ? " " : "",
                   parser->context != NULL ? parser->context : "");
}

static bool next_event(struct reader *reader)
{
  if (reader->has_event)
    yaml_event_delete(&reader->event);
  reader->has_event = false;
  if (reader->failed)
    return false;
  if (yaml_parser_parse(&reader->parser, &reader->event) == 0) {
    report_syntax(reader);
    return false;
  }
  reader->has_event = true;
  return true;
}

/* Counts nodes and bytes; false past the limit. */
static bool charge(struct reader *reader, const struct zl_at *at, struct zl_mark mark, size_t nodes,
                   size_t bytes)
{
  reader->nodes += nodes;
  reader->bytes += bytes;
  if (reader->nodes <= ZL_MAX_SPEC_NODES && reader->bytes <= ZL_MAX_SPEC_TEXT)
    return true;
  stop_at(reader, at, mark, ZL_E_LIMIT,
          "the file is too large once its aliases are expanded (limit: 200000 values, 16 MiB)");
  return false;
}

static char *copy_text(struct reader *reader, const char *prefix, const yaml_char_t *text,
                       size_t len)
{
  size_t skip = strlen(prefix);
  char *copy = zl_tree_alloc(reader->tree, skip + len + 1);

  if (copy == NULL) {
    out_of_memory(reader);
    return NULL;
  }
  memcpy(copy, prefix, skip);
  memcpy(copy + skip, text, len);
  copy[skip + len] = '\0';
  return copy;
}

/* "!pin x" is the notation for one variant of several; it is read as "pin:x". Standard tags would
 * override how a value is typed, which is for the schema alone to say. */
static void read_tag(struct reader *reader, const struct zl_at *at, struct zl_node *node,
                     const yaml_char_t *tag, char *prefix, size_t size)
{
  const char *text = (const char *)tag;

  prefix[0] = '\0';
  if (text == NULL || strcmp(text, "!") == 0)
    return;
  if (text[0] != '!' || node->kind != ZL_NODE_SCALAR || strlen(text + 1) + 2 > size) {
    zl_report_mark(reader->ctx, at, node->mark, ZL_E_INVALID, "YAML tags are not allowed here");
    return;
  }
  (void)snprintf(prefix, size, "%s:", text + 1);
  node->tagged = true;
}

static struct zl_node *new_node(struct reader *reader, enum zl_node_kind kind)
{
  struct zl_node *node = zl_tree_alloc(reader->tree, sizeof(*node));

  if (node == NULL) {
    out_of_memory(reader);
    return NULL;
  }
  *node = (struct zl_node){ .kind = kind, .mark = mark_of(reader->event.start_mark) };
  return node;
}

static void keep_anchor(struct reader *reader, const yaml_char_t *name, const struct zl_node *node,
                        size_t nodes, size_t bytes)
{
  struct anchor *anchor;

  if (name == NULL || reader->failed)
    return;
  anchor = zl_tree_alloc(reader->tree, sizeof(*anchor));
  if (anchor == NULL) {
    out_of_memory(reader);
    return;
  }
  *anchor =
      (struct anchor){ .next = reader->anchors, .node = node, .nodes = nodes, .bytes = bytes };
  anchor->name = copy_text(reader, "", name, strlen((const char *)name));
  if (anchor->name != NULL)
    reader->anchors = anchor; /* a later anchor of the same name hides this one */
}

static const struct zl_node *read_alias(struct reader *reader, const struct zl_at *at)
{
  const char *name = (const char *)reader->event.data.alias.anchor;
  struct zl_mark mark = mark_of(reader->event.start_mark);

  for (const struct anchor *anchor = reader->anchors; anchor != NULL; anchor = anchor->next)
    if (strcmp(anchor->name, name) == 0)
      return charge(reader, at, mark, anchor->nodes, anchor->bytes) ? anchor->node : NULL;
  stop_at(reader, at, mark, ZL_E_INVALID, "alias of an anchor that is not known here");
  return NULL;
}

static const struct zl_node *read_scalar(struct reader *reader, const struct zl_at *at)
{
  const yaml_event_t *event = &reader->event;
  struct zl_node *node = new_node(reader, ZL_NODE_SCALAR);
  size_t len = event->data.scalar.length;
  char prefix[64];

  if (node == NULL || !charge(reader, at, node->mark, 1, len))
    return NULL;
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (memchr(event->data.scalar.value, '\0', len) != NULL)
    zl_report_mark(reader->ctx, at, node->mark, ZL_E_INVALID, "text contains a NUL character");
  read_tag(reader, at, node, event->data.scalar.tag, prefix, sizeof(prefix));
  node->text = copy_text(reader, prefix, event->data.scalar.value, len);
  if (node->text == NULL)
    return NULL;
  keep_anchor(reader, event->data.scalar.anchor, node, 1, len);
  return node;
}

static const struct zl_node *read_value(struct reader *reader, const struct zl_at *at);

/* Entries are gathered in a malloc'd array and moved to the arena when their number is known. */
struct gather {
  struct zl_entry *entries;
  size_t count, cap;
};

static void gather_free(struct gather *gather)
{
  free(gather->entries);
}

static bool gather_add(struct reader *reader, const struct zl_at *at, struct gather *gather,
                       struct zl_entry entry)
{
  size_t cap = gather->cap == 0 ? 8 : gather->cap * 2;
  struct zl_entry *grown;

  if (gather->count >= ZL_MAX_LIST) {
    stop_at(reader, at, entry.mark, ZL_E_LIMIT, "more than 4096 entries");
    return false;
  }
  if (gather->count == gather->cap) {
    grown = realloc(gather->entries, cap * sizeof(*grown));
    if (grown == NULL) {
      out_of_memory(reader);
      return false;
    }
    gather->entries = grown;
    gather->cap = cap;
  }
  gather->entries[gather->count++] = entry;
  return true;
}

static int compare_keys(const void *a, const void *b)
{
  const struct zl_entry *x = *(const struct zl_entry *const *)a;
  const struct zl_entry *y = *(const struct zl_entry *const *)b;
  int order = strcmp(x->key, y->key);

  return order != 0 ? order : (x > y) - (x < y);
}

static void check_duplicates(struct reader *reader, const struct zl_at *at,
                             const struct gather *gather)
{
  zl_autofree const struct zl_entry **sorted = NULL;

  if (gather->count < 2)
    return;
  sorted = malloc(gather->count * sizeof(const struct zl_entry *));
  if (sorted == NULL) {
    out_of_memory(reader);
    return;
  }
  for (size_t i = 0; i < gather->count; i++)
    sorted[i] = &gather->entries[i];
  qsort(sorted, gather->count, sizeof(const struct zl_entry *), compare_keys);
  for (size_t i = 1; i < gather->count; i++) {
    struct zl_at key = { .up = at, .key = sorted[i]->key };

    if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
      zl_report_mark(reader->ctx, &key, sorted[i]->mark, ZL_E_INVALID, "the key is there twice");
  }
}

static bool read_key(struct reader *reader, const struct zl_at *at, struct zl_entry *entry)
{
  const yaml_event_t *event = &reader->event;

  entry->mark = mark_of(event->start_mark);
  if (event->type != YAML_SCALAR_EVENT) {
    stop_at(reader, at, entry->mark, ZL_E_INVALID, "a key must be a simple text");
    return false;
  }
  if (!charge(reader, at, entry->mark, 0, event->data.scalar.length))
    return false;
  if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
    zl_report_mark(reader->ctx, at, entry->mark, ZL_E_INVALID, "a key contains a NUL character");
  entry->key = copy_text(reader, "", event->data.scalar.value, event->data.scalar.length);
  return entry->key != NULL;
}

/* Reads the entries up to the end event of the list or map. */
static bool read_entries(struct reader *reader, const struct zl_at *at, bool map,
                         struct gather *gather)
{
  while (next_event(reader)) {
    struct zl_entry entry = { 0 };
    struct zl_at child = { .up = at, .index = gather->count };

    if (reader->event.type == (map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT))
      return true;
    if (map) {
      if (!read_key(reader, at, &entry) || !next_event(reader))
        return false;
      child.key = entry.key;
    } else {
      entry.mark = mark_of(reader->event.start_mark);
    }
    entry.value = read_value(reader, &child);
    if (entry.value == NULL || !gather_add(reader, at, gather, entry))
      return false;
  }
  return false;
}

static bool fill_collection(struct reader *reader, const struct zl_at *at, struct zl_node *node)
{
  ZL_CLEANUP(gather_free) struct gather gather = { 0 };
  bool map = node->kind == ZL_NODE_MAP;

  if (!read_entries(reader, at, map, &gather))
    return false;
  if (map)
    check_duplicates(reader, at, &gather);
  node->count = gather.count;
  node->entries = zl_tree_alloc(reader->tree, gather.count * sizeof(*node->entries));
  if (node->entries == NULL) {
    out_of_memory(reader);
    return false;
  }
  if (gather.count > 0)
    memcpy(node->entries, gather.entries, gather.count * sizeof(*node->entries));
  return true;
}

static const struct zl_node *read_collection(struct reader *reader, const struct zl_at *at,
                                             bool map)
{
  const yaml_event_t *event = &reader->event;
  struct zl_node *node = new_node(reader, map ? ZL_NODE_MAP : ZL_NODE_LIST);
  size_t nodes = reader->nodes, bytes = reader->bytes;
  const yaml_char_t *name =
      map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
  zl_autofree char *anchor = name != NULL ? strdup((const char *)name) : NULL;
  char prefix[64];
  bool ok;

  if (node == NULL || !charge(reader, at, node->mark, 1, 0))
    return NULL;
  if (name != NULL && anchor == NULL) {
    out_of_memory(reader);
    return NULL;
  }
  if (reader->depth >= ZL_MAX_SPEC_DEPTH) {
    stop_at(reader, at, node->mark, ZL_E_LIMIT, "nested more than 32 levels deep");
    return NULL;
  }
  node->flow = map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                   : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
  read_tag(reader, at, node, map ? event->data.mapping_start.tag : event->data.sequence_start.tag,
           prefix, sizeof(prefix));
  reader->depth++;
  ok = fill_collection(reader, at, node);
  reader->depth--;
  if (!ok)
    return NULL;
  keep_anchor(reader, (const yaml_char_t *)anchor, node, reader->nodes - nodes,
              reader->bytes - bytes);
  return node;
}

/* The value that the current event begins; NULL after a reported error. */
static const struct zl_node *read_value(struct reader *reader, const struct zl_at *at)
{
  switch (reader->event.type) {
  case YAML_ALIAS_EVENT:
    return read_alias(reader, at);
  case YAML_SCALAR_EVENT:
    return read_scalar(reader, at);
  case YAML_SEQUENCE_START_EVENT:
    return read_collection(reader, at, false);
  case YAML_MAPPING_START_EVENT:
    return read_collection(reader, at, true);
  default:
    stop_at(reader, at, mark_of(reader->event.start_mark), ZL_E_INVALID, "expected a value");
    return NULL;
  }
}

static bool skip_events(struct reader *reader, unsigned count)
{
  while (count > 0 && next_event(reader))
    count--;
  return count == 0;
}

static const struct zl_node *read_document(struct reader *reader)
{
  static const struct zl_at file = { 0 };
  const struct zl_node *root;

  if (!skip_events(reader, 2)) /* the start of the stream, then a document */
    return NULL;
  if (reader->event.type == YAML_STREAM_END_EVENT) {
    stop_at(reader, &file, (struct zl_mark){ 0 }, ZL_E_INVALID, "the file is empty");
    return NULL;
  }
  if (!next_event(reader))
    return NULL;
  root = read_value(reader, &file);
  if (root == NULL || !skip_events(reader, 2)) /* its end, then the stream's */
    return NULL;
  if (reader->event.type != YAML_STREAM_END_EVENT) {
    stop_at(reader, &file, mark_of(reader->event.start_mark), ZL_E_INVALID,
            "a second document: one file holds one deployment");
    return NULL;
  }
  return root;
}

int zl_tree_parse(const char *text, size_t len, struct zl_spec_ctx *ctx, struct zl_tree **ret,
                  const struct zl_node **ret_root, struct zl_error *err)
{
  struct reader reader = { .ctx = ctx };

  reader.tree = calloc(1, sizeof(*reader.tree));
  if (reader.tree == NULL || yaml_parser_initialize(&reader.parser) == 0) {
    free(reader.tree);
    return zl_fail_nomem(err, "YAML reader");
  }
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
  *ret_root = read_document(&reader);
  if (reader.has_event)
    yaml_event_delete(&reader.event);
  yaml_parser_delete(&reader.parser);
  *ret = reader.tree;
  return 0;
}
