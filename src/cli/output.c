/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/table.h"

int zl_cli_write(const struct zl_buf *buf, struct zl_error *err)
{
  int r = buf->len == 0 ? 0 : zl_fd_write_full(STDOUT_FILENO, buf->data, buf->len);

  if (r < 0)
    return zl_fail(err, r == -EPIPE ? ZL_E_CANCELLED : ZL_E_SYSTEM, -r, "writing the output");
  return 0;
}

static int write_json(json_t *json, size_t flags, struct zl_error *err)
{
  zl_autojson *owned = json;
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autofree char *text = NULL;
  int r;

  if (owned == NULL || (text = json_dumps(owned, flags | JSON_ENCODE_ANY)) == NULL)
    return zl_fail_nomem(err, "JSON output");
  r = zl_buf_printf(&buf, err, "%s\n", text);
  return r < 0 ? r : zl_cli_write(&buf, err);
}

int zl_cli_write_json(json_t *json, struct zl_error *err)
{
  return write_json(json, JSON_INDENT(2), err);
}

int zl_cli_write_json_line(json_t *json, struct zl_error *err)
{
  return write_json(json, JSON_COMPACT, err);
}

json_t *zl_json_text(const char *text)
{
  return text != NULL ? json_string(text) : json_null();
}

json_t *zl_json_time(uint64_t wall_ns)
{
  char text[ZL_TIME_TEXT];

  return wall_ns != 0 ? json_string(zl_time_format(wall_ns, text)) : json_null();
}

static bool is_bytes(const char *key)
{
  size_t len = strlen(key);

  return len >= 5 && strcasecmp(key + len - 5, "bytes") == 0;
}

/* A leaf as people read it; objects and arrays of objects are walked by the caller. */
static int leaf(struct zl_buf *out, const char *key, const json_t *value, struct zl_error *err)
{
  char size[ZL_HUMAN_TEXT];
  size_t i;
  json_t *item;
  int r = 0;

  if (json_is_string(value))
    return zl_buf_puts(out, json_string_value(value), err);
  if (json_is_integer(value) && is_bytes(key))
    return zl_buf_puts(out, zl_human_size((uint64_t)json_integer_value(value), size), err);
  if (json_is_integer(value))
    return zl_buf_printf(out, err, "%lld", (long long)json_integer_value(value));
  if (json_is_real(value))
    return zl_buf_printf(out, err, "%g", json_real_value(value));
  if (json_is_boolean(value))
    return zl_buf_puts(out, json_is_true(value) ? "yes" : "no", err);
  json_array_foreach (value, i, item) {
    if (r >= 0 && i > 0)
      r = zl_buf_puts(out, ", ", err);
    if (r >= 0)
      r = leaf(out, key, item, err);
  }
  return r < 0 || !json_is_null(value) ? r : zl_buf_puts(out, "-", err);
}

static int walk(struct zl_table *table, const char *prefix, const json_t *object,
                struct zl_error *err);

static int add_leaf(struct zl_table *table, const char *name, const char *key, const json_t *value,
                    struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  int r = leaf(&text, key, value, err);

  if (r >= 0)
    r = zl_table_add(table, name, err);
  return r < 0 ? r : zl_table_add(table, text.len > 0 ? text.data : "-", err);
}

static int walk_list(struct zl_table *table, const char *name, const json_t *list,
                     struct zl_error *err)
{
  size_t i;
  json_t *item;
  int r = 0;

  json_array_foreach (list, i, item) {
    zl_autofree char *one = zl_asprintf("%s.%zu", name, i);

    if (one == NULL)
      return zl_fail_nomem(err, "the output");
    r = walk(table, one, item, err);
    if (r < 0)
      return r;
  }
  return r;
}

/* Nested members become "outer.inner", those of the n-th object of a list "list.n.inner"; the depth
 * was bounded when the text was parsed. */
static int walk(struct zl_table *table, const char *prefix, const json_t *object,
                struct zl_error *err)
{
  const char *key;
  json_t *value;
  int r = 0;

  json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
    zl_autofree char *name = zl_asprintf("%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);

    if (name == NULL)
      return zl_fail_nomem(err, "the output");
    if (json_is_object(value))
      r = walk(table, name, value, err);
    else if (json_is_object(json_array_get(value, 0)))
      r = walk_list(table, name, value, err);
    else
      r = add_leaf(table, name, key, value, err);
    if (r < 0)
      return r;
  }
  return 0;
}

int zl_cli_write_facts(const char *text, bool as_json, struct zl_error *err)
{
  static const char *const titles[] = { "", "" };
  zl_autojson *json = NULL;
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_OUTPUT);
  zl_autotable table;
  int r;

  zl_table_init(&table, titles, ZL_COUNT(titles));
  table.headless = true;
  r = zl_json_parse(text, strlen(text), "facts of the node", &json, err);
  if (r >= 0 && as_json)
    return zl_cli_write_json(zl_steal_ptr(&json), err);
  if (r >= 0)
    r = walk(&table, "", json, err);
  if (r >= 0)
    r = zl_table_render(&table, &out, err);
  return r < 0 ? r : zl_cli_write(&out, err);
}
