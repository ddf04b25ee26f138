/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/time.h"

enum {
  EXIT_NO_COMMAND = 127,
  EXIT_NOT_EXECUTABLE = 126
};

static char *render(const struct oci *oci, const char *text)
{
  char time[ZL_TIME_TEXT];
  zl_autojson *json = NULL;
  zl_autofree char *line = NULL;

  (void)zl_time_format(zl_time_wall(), time);
  if (!oci->log_json)
    return zl_asprintf("time=\"%s\" level=error msg=\"%s\"\n", time, text);
  json = json_pack("{s:s, s:s, s:s}", "level", "error", "msg", text, "time", time);
  if (json == NULL || zl_json_render(json, &line, NULL) < 0)
    return NULL;
  return zl_asprintf("%s\n", line);
}

void report_error(const struct oci *oci, const struct zl_error *failure)
{
  zl_autofree char *line = NULL;
  zl_autofd fd = -1;
  int r;

  (void)fprintf(stderr, "zlayer-oci: %s\n", failure->msg);
  if (oci->log == NULL)
    return;
  line = render(oci, failure->msg);
  fd = zl_fd_open(AT_FDCWD, oci->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  r = fd < 0 ? fd : line == NULL ? -ENOMEM : zl_fd_write_full(fd, line, strlen(line));
  if (r < 0)
    (void)fprintf(stderr, "zlayer-oci: --log '%s': %s\n", oci->log, strerror(-r));
}

int report_exit_code(const struct zl_error *failure)
{
  if (failure->code == ZL_E_NO_COMMAND)
    return EXIT_NO_COMMAND;
  return failure->code == ZL_E_NOT_EXECUTABLE ? EXIT_NOT_EXECUTABLE : EXIT_FAILURE;
}
