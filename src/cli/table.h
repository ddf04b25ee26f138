/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables for people: columns as wide as their longest cell, two blanks between them.
 */
#ifndef ZL_CLI_TABLE_H
#define ZL_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_TABLE_COLUMNS = 12
};

struct zl_table {
  size_t columns;
  bool headless; /* no first row with the titles */
  const char *const *titles;
  char **cells; /* row by row */
  size_t n_cells, room;
};

/* `titles` has `columns` (1..ZL_TABLE_COLUMNS) static strings. Free with zl_table_done. */
void zl_table_init(struct zl_table *table, const char *const *titles, size_t columns);
void zl_table_done(struct zl_table *table);

/* Appends the next cell of the current row as a copy; NULL counts as "". Control characters become
 * '?', since cells hold text from images and containers. ZL_E_NO_MEMORY. */
int zl_table_add(struct zl_table *table, const char *text, struct zl_error *err);
int zl_table_addf(struct zl_table *table, struct zl_error *err, const char *fmt, ...)
    ZL_PRINTF(3, 4);
/* Appends the whole table to `out`. Cells of an unfinished row are left out. */
int zl_table_render(const struct zl_table *table, struct zl_buf *out, struct zl_error *err);

#define zl_autotable ZL_CLEANUP(zl_table_done) struct zl_table

/* Columns that `text` takes on a terminal: its code points (wide characters count as one). */
size_t zl_text_width(const char *text);

#endif
