/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/time.h"
#include "oci/machine.h"

enum {
  EXIT_NO_COMMAND = 127,
  EXIT_NOT_EXECUTABLE = 126
};

/* As Go's %q writes what people put into messages; other bytes stay. */
static char *quote(const char *text)
{
  char *out = malloc(2 * strlen(text) + 1), *to = out;

  for (; out != NULL && *text != '\0'; text++) {
    if (*text == '"' || *text == '\\' || *text == '\n')
      *to++ = '\\';
    *to++ = *text == '\n' ? 'n' : *text;
  }
  if (out != NULL)
    *to = '\0';
  return out;
}

static char *render(const struct oci *oci, const char *level, const char *text)
{
  char time[ZL_TIME_TEXT];
  zl_autojson *json = NULL;
  zl_autofree char *line = NULL, *quoted = NULL;

  (void)zl_time_format(zl_time_wall(), time);
  if (!oci->log_json) {
    quoted = quote(text);
    return quoted != NULL ? zl_asprintf("time=\"%s\" level=%s msg=\"%s\"\n", time, level, quoted)
                          : NULL;
  }
  json = json_pack("{s:s, s:s, s:s}", "level", level, "msg", text, "time", time);
  if (json == NULL || zl_json_render(json, &line, NULL) < 0)
    return NULL;
  return zl_asprintf("%s\n", line);
}

int report_open(struct oci *oci, struct zl_error *err)
{
  static const char file[] = "file:";

  if (oci->log == NULL)
    return 0;
  if (zl_has_prefix(oci->log, "syslog:") || zl_has_prefix(oci->log, "journald:"))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "--log '%.100s': a file only", oci->log);
  if (zl_has_prefix(oci->log, file))
    oci->log += strlen(file);
  oci->log_fd = zl_fd_open(AT_FDCWD, oci->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (oci->log_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -oci->log_fd, "--log '%s'", oci->log);
  return 0;
}

/* The first process of a container says something too, before it closes what is not its own. */
static void write_line(void *ctx, enum zl_log_level level, const char *text)
{
  const struct oci *oci = ctx;
  zl_autofree char *line = render(oci, zl_log_level_name(level), text);

  if (line != NULL)
    (void)zl_fd_write_full(oci->log_fd >= 0 ? oci->log_fd : STDERR_FILENO, line, strlen(line));
}

void report_debug(struct oci *oci)
{
  zl_log_set_level(ZL_LOG_DEBUG);
  zl_log_set_sink(write_line, oci);
}

void report_error(const struct oci *oci, const struct zl_error *failure)
{
  zl_autofree char *line = NULL;
  int r;

  (void)fprintf(stderr, "%s: %s\n", oci_program(), failure->msg);
  if (oci->log_fd < 0)
    return;
  line = render(oci, "error", failure->msg);
  r = line == NULL ? -ENOMEM : zl_fd_write_full(oci->log_fd, line, strlen(line));
  if (r < 0)
    (void)fprintf(stderr, "%s: --log '%s': %s\n", oci_program(), oci->log, strerror(-r));
}

int report_exit_code(const struct oci *oci, const struct zl_error *failure)
{
  if (oci->failed != 0)
    return oci->failed;
  if (failure->code == ZL_E_NO_COMMAND)
    return EXIT_NO_COMMAND;
  return failure->code == ZL_E_NOT_EXECUTABLE ? EXIT_NOT_EXECUTABLE : EXIT_FAILURE;
}
