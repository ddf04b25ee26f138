/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/exit.h"

#include <string.h>

#include "base/signals.h"
#include "base/time.h"
#include "shim/text.h"

enum {
  CODE_NOT_EXECUTABLE = 126,
  CODE_NO_COMMAND = 127
};

static const char *const names[] = { "exited", "signal", "oom_killed", "runtime_error" };

const char *exit_reason_name(enum exit_reason reason)
{
  return names[reason];
}

struct exit_record exit_from_error(const struct zl_error *failure)
{
  struct exit_record record = { .reason = EXIT_RUNTIME_ERROR, .finished_at_ns = zl_time_wall() };

  record.code = failure->code == ZL_E_NO_COMMAND       ? CODE_NO_COMMAND
                : failure->code == ZL_E_NOT_EXECUTABLE ? CODE_NOT_EXECUTABLE
                                                       : EXIT_CODE_RUNTIME;
  memcpy(record.message, failure->msg, sizeof(record.message));
  return record;
}

struct exit_record exit_killed(void)
{
  return (struct exit_record){ .code = EXIT_CODE_SIGNAL + ZL_SIGNAL_KILL,
                               .reason = EXIT_SIGNAL,
                               .signal = ZL_SIGNAL_KILL,
                               .finished_at_ns = zl_time_wall() };
}

json_t *exit_render(const struct exit_record *record)
{
  json_t *json = json_pack("{s:i, s:s, s:i, s:I}", "exit_code", record->code, "reason",
                           exit_reason_name(record->reason), "signal", record->signal,
                           "finished_at_ns", (json_int_t)record->finished_at_ns);

  if (json != NULL && record->reason == EXIT_RUNTIME_ERROR)
    (void)json_object_set_new(json, "message", text_json(record->message));
  return json;
}
