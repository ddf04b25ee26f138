/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of computecore.dll. Each that works in the background is tracked by an operation, which
 * serves for that one call: the call says whether it was accepted, the operation how it ended.
 */
#ifndef ZL_RUNTIME_HCS_OPERATION_H
#define ZL_RUNTIME_HCS_OPERATION_H

#include <jansson.h>

#include "runtime/hcs/api.h"

enum {
  ZL_HCS_CALL_MS = 4 * 60 * 1000, /* of one call: machines on a busy host are slow to start */
  ZL_HCS_MAX_EVENTS = 8           /* of an error's document that are read */
};

struct zl_hcs_operation {
  const struct zl_hcs_api *api;
  void *handle;
  zl_wchar *text; /* what the call is told */
  zl_hr hr;       /* how it ended */
  char *result;   /* the answer's document, or NULL */
};

/* `document` (borrowed, may be NULL) becomes op->text. */
int zl_hcs_operation_open(const struct zl_hcs_api *api, const json_t *document, const char *what,
                          struct zl_hcs_operation *ret, struct zl_error *err);
/* Also while the service still works on it: the answer is then dropped. Idempotent. */
void zl_hcs_operation_close(struct zl_hcs_operation *op);
#define zl_autohcsoperation ZL_CLEANUP(zl_hcs_operation_close) struct zl_hcs_operation

/* `accepted` is what the call returned. Waits for the end and keeps result and op->hr. Fails like
 * zl_hresult_fail, with what the answer's document says. After a timeout the call was cancelled. */
int zl_hcs_operation_wait(struct zl_hcs_operation *op, zl_hr accepted, uint32_t timeout_ms,
                          const char *what, struct zl_error *err);
/* The same of calls that give a process. */
int zl_hcs_operation_wait_process(struct zl_hcs_operation *op, zl_hr accepted, uint32_t timeout_ms,
                                  const char *what, struct zl_hcs_process_info *ret,
                                  struct zl_error *err);

/* Fails with the code, and with the message in a document that came with it (may be NULL). */
int zl_hcs_fail_document(zl_hr hr, const char *what, const char *document, struct zl_error *err);
/* A text of computecore or computestorage as ours; the original is freed. NULL gives NULL. */
int zl_hcs_take_text(const struct zl_hcs_api *api, zl_wchar *text, char **ret,
                     struct zl_error *err);

#endif
