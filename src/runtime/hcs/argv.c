/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/argv.h"

#include <string.h>

#include "runtime/hcs/wintext.h"

/* Of the program's name everything up to a blank, of an argument blank and tab separate. Line ends
 * some runtimes take for blanks too. */
static bool needs_quotes(const char *text)
{
  return *text == '\0' || strpbrk(text, " \t\n\v\r\f\"") != NULL;
}

static bool has_blank(const char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char)*text <= ' ')
      return true;
  return false;
}

int zl_win_append_program(struct zl_buf *line, const char *name, const char *field,
                          struct zl_error *err)
{
  const char *quote = has_blank(name) ? "\"" : "";

  if (*name == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "%s: the program's name is empty", field);
  if (strchr(name, '"') != NULL)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "%s: the program's name '%.100s' has a quote; give each argument as an entry of "
                   "its own",
                   field, name);
  return zl_buf_printf(line, err, "%s%s%s", quote, name, quote);
}

static int append_backslashes(struct zl_buf *line, size_t count, struct zl_error *err)
{
  int r = 0;

  while (r == 0 && count-- > 0)
    r = zl_buf_append(line, "\\", 1, err);
  return r;
}

/* Backslashes are themselves, except in front of a quote: there each has to be doubled, the
 * closing quote's too. */
static int append_quoted(struct zl_buf *line, const char *text, struct zl_error *err)
{
  int r = zl_buf_append(line, "\"", 1, err);

  while (r == 0) {
    size_t slashes = strspn(text, "\\");
    size_t plain;

    text += slashes;
    if (*text == '\0' || *text == '"') {
      r = append_backslashes(line, 2 * slashes + (*text == '"' ? 1 : 0), err);
      if (r < 0 || *text == '\0')
        break;
      r = zl_buf_append(line, text++, 1, err);
      continue;
    }
    plain = strcspn(text, "\\\"");
    r = append_backslashes(line, slashes, err);
    if (r == 0)
      r = zl_buf_append(line, text, plain, err);
    text += plain;
  }
  return r < 0 ? r : zl_buf_append(line, "\"", 1, err);
}

int zl_win_append_argument(struct zl_buf *line, const char *argument, struct zl_error *err)
{
  int r = zl_buf_append(line, " ", 1, err);

  if (r < 0)
    return r;
  return needs_quotes(argument) ? append_quoted(line, argument, err)
                                : zl_buf_puts(line, argument, err);
}

int zl_win_finish_line(struct zl_buf *line, const char *field, char **ret, struct zl_error *err)
{
  size_t units = 0;
  char *text;

  if (line->len == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no command", field);
  if (!zl_wintext_units(line->data, &units))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: not UTF-8, which Windows needs", field);
  if (units >= ZL_WIN_COMMAND_MAX)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "%s: a command line of %zu characters, Windows takes at most %d", field, units,
                   ZL_WIN_COMMAND_MAX - 1);
  text = zl_buf_steal(line);
  if (text == NULL)
    return zl_fail_nomem(err, field);
  *ret = text;
  return 0;
}

int zl_win_command_line(const char *const *argv, const char *field, char **ret,
                        struct zl_error *err)
{
  zl_autobuf line = ZL_WIN_COMMAND_INIT;
  int r = 0;

  if (argv == NULL || argv[0] == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no command", field);
  r = zl_win_append_program(&line, argv[0], field, err);
  for (size_t i = 1; r == 0 && argv[i] != NULL; i++)
    r = zl_win_append_argument(&line, argv[i], err);
  if (r == -ZL_E_LIMIT)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "%s: a command line of more than %d characters, which Windows does not take",
                   field, ZL_WIN_COMMAND_MAX - 1);
  return r < 0 ? r : zl_win_finish_line(&line, field, ret, err);
}
