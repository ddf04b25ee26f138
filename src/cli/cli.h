/* SPDX-License-Identifier: Apache-2.0
 *
 * What verbs share: the runtime, opened when a verb first needs it, and the ways to speak to the
 * user. Results go to standard output, everything else to standard error.
 */
#ifndef ZL_CLI_CLI_H
#define ZL_CLI_CLI_H

#include <stdbool.h>
#include <zlayer/image.h>
#include <zlayer/runtime.h>
#include <zlayer/spec.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "cli/args.h"
#include "cli/verb.h"

struct zl_cli {
  const struct zl_verb *verb;
  char path[64]; /* the verb's full name: "system prune" */
  struct zl_runtime_options options;
  struct zl_runtime *rt; /* NULL until zl_cli_open */
};

#define ZL_OPTION_JSON(text)        \
  {                                 \
    .name = "json", .summary = text \
  }

/* The node's state, opened at the first call; it belongs to `cli`. */
int zl_cli_open(struct zl_cli *cli, struct zl_runtime **ret, struct zl_error *err);

/* Each prints one line and returns the exit code for it. Failed: the code of the verb's kind, or of
 * the workload's command. Usage: points to --help. */
int zl_cli_failed(const struct zl_cli *cli, const struct zl_error *err);
int zl_cli_usage(const struct zl_cli *cli, const struct zl_error *err);
/* The exit code of the workload; says why when it is not its own. */
int zl_cli_outcome(const char *id, const struct zl_outcome *outcome);
/* "zlayer: ..." without an exit code. */
void zl_cli_note(const char *fmt, ...) ZL_PRINTF(1, 2);

/* Writes all of it to standard output. ZL_E_CANCELLED when the reader is gone (`| head`). */
int zl_cli_write(const struct zl_buf *buf, struct zl_error *err);
/* One document, indented; `json` is consumed, NULL means out of memory. */
int zl_cli_write_json(json_t *json, struct zl_error *err);
/* One document on one line, for streams. */
int zl_cli_write_json_line(json_t *json, struct zl_error *err);
/* Text of the library that is one JSON object: as it is, or for people as aligned "key  value". */
int zl_cli_write_facts(const char *text, bool as_json, struct zl_error *err);

enum {
  ZL_MAX_OUTPUT = 64 << 20 /* one listing; 4096 containers with long commands are far below */
};

/* Exit code of a verb whose steps return 0 or a negative code. */
static inline int zl_cli_finish(const struct zl_cli *cli, int r, const struct zl_error *err)
{
  return r < 0 ? zl_cli_failed(cli, err) : ZL_RC_OK;
}

/* Calls fn for each operand; goes on after a failure, which it reports. Prints the operand after a
 * success unless `silent`. */
typedef int (*zl_each_fn)(struct zl_cli *cli, struct zl_runtime *rt, const struct zl_args *args,
                          const char *operand, struct zl_error *err);
int zl_cli_each(struct zl_cli *cli, const struct zl_args *args, bool silent, zl_each_fn fn);

/* Asks "text [y/N] " on the terminal. False also for anything but y or yes. */
bool zl_cli_confirm(const char *text);

/* JSON members as `ps`, `inspect` and `events` name them; NULL becomes null. New references; NULL
 * when out of memory. */
json_t *zl_json_text(const char *text);
/* RFC 3339, null for 0. */
json_t *zl_json_time(uint64_t wall_ns);

#endif
