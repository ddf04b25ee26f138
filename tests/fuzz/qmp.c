/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of QEMU's monitor: whatever the bytes, a line is an event, a reply, a greeting or an
 * error, and never two of them; and a conversation made of such lines ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "vmm/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_line(const char *line, size_t len)
{
  zl_autojson *event = NULL, *reply = NULL;
  struct zl_error err = { 0 };

  if (zl_qmp_parse(line, len, &event, &reply, &err) < 0) {
    if (err.code != ZL_E_INVALID || event != NULL || reply != NULL)
      abort();
    return;
  }
  if (event != NULL && (reply != NULL || !json_is_string(json_object_get(event, "event"))))
    abort();
  if (reply != NULL && json_object_get(reply, "return") == NULL &&
      json_object_get(reply, "error") == NULL)
    abort();
}

static void count_event(void *ctx, const char *name, const json_t *data)
{
  (void)data;
  if (name == NULL)
    abort();
  ++*(size_t *)ctx;
}

/* The peer says all of it and hangs up. */
static void try_conversation(const uint8_t *data, size_t size)
{
  struct zl_error err = { 0 };
  struct zl_qmp qmp;
  size_t events = 0;
  int ends[2], r;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    abort();
  (void)send(ends[1], data, size, MSG_DONTWAIT);
  (void)shutdown(ends[1], SHUT_WR);
  r = zl_qmp_open(&qmp, ends[0], count_event, &events, UINT64_MAX, &err);
  while (r == 0)
    r = zl_qmp_call(&qmp, "query-status", NULL, UINT64_MAX, NULL, &err);
  if (err.code != ZL_E_REMOTE || events > size)
    abort();
  zl_qmp_close(&qmp);
  (void)close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  try_line((const char *)data, size);
  if (size <= ZL_QMP_MAX_LINE)
    try_conversation(data, size);
  return 0;
}
