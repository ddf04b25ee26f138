/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"

void zl_table_init(struct zl_table *table, const char *const *titles, size_t columns)
{
  *table = (struct zl_table){ .columns = columns, .titles = titles };
}

void zl_table_done(struct zl_table *table)
{
  for (size_t i = 0; i < table->n_cells; i++)
    free(table->cells[i]);
  free(table->cells);
  table->cells = NULL;
  table->n_cells = table->room = 0;
}

static int add_owned(struct zl_table *table, char *text, struct zl_error *err)
{
  size_t room = table->room == 0 ? 64 : table->room * 2;
  char **cells;

  if (text != NULL && table->n_cells == table->room) {
    cells = reallocarray(table->cells, room, sizeof(*cells));
    if (cells == NULL) {
      free(text);
      text = NULL;
    } else {
      table->cells = cells;
      table->room = room;
    }
  }
  if (text == NULL)
    return zl_fail_nomem(err, "a table");
  for (char *c = text; *c != '\0'; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f)
      *c = '?';
  table->cells[table->n_cells++] = text;
  return 0;
}

int zl_table_add(struct zl_table *table, const char *text, struct zl_error *err)
{
  return add_owned(table, strdup(text != NULL ? text : ""), err);
}

int zl_table_addf(struct zl_table *table, struct zl_error *err, const char *fmt, ...)
{
  va_list ap;
  char *text;

  va_start(ap, fmt);
  if (vasprintf(&text, fmt, ap) < 0)
    text = NULL;
  va_end(ap);
  return add_owned(table, text, err);
}

size_t zl_text_width(const char *text)
{
  size_t width = 0;

  for (; *text != '\0'; text++)
    width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

static void measure(const struct zl_table *table, size_t rows, size_t widths[ZL_TABLE_COLUMNS])
{
  size_t width;

  for (size_t c = 0; c < table->columns; c++) {
    widths[c] = table->headless ? 0 : zl_text_width(table->titles[c]);
    for (size_t r = 0; r < rows; r++) {
      width = zl_text_width(table->cells[r * table->columns + c]);
      if (width > widths[c])
        widths[c] = width;
    }
  }
}

/* The last column is not padded: no line ends with blanks. */
static int put_row(const struct zl_table *table, const char *const *cells, const size_t *widths,
                   struct zl_buf *out, struct zl_error *err)
{
  size_t last = table->columns;
  int r = 0;

  while (last > 1 && cells[last - 1][0] == '\0')
    last--;
  for (size_t c = 0; c < last && r >= 0; c++)
    r = zl_buf_printf(out, err, "%s%*s", cells[c],
                      c + 1 == last ? 0 : (int)(widths[c] - zl_text_width(cells[c]) + 2), "");
  return r < 0 ? r : zl_buf_puts(out, "\n", err);
}

int zl_table_render(const struct zl_table *table, struct zl_buf *out, struct zl_error *err)
{
  size_t widths[ZL_TABLE_COLUMNS], rows = table->n_cells / table->columns;
  int r = 0;

  measure(table, rows, widths);
  if (!table->headless)
    r = put_row(table, table->titles, widths, out, err);
  for (size_t row = 0; row < rows && r >= 0; row++)
    r = put_row(table, (const char *const *)&table->cells[row * table->columns], widths, out, err);
  return r;
}
