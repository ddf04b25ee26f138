/* SPDX-License-Identifier: Apache-2.0
 *
 * Collecting the errors of one file, each with its path and position.
 */
#ifndef ZL_SPEC_REPORT_H
#define ZL_SPEC_REPORT_H

#include <stdbool.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

#include "spec/node.h"

/* State of one reading or checking. */
struct zl_spec_ctx {
  struct zl_spec_errors errors;
  bool no_memory; /* sticky: the result is void */
  bool from_file; /* reading, not checking an object that a program made */
  unsigned quiet; /* > 0: below something already refused as not supported */
};

/* Where in the document a value is: a chain on the stack, the innermost first. Either `key` or
 * `index` names the step from `up`; the outermost one has neither. */
struct zl_at {
  const struct zl_at *up;
  const char *key;            /* NULL: an element of a list, or the outermost */
  size_t index;               /* with key NULL */
  const struct zl_node *node; /* the value; NULL when it is not in a file */
  struct zl_mark key_mark;    /* of its key in the file */
};

/* The child `key` (or its alias, which may be NULL) of a mapping, present in the file or not. */
struct zl_at zl_at_key(const struct zl_at *up, const char *key, const char *alias);
struct zl_at zl_at_index(const struct zl_at *up, size_t index);

/* Adds an error at the value, or at the nearest thing around it that is in the file. */
void zl_report(struct zl_spec_ctx *ctx, const struct zl_at *at, enum zl_code code, const char *fmt,
               ...) ZL_PRINTF(4, 5);
/* Adds an error at a position that is not a value's; `path` is relative to `at` and may be NULL. */
void zl_report_mark(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_mark mark,
                    enum zl_code code, const char *fmt, ...) ZL_PRINTF(5, 6);

/* Sorts by position, fills *err with the first one, and moves the list to *ret (may be NULL, then
 * it is dropped). Returns 0 when there was no error. */
int zl_spec_ctx_finish(struct zl_spec_ctx *ctx, const char *file_name, struct zl_spec_errors *ret,
                       struct zl_error *err);

#endif
