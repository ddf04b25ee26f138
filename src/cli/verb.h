/* SPDX-License-Identifier: Apache-2.0
 *
 * How a verb describes itself. Parsing, --help, shell completion and the "did you mean" of errors
 * all read these tables, so they cannot disagree.
 */
#ifndef ZL_CLI_VERB_H
#define ZL_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

struct zl_cli;
struct zl_args;

/* Exit codes, a promise (docs/cli.md). run and exec return the workload's own code, and the three
 * last ones for failures of ours, as Docker and POSIX shells do. */
enum {
  ZL_RC_OK = 0,
  ZL_RC_FAILED = 1,
  ZL_RC_USAGE = 2,
  ZL_RC_OURS = 125,
  ZL_RC_CANNOT_EXECUTE = 126,
  ZL_RC_NO_COMMAND = 127
};

/* What completes a value or an operand: one of these, or a list of words "error warning info",
 * which are then also the only values accepted. */
#define ZL_COMPLETE_CONTAINER "@container"
#define ZL_COMPLETE_IMAGE     "@image"
#define ZL_COMPLETE_FILE      "@file"
#define ZL_COMPLETE_DIRECTORY "@directory"
#define ZL_COMPLETE_VERB      "@verb"

/* One option. A table of them ends with a zeroed entry. */
struct zl_option {
  const char *name;     /* long form without its dashes */
  const char *value;    /* placeholder in the help; NULL: a flag without value */
  const char *summary;  /* one line, no full stop */
  const char *complete; /* see above; NULL: nothing known */
  char letter;          /* short form; '\0': none */
  bool repeat;          /* may be given several times */
  bool hidden;          /* in neither help nor completion */
};

enum {
  ZL_VERB_OPTIONS_FIRST = 1, /* options end at the first operand: the rest belongs to a workload */
  ZL_VERB_WORKLOAD = 2,      /* exit codes as of `run` */
  ZL_VERB_HIDDEN = 4,
  ZL_VERB_RAW = 8 /* everything behind its name is an operand: another program's command line */
};

enum {
  ZL_ANY_OPERANDS = 1 << 20
};

struct zl_verb {
  const char *name;
  const char *group; /* heading in the list of verbs */
  const char *summary;
  const char *usage;  /* what follows the name: "[OPTIONS] IMAGE" */
  const char *detail; /* a paragraph below the options; NULL: none */
  const struct zl_option *options;
  const struct zl_verb *const *sub; /* NULL-terminated; such a verb has no handler of its own */
  const char *operands;             /* completion of operands, as struct zl_option.complete */
  size_t min_operands, max_operands;
  unsigned flags; /* ZL_VERB_* */

  /* Returns the exit code; has reported its own errors. */
  int (*run)(struct zl_cli *cli, const struct zl_args *args);
};

/* The static table of all verbs, in the order of the help; ends with NULL. */
extern const struct zl_verb *const zl_verbs[];
/* Options that every verb has. */
extern const struct zl_option zl_global_options[];

/* NULL when there is none. */
const struct zl_verb *zl_verb_find(const struct zl_verb *const *table, const char *name);
/* The first entry of `options` with this name (or letter); NULL when there is none or no table. */
const struct zl_option *zl_opt_find(const struct zl_option *options, const char *name,
                                    size_t name_len);
const struct zl_option *zl_opt_find_letter(const struct zl_option *options, char letter);
/* True when `value` is one of the words that the option accepts, or it accepts any. */
bool zl_opt_accepts(const struct zl_option *option, const char *value);

/* Usage, summary, options and detail of a verb, at most 100 columns wide. `path` is its full name:
 * "system prune". */
struct zl_buf;
struct zl_error;
int zl_help_verb(struct zl_buf *out, const struct zl_verb *verb, const char *path,
                 struct zl_error *err);
/* All verbs by group, and the global options. */
int zl_help_overview(struct zl_buf *out, struct zl_error *err);
/* A page such as "exit-codes"; NULL when there is none. */
const char *zl_help_topic(const char *name);
/* The bash completion script. */
int zl_completion_bash(struct zl_buf *out, struct zl_error *err);

#endif
