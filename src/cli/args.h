/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line after parsing. Everything points into argv.
 */
#ifndef ZL_CLI_ARGS_H
#define ZL_CLI_ARGS_H

#include <stdint.h>
#include <zlayer/error.h>

#include "cli/verb.h"

struct zl_arg {
  const struct zl_option *option;
  const char *value; /* NULL for a flag */
};

struct zl_args {
  const struct zl_option *tables[2]; /* the verb's options (may be NULL), then the global ones */
  struct zl_arg *given;
  size_t n_given;
  char **operands; /* NULL-terminated */
  size_t n_operands;
};

/* Parses argv[0 .. argc-1] (no program name in it) by the verb's table and the global one, the
 * first winning where both have a name. `--` ends the options; with ZL_VERB_OPTIONS_FIRST the first
 * operand does too. `before` (may be NULL) holds options parsed earlier, which are taken over.
 * ZL_E_INVALID: unknown option (names the nearest), value missing, unexpected or not accepted, an
 * option given twice that may not be. Free with zl_args_done in any case. */
int zl_args_parse(struct zl_args *ret, const struct zl_option *own, unsigned flags, int argc,
                  char **argv, const struct zl_args *before, struct zl_error *err);
/* ZL_E_INVALID when the number of operands is outside the verb's bounds. */
int zl_args_check_operands(const struct zl_args *args, const struct zl_verb *verb,
                           struct zl_error *err);
void zl_args_done(struct zl_args *args);

/* Asking for an option that is in neither table is a programming error and aborts. */
bool zl_args_has(const struct zl_args *args, const char *name);
/* The value, or NULL when the option was not given. */
const char *zl_args_get(const struct zl_args *args, const char *name);
/* Values of a repeatable option in order: start with *pos = 0; NULL after the last. */
const char *zl_args_next(const struct zl_args *args, const char *name, size_t *pos);
/* A decimal number <= max, or `fallback` when the option was not given. ZL_E_INVALID. */
int zl_args_u64(const struct zl_args *args, const char *name, uint64_t max, uint64_t fallback,
                uint64_t *ret, struct zl_error *err);

/* The candidate nearest to `word` when it is near enough to be meant, else NULL. Feed candidates
 * one by one; start with a zeroed object and `word` set. */
struct zl_nearest {
  const char *word;
  const char *best;
  size_t distance;
};
void zl_nearest_offer(struct zl_nearest *nearest, const char *candidate);
/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
size_t zl_edit_distance(const char *a, const char *b);

#endif
