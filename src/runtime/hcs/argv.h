/* SPDX-License-Identifier: Apache-2.0
 *
 * An argument vector as the one text that Windows gives to a program, so that the program's C
 * runtime, or CommandLineToArgvW, reads the same vector out of it. The rules are those that
 * Microsoft documents for both ("Parsing C command-line arguments", "CommandLineToArgvW"). Those of
 * cmd.exe are others: its ^, %, & and | are not touched here, since no shell reads the text.
 */
#ifndef ZL_RUNTIME_HCS_ARGV_H
#define ZL_RUNTIME_HCS_ARGV_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_WIN_COMMAND_MAX =
      32767 /* UTF-16 units of CreateProcessW's lpCommandLine, its NUL among them */
};

/* A buffer that holds the longest: a unit of UTF-16 is at most three bytes. */
#define ZL_WIN_COMMAND_INIT ZL_BUF_INIT((size_t)3 * ZL_WIN_COMMAND_MAX)

/* Appends the program's name: in quotes if it has blanks, nothing in it is escaped. ZL_E_INVALID
 * naming `field`: empty, or with a quote, which no file's name has. */
int zl_win_append_program(struct zl_buf *line, const char *name, const char *field,
                          struct zl_error *err);
/* Appends a blank and one more argument. */
int zl_win_append_argument(struct zl_buf *line, const char *argument, struct zl_error *err);

/* The whole vector as a new text. `field` names it in messages: "services.web.command".
 * ZL_E_INVALID: empty, or not UTF-8. ZL_E_LIMIT: longer than Windows takes. */
int zl_win_command_line(const char *const *argv, const char *field, char **ret,
                        struct zl_error *err);
/* The checks of the finished line, and the line as a new text. */
int zl_win_finish_line(struct zl_buf *line, const char *field, char **ret, struct zl_error *err);

#endif
