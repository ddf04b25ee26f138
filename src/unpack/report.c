/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"

void zl_report_prepare(void)
{
  json_object_seed(0);
}

/* Takes the reference. */
static int send_line(int fd, json_t *json, struct zl_error *err)
{
  zl_autojson *owned = json;
  zl_autofree char *text = NULL;
  int r;

  if (owned == NULL)
    return zl_fail_nomem(err, "report");
  r = zl_json_render(owned, &text, err);
  if (r < 0)
    return r;
  r = zl_fd_write_full(fd, text, strlen(text));
  if (r == 0)
    r = zl_fd_write_full(fd, "\n", 1);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "reporting the result") : 0;
}

int zl_report_result(int fd, const struct zl_pipeline_result *result, const struct zl_buf *notes,
                     struct zl_error *err)
{
  json_t *json = json_pack(
      "{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "ok", 1, "diff_id", result->diff_id,
      "stream_bytes", (json_int_t)result->stream_bytes, "bytes", (json_int_t)result->tar.bytes,
      "entries", (json_int_t)result->tar.entries, "skipped", (json_int_t)result->sink.skipped,
      "implicit", (json_int_t)result->sink.n_implicit, "deferred",
      (json_int_t)result->sink.n_deferred, "root_entry", (int)result->sink.root_entry, "pending",
      (int)result->pending);
  int r = send_line(fd, json, err);

  if (r == 0 && notes->len > 0)
    r = zl_fd_write_full(fd, notes->data, notes->len);
  return r < 0 ? r : 0;
}

int zl_report_fixed(int fd, struct zl_error *err)
{
  return send_line(fd, json_pack("{s:b}", "ok", 1), err);
}

void zl_report_failure(int fd, const struct zl_error *error)
{
  json_t *json = json_pack("{s:b, s:i, s:i, s:s}", "ok", 0, "code", (int)error->code, "os_error",
                           error->os_error, "message", error->msg);

  (void)send_line(fd, json, NULL);
}
