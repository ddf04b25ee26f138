/* SPDX-License-Identifier: Apache-2.0
 *
 * QEMU's monitor protocol: one JSON object per line, in both directions. Blocking with deadlines
 * (nanoseconds of CLOCK_BOOTTIME); bounded: a line has at most 64 KiB, an answer is waited for past
 * at most 256 events. Not thread-safe.
 */
#ifndef ZL_VMM_QMP_H
#define ZL_VMM_QMP_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum {
  ZL_QMP_MAX_LINE = 64 << 10,
  ZL_QMP_MAX_EVENTS = 256
};

/* `data` is borrowed and may be NULL. */
typedef void (*zl_qmp_event_fn)(void *ctx, const char *name, const json_t *data);

struct zl_qmp {
  int fd; /* owned, non-blocking; -1: closed */
  struct zl_buf in;
  zl_qmp_event_fn event; /* may be NULL; must not call back into the monitor */
  void *ctx;
  uint64_t serial; /* of the last call: tells the late answer to one that timed out */
};

/* Takes over a connected socket, also when it fails: reads the greeting and enters command mode.
 * ZL_E_REMOTE: QEMU has ended or speaks something else. ZL_E_TIMEOUT. */
int zl_qmp_open(struct zl_qmp *qmp, int fd, zl_qmp_event_fn event, void *ctx, uint64_t deadline_ns,
                struct zl_error *err);
void zl_qmp_close(struct zl_qmp *qmp); /* idempotent */

/* One command; `arguments` is released (NULL: none), `ret` (may be NULL) gets the "return" value,
 * which the caller releases. QEMU's own error is ZL_E_REMOTE with its text. Events that come
 * meanwhile are reported. */
int zl_qmp_call(struct zl_qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
                json_t **ret, struct zl_error *err);
/* As above with a descriptor for QEMU (getfd, add-fd). */
int zl_qmp_call_fd(struct zl_qmp *qmp, const char *command, json_t *arguments, int fd,
                   uint64_t deadline_ns, json_t **ret, struct zl_error *err);

/* Waits until at least one event has been reported. ZL_E_TIMEOUT, ZL_E_REMOTE. */
int zl_qmp_wait(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err);

/* Reports events that have come, without waiting; when there are very many, poll(2) tells of the
 * rest. ZL_E_REMOTE: QEMU has gone. */
int zl_qmp_poll(struct zl_qmp *qmp, struct zl_error *err);

/* The pure part, for the fuzzer: takes one line apart. Exactly one of *ret_event, *ret_reply is set
 * (to a new reference); a greeting is neither. ZL_E_INVALID. */
int zl_qmp_parse(const char *line, size_t len, json_t **ret_event, json_t **ret_reply,
                 struct zl_error *err);

#endif
