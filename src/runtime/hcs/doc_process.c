/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "runtime/hcs/argv.h"
#include "runtime/hcs/command.h"
#include "runtime/hcs/doc_private.h"
#include "runtime/hcs/wintext.h"

/* ---- Parameters ---- */

static int check_size(unsigned rows, unsigned cols, const char *field, struct zl_error *err)
{
  if (rows <= UINT16_MAX && cols <= UINT16_MAX)
    return 0;
  return zl_fail(err, ZL_E_INVALID, 0, "%s: a console of %u rows and %u columns", field, rows,
                 cols);
}

static int check(const struct zl_hcs_process *p, struct zl_error *err)
{
  size_t units = 0;
  int r;

  if (p->line == NULL || *p->line == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no command line", p->field);
  if (!zl_wintext_units(p->line, &units))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: not UTF-8, which Windows needs", p->field);
  if (units >= ZL_WIN_COMMAND_MAX)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: a command line of %zu characters", p->field, units);
  r = check_size(p->rows, p->cols, p->field, err);
  if (r == 0 && p->directory != NULL)
    r = zl_win_check_path(p->directory, p->field, err);
  return r == 0 && p->user != NULL ? zl_wintext_check(p->user, p->field, ZL_WIN_USER_MAX, err) : r;
}

/* In a map names that differ in case only would be two, so they are checked, not merged. */
static int check_env(const struct zl_hcs_process *p, struct zl_error *err)
{
  for (size_t i = 0; p->env != NULL && p->env[i] != NULL; i++) {
    size_t len = strcspn(p->env[i], "="), units;

    if (len == 0 || p->env[i][len] == '\0' || p->env[i][len + 1] == '\0' ||
        !zl_wintext_units(p->env[i], &units))
      return zl_fail(err, ZL_E_INVALID, 0, "%s: environment: '%.100s' is no NAME=value", p->field,
                     p->env[i]);
    for (size_t j = 0; j < i; j++)
      if (zl_wintext_equal_n(p->env[i], p->env[j], len + 1))
        return zl_fail(err, ZL_E_INVALID, 0, "%s: environment: '%.100s' is there twice", p->field,
                       p->env[i]);
  }
  return 0;
}

static json_t *environment(char *const *env)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
    size_t len = strcspn(env[i], "=");
    zl_autofree char *name = zl_asprintf("%.*s", (int)len, env[i]);

    if (name == NULL)
      doc.failed = true;
    else
      zl_doc_text(&doc, name, env[i] + len + 1);
  }
  return zl_doc_end(&doc);
}

static json_t *console_size(const struct zl_hcs_process *p)
{
  if (!p->console || p->rows == 0 || p->cols == 0)
    return json_array();
  return json_pack("[i, i]", (int)p->rows, (int)p->cols);
}

int zl_hcs_doc_parameters(const struct zl_hcs_process *process, json_t **ret, struct zl_error *err)
{
  struct zl_doc doc;
  int r = check(process, err);

  if (r == 0)
    r = check_env(process, err);
  if (r < 0)
    return r;
  zl_doc_init(&doc);
  zl_doc_text(&doc, "CommandLine", process->line);
  zl_doc_text(&doc, "User", process->user);
  zl_doc_text(&doc, "WorkingDirectory", process->directory);
  zl_doc_part(&doc, "Environment", environment(process->env));
  zl_doc_flag(&doc, "EmulateConsole", process->console);
  zl_doc_flag(&doc, "CreateStdInPipe", process->in);
  zl_doc_flag(&doc, "CreateStdOutPipe", process->out);
  zl_doc_flag(&doc, "CreateStdErrPipe", process->err && !process->console);
  zl_doc_part(&doc, "ConsoleSize", console_size(process));
  return zl_doc_finish(&doc, "document of a process", ret, err);
}

/* ---- What a running one is told ---- */

int zl_hcs_doc_close(enum zl_hcs_stream stream, json_t **ret, struct zl_error *err)
{
  static const char *const names[] = { [ZL_HCS_STREAM_IN] = "StdIn",
                                       [ZL_HCS_STREAM_OUT] = "StdOut",
                                       [ZL_HCS_STREAM_ERR] = "StdErr",
                                       [ZL_HCS_STREAM_ALL] = "All" };
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "Operation", "CloseHandle");
  zl_doc_part(&doc, "CloseHandle", zl_doc_one_text("Handle", names[stream]));
  return zl_doc_finish(&doc, "closing a stream", ret, err);
}

int zl_hcs_doc_console_size(unsigned rows, unsigned cols, json_t **ret, struct zl_error *err)
{
  struct zl_doc doc, size;
  int r = check_size(rows, cols, "ConsoleSize", err);

  if (r < 0)
    return r;
  if (rows == 0 || cols == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "ConsoleSize: %u rows and %u columns", rows, cols);
  zl_doc_init(&size);
  zl_doc_number(&size, "Height", rows);
  zl_doc_number(&size, "Width", cols);
  zl_doc_init(&doc);
  zl_doc_text(&doc, "Operation", "ConsoleSize");
  zl_doc_part(&doc, "ConsoleSize", zl_doc_end(&size));
  return zl_doc_finish(&doc, "size of a console", ret, err);
}

int zl_hcs_doc_signal(enum zl_hcs_signal signal, json_t **ret, struct zl_error *err)
{
  const char *name = zl_hcs_signal_name(signal);
  struct zl_doc doc;

  if (name == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "ending a process by force is no signal");
  zl_doc_init(&doc);
  zl_doc_text(&doc, "Signal", name);
  return zl_doc_finish(&doc, "signal", ret, err);
}
