/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"

int zl_cli_open(struct zl_cli *cli, struct zl_runtime **ret, struct zl_error *err)
{
  int r;

  if (cli->rt == NULL) {
    r = zl_runtime_open(&cli->options, &cli->rt, err);
    if (r < 0)
      return r;
  }
  *ret = cli->rt;
  return 0;
}

/* One write, so that lines of several processes do not mix. */
void zl_cli_note(const char *fmt, ...)
{
  char line[ZL_ERROR_MSG_MAX + 128];
  int head = snprintf(line, sizeof(line), "zlayer: "), len;
  va_list ap;

  va_start(ap, fmt);
  len = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
  va_end(ap);
  if (len < 0)
    return;
  len += head;
  if (len > (int)sizeof(line) - 2)
    len = (int)sizeof(line) - 2;
  line[len++] = '\n';
  (void)zl_fd_write_full(STDERR_FILENO, line, (size_t)len);
}

int zl_cli_failed(const struct zl_cli *cli, const struct zl_error *err)
{
  /* A reader that went away wants no more, not a message. */
  if (err->code != ZL_E_CANCELLED || err->os_error != EPIPE)
    zl_cli_note("%s", err->msg);
  if (!(cli->verb->flags & ZL_VERB_WORKLOAD))
    return ZL_RC_FAILED;
  if (err->code == ZL_E_NO_COMMAND)
    return ZL_RC_NO_COMMAND;
  return err->code == ZL_E_NOT_EXECUTABLE ? ZL_RC_CANNOT_EXECUTE : ZL_RC_OURS;
}

int zl_cli_outcome(const char *id, const struct zl_outcome *outcome)
{
  if (outcome->reason == ZL_EXIT_RUNTIME_ERROR)
    zl_cli_note("container '%s': %s", id, outcome->message);
  return outcome->exit_code;
}

int zl_cli_usage(const struct zl_cli *cli, const struct zl_error *err)
{
  zl_cli_note("%s: %s; see 'zlayer %s --help'", cli->path, err->msg, cli->path);
  return cli->verb->flags & ZL_VERB_WORKLOAD ? ZL_RC_OURS : ZL_RC_USAGE;
}

int zl_cli_each(struct zl_cli *cli, const struct zl_args *args, bool silent, zl_each_fn fn)
{
  struct zl_error err = { 0 };
  struct zl_runtime *rt;
  int rc = ZL_RC_OK, r = zl_cli_open(cli, &rt, &err);

  if (r < 0)
    return zl_cli_failed(cli, &err);
  for (size_t i = 0; i < args->n_operands; i++) {
    zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);

    r = fn(cli, rt, args, args->operands[i], &err);
    if (r >= 0 && !silent)
      r = zl_buf_printf(&line, &err, "%s\n", args->operands[i]);
    if (r >= 0)
      r = zl_cli_write(&line, &err);
    if (r < 0)
      rc = zl_cli_failed(cli, &err);
  }
  return rc;
}

bool zl_cli_confirm(const char *text)
{
  char answer[8] = "";

  (void)fprintf(stderr, "%s [y/N] ", text);
  if (fgets(answer, sizeof(answer), stdin) == NULL)
    return false;
  return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}
