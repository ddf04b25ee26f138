/* SPDX-License-Identifier: Apache-2.0
 *
 * hcssim.dll: a client of its machine's server. What its files have in common.
 */
#ifndef HCS_SIM_CLIENT_H
#define HCS_SIM_CLIENT_H

#include <windows.h>
#include <winsock2.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "text.h"

typedef uint32_t hr_t;

#define HR_POINTER UINT32_C(0x80004003)
#define HR_INVALID UINT32_C(0x80070057)
#define HR_HANDLE  UINT32_C(0x80070006)
#define HR_MEMORY  UINT32_C(0x8007000e)

enum client_kind {
  CLIENT_SYSTEM,
  CLIENT_PROCESS,
  CLIENT_OPERATION,
  CLIENT_NETWORK,
  CLIENT_ENDPOINT,
  CLIENT_NAMESPACE
};

struct hcs_event {
  uint32_t type;
  const wchar_t *data;
  void *operation;
};
typedef void(CALLBACK *event_fn)(struct hcs_event *event, void *context);

/* What a handle points at. Never freed, so that one used too late is found out and does no harm. */
struct object {
  enum client_kind kind;
  uint64_t id; /* the server's */
  bool closed;
  CRITICAL_SECTION lock; /* held while its callback runs */
  event_fn callback;
  void *context;
  uint32_t options;
  struct object *next;
};

/* Asks the server; takes the reference to `args`. Never NULL: without a server the answer has
 * HCS_E_SERVICE_DISCONNECT. */
json_t *client_call(const char *name, json_t *args);
/* The same with the members "phase" and "fault" of an operation; `fault` may be NULL. */
json_t *client_call_phase(const char *name, json_t *args, const char *phase, json_t *fault);
hr_t client_hr(const json_t *reply);
/* client_call for whoever only wants the number. */
hr_t client_simple(const char *name, json_t *args);
void client_misuse(const char *fmt, ...) __attribute__((format(gnu_printf, 1, 2)));

void client_object_init(struct object *object, enum client_kind kind, uint64_t id);
struct object *client_object_new(enum client_kind kind, uint64_t id);
/* NULL, and a misuse, for what is no open handle of that kind. `name`: the function. */
struct object *client_object(const void *handle, enum client_kind kind, const char *name);
void client_object_close(const void *handle, enum client_kind kind, const char *name);
void client_count_operation(LONG change);

/* A text that the caller of a double has to free; NULL for NULL. */
wchar_t *client_local_text(const char *text);
wchar_t *client_cotask_text(const char *text);
/* A JSON string of a parameter; NULL gives "". */
json_t *client_json_text(const wchar_t *text);
json_t *client_json_guid(const GUID *guid);
/* SeBackupPrivilege and SeRestorePrivilege are enabled in this process. */
bool client_is_privileged(void);

#endif
