/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/strv.h"
#include "spec/report.h"

enum {
  PATH_TEXT_MAX = 4096,
  MESSAGE_MAX = 1024
};

struct zl_at zl_at_key(const struct zl_at *up, const char *key, const char *alias)
{
  struct zl_at at = { .up = up, .key = key };
  const struct zl_node *map = up->node;

  for (size_t i = 0; map != NULL && map->kind == ZL_NODE_MAP && i < map->count; i++) {
    const struct zl_entry *entry = &map->entries[i];

    if (strcmp(entry->key, key) != 0 && (alias == NULL || strcmp(entry->key, alias) != 0))
      continue;
    at.node = entry->value;
    at.key_mark = entry->mark;
    break;
  }
  return at;
}

struct zl_at zl_at_index(const struct zl_at *up, size_t index)
{
  struct zl_at at = { .up = up, .index = index };

  if (up->node != NULL && up->node->kind == ZL_NODE_LIST && index < up->node->count)
    at.node = up->node->entries[index].value;
  return at;
}

/* A block list or map "begins" at its first element, which says little: its key is shown. */
static struct zl_mark mark_of(const struct zl_at *at)
{
  while (at != NULL && at->node == NULL)
    at = at->up;
  if (at == NULL)
    return (struct zl_mark){ 0 };
  if (at->node->kind != ZL_NODE_SCALAR && !at->node->flow && at->key_mark.line != 0)
    return at->key_mark;
  return at->node->mark;
}

static int append_path(struct zl_buf *path, const struct zl_at *at)
{
  int r = 0;

  if (at->up == NULL)
    return at->key != NULL ? zl_buf_puts(path, at->key, NULL) : 0;
  r = append_path(path, at->up);
  if (r < 0)
    return r;
  if (at->key == NULL)
    return zl_buf_printf(path, NULL, "[%zu]", at->index);
  return zl_buf_printf(path, NULL, "%s%s", path->len > 0 ? "." : "", at->key);
}

/* Messages are one line; a file may hold anything. */
static void make_printable(char *text)
{
  for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
    if (*p < ' ' || *p == 0x7f)
      *p = '?';
}

static char *path_text(const struct zl_at *at)
{
  zl_autobuf path = ZL_BUF_INIT(PATH_TEXT_MAX);
  char *text;

  (void)append_path(&path, at); /* a path that long is cut */
  text = zl_buf_steal(&path);
  if (text != NULL)
    make_printable(text);
  return text;
}

static void add(struct zl_spec_ctx *ctx, struct zl_spec_error error)
{
  struct zl_spec_error *items;

  items = realloc(ctx->errors.items, (ctx->errors.count + 1) * sizeof(*items));
  if (items != NULL)
    ctx->errors.items = items;
  if (items == NULL || error.path == NULL || error.message == NULL) {
    ctx->no_memory = true;
    free(error.path);
    free(error.message);
    return;
  }
  items[ctx->errors.count++] = error;
}

static ZL_PRINTF(5, 0) void report(struct zl_spec_ctx *ctx, const struct zl_at *at,
                                   struct zl_mark mark, enum zl_code code, const char *fmt,
                                   va_list ap)
{
  struct zl_spec_error error = { .code = code, .line = mark.line, .column = mark.column };
  char message[MESSAGE_MAX];

  if (ctx->errors.count >= ZL_MAX_SPEC_ERRORS) {
    ctx->errors.truncated = true;
    return;
  }
  (void)vsnprintf(message, sizeof(message), fmt, ap);
  make_printable(message);
  error.path = path_text(at);
  error.message = strdup(message);
  add(ctx, error);
}

void zl_report(struct zl_spec_ctx *ctx, const struct zl_at *at, enum zl_code code, const char *fmt,
               ...)
{
  va_list ap;

  va_start(ap, fmt);
  report(ctx, at, mark_of(at), code, fmt, ap);
  va_end(ap);
}

void zl_report_mark(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_mark mark,
                    enum zl_code code, const char *fmt, ...)
{
  va_list ap;

  va_start(ap, fmt);
  report(ctx, at, mark, code, fmt, ap);
  va_end(ap);
}

/* By position; those found first stay first, which realloc'ed addresses cannot tell: the sort is an
 * insertion sort of at most ZL_MAX_SPEC_ERRORS. */
static void sort_errors(struct zl_spec_errors *errors)
{
  for (size_t i = 1; i < errors->count; i++) {
    struct zl_spec_error error = errors->items[i];
    size_t j = i;

    while (j > 0 && (errors->items[j - 1].line > error.line ||
                     (errors->items[j - 1].line == error.line &&
                      errors->items[j - 1].column > error.column))) {
      errors->items[j] = errors->items[j - 1];
      j--;
    }
    errors->items[j] = error;
  }
}

char *zl_spec_error_text(const struct zl_spec_error *error, const char *file_name)
{
  zl_autofree char *where = NULL;

  where = error->line == 0 ? strdup("")
                           : zl_asprintf(", line %u, column %u", error->line, error->column);
  if (where == NULL)
    return NULL;
  return zl_asprintf("%s%s%s%s%s%s", file_name != NULL ? file_name : "",
                     file_name != NULL ? ": " : "", error->path, error->path[0] != '\0' ? ": " : "",
                     error->message, where);
}

void zl_spec_errors_done(struct zl_spec_errors *errors)
{
  for (size_t i = 0; i < errors->count; i++) {
    free(errors->items[i].path);
    free(errors->items[i].message);
  }
  free(errors->items);
  *errors = (struct zl_spec_errors){ 0 };
}

static int fail_with_first(const struct zl_spec_errors *errors, const char *file_name,
                           struct zl_error *err)
{
  zl_autofree char *text = zl_spec_error_text(&errors->items[0], file_name);

  if (text == NULL)
    return zl_fail_nomem(err, "error text");
  return zl_fail(err, errors->items[0].code, 0, "%s", text);
}

int zl_spec_ctx_finish(struct zl_spec_ctx *ctx, const char *file_name, struct zl_spec_errors *ret,
                       struct zl_error *err)
{
  int r = 0;

  sort_errors(&ctx->errors);
  if (ctx->no_memory)
    r = zl_fail_nomem(err, "reading a deployment");
  else if (ctx->errors.count > 0)
    r = fail_with_first(&ctx->errors, file_name, err);
  if (ret != NULL) {
    zl_spec_errors_done(ret);
    *ret = ctx->errors;
    ctx->errors = (struct zl_spec_errors){ 0 };
  } else {
    zl_spec_errors_done(&ctx->errors);
  }
  return r;
}
