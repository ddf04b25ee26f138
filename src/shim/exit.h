/* SPDX-License-Identifier: Apache-2.0
 *
 * How something ended.
 */
#ifndef ZL_SHIM_EXIT_H
#define ZL_SHIM_EXIT_H

#include <jansson.h>
#include <stdint.h>
#include <zlayer/error.h>

enum exit_reason {
  EXIT_EXITED,
  EXIT_SIGNAL,
  EXIT_OOM_KILLED,
  EXIT_RUNTIME_ERROR
};

struct exit_record {
  int code;
  enum exit_reason reason;
  int signal;
  uint64_t finished_at_ns;
  char message[ZL_ERROR_MSG_MAX]; /* EXIT_RUNTIME_ERROR only */
};

enum {
  EXIT_CODE_RUNTIME = 125, /* the failure is ours */
  EXIT_CODE_SIGNAL = 128   /* and the signal */
};

/* From a wait status, now. On systems that have one. */
struct exit_record exit_from_status(int status);
/* From a failure to execute, now: 127 no such command, 126 not executable, 125 anything else. */
struct exit_record exit_from_error(const struct zl_error *failure);
/* By force, now. */
struct exit_record exit_killed(void);

/* A new JSON object, or NULL when out of memory. */
json_t *exit_render(const struct exit_record *record);
const char *exit_reason_name(enum exit_reason reason);

#endif
