/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/verb.h"

enum {
  COLUMNS = 100,
  LEFT_MAX = 34, /* longer option texts get a line of their own */
  LEFT_TEXT = 96
};

/* "  -e, --env KEY[=VALUE]" */
static size_t option_text(const struct zl_option *option, bool with_letter, char text[LEFT_TEXT])
{
  char letter[5] = "    ";

  if (with_letter && option->letter != '\0')
    (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
  return (size_t)snprintf(text, LEFT_TEXT, "  %s--%s%s%s", letter, option->name,
                          option->value != NULL ? " " : "",
                          option->value != NULL ? option->value : "");
}

static size_t left_width(const struct zl_option *options, size_t width)
{
  char text[LEFT_TEXT];
  size_t len;

  for (; options != NULL && options->name != NULL; options++) {
    len = option_text(options, true, text);
    if (!options->hidden && len <= LEFT_MAX && len > width)
      width = len;
  }
  return width;
}

/* Words of `text` from column `column` on, indented by `indent` on further lines. */
static int put_wrapped(struct zl_buf *out, const char *text, size_t indent, size_t column,
                       struct zl_error *err)
{
  size_t len;
  bool first = true;
  int r = 0;

  for (; *text != '\0' && r >= 0; text += len + (text[len] == ' ')) {
    len = strcspn(text, " ");
    if (!first && column + 1 + len > COLUMNS) {
      r = zl_buf_printf(out, err, "\n%*s", (int)indent, "");
      column = indent;
      first = true;
    }
    if (r >= 0)
      r = zl_buf_printf(out, err, "%s%.*s", first ? "" : " ", (int)len, text);
    column += len + !first;
    first = false;
  }
  return r < 0 ? r : zl_buf_puts(out, "\n", err);
}

static int put_row(struct zl_buf *out, const char *left, size_t width, const char *right,
                   struct zl_error *err)
{
  int r;

  if (strlen(left) > width)
    r = zl_buf_printf(out, err, "%s\n%*s", left, (int)width + 2, "");
  else
    r = zl_buf_printf(out, err, "%-*s", (int)width + 2, left);
  return r < 0 ? r : put_wrapped(out, right, width + 2, width + 2, err);
}

/* What the option accepts is part of its text: words are listed. */
static int put_option(struct zl_buf *out, const struct zl_option *option, bool with_letter,
                      size_t width, struct zl_error *err)
{
  char left[LEFT_TEXT], right[256];
  const char *words = option->complete;

  (void)option_text(option, with_letter, left);
  if (words == NULL || words[0] == '@')
    return put_row(out, left, width, option->summary, err);
  (void)snprintf(right, sizeof(right), "%s (%s)", option->summary, words);
  return put_row(out, left, width, right, err);
}

/* Options of `options` that `shadow` does not define itself. */
static int put_options(struct zl_buf *out, const char *title, const struct zl_option *options,
                       const struct zl_option *shadow, size_t width, struct zl_error *err)
{
  int r = zl_buf_printf(out, err, "\n%s:\n", title);

  for (const struct zl_option *o = options; o->name != NULL && r >= 0; o++) {
    if (o->hidden || zl_opt_find(shadow, o->name, strlen(o->name)) != NULL)
      continue;
    r = put_option(out, o, zl_opt_find_letter(shadow, o->letter) == NULL, width, err);
  }
  return r;
}

static size_t verbs_width(const struct zl_verb *const *table)
{
  size_t width = 0;

  for (; *table != NULL; table++)
    if (!((*table)->flags & ZL_VERB_HIDDEN) && strlen((*table)->name) + 2 > width)
      width = strlen((*table)->name) + 2;
  return width;
}

static int put_verbs(struct zl_buf *out, const struct zl_verb *const *table, struct zl_error *err)
{
  size_t width = verbs_width(table);
  const char *group = "";
  char left[LEFT_TEXT];
  int r = 0;

  for (; *table != NULL && r >= 0; table++) {
    if ((*table)->flags & ZL_VERB_HIDDEN)
      continue;
    if (strcmp(group, (*table)->group) != 0)
      r = zl_buf_printf(out, err, "\n%s:\n", (*table)->group);
    group = (*table)->group;
    (void)snprintf(left, sizeof(left), "  %s", (*table)->name);
    if (r >= 0)
      r = put_row(out, left, width, (*table)->summary, err);
  }
  return r;
}

int zl_help_verb(struct zl_buf *out, const struct zl_verb *verb, const char *path,
                 struct zl_error *err)
{
  size_t width = left_width(zl_global_options, left_width(verb->options, 0));
  int r = zl_buf_printf(out, err, "Usage: zlayer %s %s\n\n", path, verb->usage);

  if (r >= 0)
    r = put_wrapped(out, verb->summary, 0, 0, err);
  if (r >= 0 && verb->sub != NULL)
    r = put_verbs(out, verb->sub, err);
  if (r >= 0 && verb->options != NULL && verb->options->name != NULL)
    r = put_options(out, "Options", verb->options, NULL, width, err);
  if (r >= 0)
    r = put_options(out, "Options of every verb", zl_global_options, verb->options, width, err);
  if (r >= 0 && verb->detail != NULL)
    r = zl_buf_puts(out, "\n", err);
  if (r >= 0 && verb->detail != NULL)
    r = put_wrapped(out, verb->detail, 0, 0, err);
  return r;
}

int zl_help_overview(struct zl_buf *out, struct zl_error *err)
{
  int r = zl_buf_puts(out,
                      "Usage: zlayer [OPTIONS] VERB [ARGUMENTS]\n\n"
                      "Runs containers from OCI images, one by one or as declared in a file.\n",
                      err);

  if (r >= 0)
    r = put_verbs(out, zl_verbs, err);
  if (r >= 0)
    r = put_options(out, "Options", zl_global_options, NULL, left_width(zl_global_options, 0), err);
  if (r >= 0)
    r = zl_buf_puts(out,
                    "\n'zlayer VERB --help' explains a verb, 'zlayer help exit-codes' the exit "
                    "codes,\n'zlayer help references' how images are named.\n",
                    err);
  return r;
}
