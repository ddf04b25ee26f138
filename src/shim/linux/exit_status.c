/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>

#include "base/time.h"
#include "shim/exit.h"

struct exit_record exit_from_status(int status)
{
  struct exit_record record = { .finished_at_ns = zl_time_wall() };

  if (WIFSIGNALED(status)) {
    record.reason = EXIT_SIGNAL;
    record.signal = WTERMSIG(status);
    record.code = EXIT_CODE_SIGNAL + record.signal;
  } else {
    record.reason = EXIT_EXITED;
    record.code = WEXITSTATUS(status);
  }
  return record;
}
