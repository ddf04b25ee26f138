/* SPDX-License-Identifier: Apache-2.0 */
#include "dll_operation.h"

#include <stdlib.h>
#include <string.h>

#define NOT_STARTED     UINT32_C(0x80370115)
#define ALREADY_STARTED UINT32_C(0x80370116)
#define IS_PENDING      UINT32_C(0x80370117)
#define WAIT_ELAPSED    UINT32_C(0x80370118)
#define CALLBACK_SET    UINT32_C(0x80370119)
#define NO_INFO         UINT32_C(0x8037011d)
#define IS_CANCELLED    UINT32_C(0x800704c7)

enum {
  EVENT_OPERATION = 0x01000000,
  OPTION_OPERATION_EVENTS = 1
};

enum progress {
  NEW,
  RUNNING,
  DONE
};

struct process_information {
  DWORD pid, reserved;
  HANDLE in, out, err;
};

typedef void(CALLBACK *completion_fn)(void *operation, void *context);

struct operation {
  struct object object;
  completion_fn completion;
  void *context;
  enum progress progress;
  enum operation_type type;
  struct object *system, *process;
  HANDLE done;
  hr_t hr;
  char *result;
  struct process_information info;
  bool cancelled;
  /* of the worker */
  const char *name;
  json_t *args, *fault;
};

static struct operation *find(const void *handle, const char *name)
{
  return (struct operation *)client_object(handle, CLIENT_OPERATION, name);
}

void *WINAPI HcsCreateOperation(const void *context, completion_fn fn)
{
  struct operation *op = sim_alloc(sizeof(*op));

  op->completion = fn;
  op->context = (void *)(uintptr_t)context;
  op->type = OPERATION_NONE;
  op->done = CreateEventW(NULL, TRUE, FALSE, NULL);
  client_object_init(&op->object, CLIENT_OPERATION, 0);
  op->object.id = (uint64_t)(uintptr_t)op;
  client_count_operation(1);
  return op;
}

void *WINAPI HcsCreateOperationWithNotifications(uint32_t events, const void *context,
                                                 completion_fn fn)
{
  (void)events;
  return HcsCreateOperation(context, fn);
}

static void drop_info(struct operation *op)
{
  if (op->info.in != NULL)
    (void)CloseHandle(op->info.in);
  if (op->info.out != NULL)
    (void)CloseHandle(op->info.out);
  if (op->info.err != NULL)
    (void)CloseHandle(op->info.err);
  memset(&op->info, 0, sizeof(op->info));
}

void WINAPI HcsCloseOperation(void *handle)
{
  struct operation *op = find(handle, "HcsCloseOperation");

  if (op == NULL)
    return;
  client_object_close(handle, CLIENT_OPERATION, "HcsCloseOperation");
  EnterCriticalSection(&op->object.lock);
  drop_info(op);
  (void)CloseHandle(op->done); /* nobody waits any more, and a worker leaves closed ones alone */
  op->done = NULL;
  LeaveCriticalSection(&op->object.lock);
  client_count_operation(-1);
}

void *WINAPI HcsGetOperationContext(void *handle)
{
  struct operation *op = find(handle, "HcsGetOperationContext");

  return op == NULL ? NULL : op->context;
}

hr_t WINAPI HcsSetOperationContext(void *handle, const void *context)
{
  struct operation *op = find(handle, "HcsSetOperationContext");

  if (op == NULL)
    return HR_HANDLE;
  op->context = (void *)(uintptr_t)context;
  return 0;
}

void *WINAPI HcsGetComputeSystemFromOperation(void *handle)
{
  struct operation *op = find(handle, "HcsGetComputeSystemFromOperation");

  return op == NULL ? NULL : op->system;
}

void *WINAPI HcsGetProcessFromOperation(void *handle)
{
  struct operation *op = find(handle, "HcsGetProcessFromOperation");

  return op == NULL ? NULL : op->process;
}

int WINAPI HcsGetOperationType(void *handle)
{
  struct operation *op = find(handle, "HcsGetOperationType");

  return op == NULL ? OPERATION_NONE : (int)op->type;
}

uint64_t WINAPI HcsGetOperationId(void *handle)
{
  struct operation *op = find(handle, "HcsGetOperationId");

  return op == NULL || op->progress == NEW ? UINT64_MAX : op->object.id;
}

hr_t WINAPI HcsSetOperationCallback(void *handle, const void *context, completion_fn fn)
{
  struct operation *op = find(handle, "HcsSetOperationCallback");

  if (op == NULL)
    return HR_HANDLE;
  if (op->progress != NEW)
    return ALREADY_STARTED;
  op->completion = fn;
  op->context = (void *)(uintptr_t)context;
  return 0;
}

hr_t WINAPI HcsCancelOperation(void *handle)
{
  struct operation *op = find(handle, "HcsCancelOperation");
  hr_t hr = 0;

  if (op == NULL)
    return HR_HANDLE;
  EnterCriticalSection(&op->object.lock);
  if (op->progress == NEW)
    hr = NOT_STARTED;
  else if (op->progress == RUNNING) {
    op->cancelled = true;
    op->hr = IS_CANCELLED;
    op->progress = DONE;
    (void)SetEvent(op->done);
  }
  LeaveCriticalSection(&op->object.lock);
  return hr;
}

/* ---- The work -------------------------------------------------------------------------------- */

static HANDLE handle_of(const json_t *info, const char *key)
{
  return (HANDLE)(intptr_t)json_integer_value(json_object_get(info, key));
}

static void take_info(struct operation *op, const json_t *info)
{
  if (info == NULL)
    return;
  op->info = (struct process_information){
    .pid = (DWORD)json_integer_value(json_object_get(info, "pid")),
    .in = handle_of(info, "in"),
    .out = handle_of(info, "out"),
    .err = handle_of(info, "err"),
  };
}

/* Under the operation's lock. */
static void finish(struct operation *op, const json_t *reply)
{
  const char *text = json_string_value(json_object_get(reply, "result"));

  take_info(op, json_object_get(reply, "info"));
  if (op->object.closed || op->cancelled) {
    drop_info(op);
    return;
  }
  op->hr = client_hr(reply);
  op->result = text == NULL ? NULL : sim_copy(text);
  op->progress = DONE;
  (void)SetEvent(op->done);
}

static void report(struct operation *op)
{
  struct object *about = op->process != NULL ? op->process : op->system;
  struct hcs_event event = { .type = EVENT_OPERATION, .operation = op };

  if (!op->object.closed && op->completion != NULL)
    op->completion(op, op->context);
  if (op->object.closed || about == NULL || (about->options & OPTION_OPERATION_EVENTS) == 0)
    return;
  EnterCriticalSection(&about->lock);
  if (!about->closed && about->callback != NULL)
    about->callback(&event, about->context);
  LeaveCriticalSection(&about->lock);
}

static DWORD WINAPI work(void *ctx)
{
  struct operation *op = ctx;
  json_t *reply = client_call_phase(op->name, op->args, "work", op->fault);

  json_decref(op->fault);
  EnterCriticalSection(&op->object.lock);
  finish(op, reply);
  LeaveCriticalSection(&op->object.lock);
  json_decref(reply);
  EnterCriticalSection(&op->object.lock);
  report(op);
  LeaveCriticalSection(&op->object.lock);
  return 0;
}

static hr_t check(struct operation *op, const struct started *call)
{
  const struct object *about = call->process != NULL ? call->process : call->system;

  if (op->progress != NEW)
    return ALREADY_STARTED;
  if (about != NULL && (about->options & OPTION_OPERATION_EVENTS) != 0 && op->completion != NULL)
    return CALLBACK_SET;
  return 0;
}

static void begin(struct operation *op, const struct started *call, json_t *args,
                  const json_t *accepted, struct object **ret)
{
  const json_t *id = call->made == NULL ? NULL : json_object_get(accepted, call->made);
  HANDLE thread;

  op->type = call->type;
  op->system = call->system;
  op->process = call->process;
  if (id != NULL) {
    *ret = client_object_new(call->made_kind, (uint64_t)json_integer_value(id));
    (void)json_object_set(args, call->made, (json_t *)(uintptr_t)id);
    if (call->made_kind == CLIENT_SYSTEM)
      op->system = *ret;
    else
      op->process = *ret;
  }
  op->name = call->name;
  op->args = args;
  op->fault = json_incref(json_object_get(accepted, "fault"));
  op->progress = RUNNING;
  thread = CreateThread(NULL, 0, work, op, 0, NULL);
  if (thread == NULL)
    abort();
  (void)CloseHandle(thread);
}

hr_t operation_start(void *handle, const struct started *call, json_t *args, struct object **ret)
{
  struct operation *op = find(handle, call->name);
  json_t *accepted = NULL;
  hr_t hr = op == NULL ? HR_HANDLE : check(op, call);

  if (hr == 0) {
    EnterCriticalSection(&op->object.lock);
    accepted = client_call_phase(call->name, json_incref(args), "accept", NULL);
    hr = client_hr(accepted);
    op->type = call->type;
    if ((hr & 0x80000000) != 0)
      finish(op, accepted); /* the error document can be asked for */
    else
      begin(op, call, json_incref(args), accepted, ret);
    LeaveCriticalSection(&op->object.lock);
    json_decref(accepted);
  }
  json_decref(args);
  return hr;
}

/* ---- Results --------------------------------------------------------------------------------- */

static hr_t result(struct operation *op, wchar_t **text)
{
  hr_t hr;

  EnterCriticalSection(&op->object.lock);
  hr = op->progress == NEW ? NOT_STARTED : op->progress == RUNNING ? IS_PENDING : op->hr;
  if (op->progress == DONE && text != NULL)
    *text = client_local_text(op->result);
  LeaveCriticalSection(&op->object.lock);
  return hr;
}

static hr_t wait(struct operation *op, DWORD ms)
{
  if (op->progress == NEW)
    return NOT_STARTED;
  return WaitForSingleObject(op->done, ms) == WAIT_OBJECT_0 ? 0 : WAIT_ELAPSED;
}

static hr_t with_info(struct operation *op, struct process_information *info, wchar_t **text)
{
  if (op->type != OPERATION_CREATE_PROCESS && op->type != OPERATION_GET_PROCESS_INFO)
    return NO_INFO;
  EnterCriticalSection(&op->object.lock);
  if (info != NULL && op->progress == DONE) {
    *info = op->info;
    op->info.in = op->info.out = op->info.err = NULL; /* the caller's now */
  }
  LeaveCriticalSection(&op->object.lock);
  return result(op, text);
}

hr_t WINAPI HcsGetOperationResult(void *handle, wchar_t **text)
{
  struct operation *op = find(handle, "HcsGetOperationResult");

  if (text != NULL)
    *text = NULL;
  return op == NULL ? HR_HANDLE : result(op, text);
}

hr_t WINAPI HcsGetOperationResultAndProcessInfo(void *handle, struct process_information *info,
                                                wchar_t **text)
{
  struct operation *op = find(handle, "HcsGetOperationResultAndProcessInfo");

  if (text != NULL)
    *text = NULL;
  return op == NULL ? HR_HANDLE : with_info(op, info, text);
}

hr_t WINAPI HcsWaitForOperationResult(void *handle, DWORD ms, wchar_t **text)
{
  struct operation *op = find(handle, "HcsWaitForOperationResult");
  hr_t hr = op == NULL ? HR_HANDLE : wait(op, ms);

  if (text != NULL)
    *text = NULL;
  return hr == 0 ? result(op, text) : hr;
}

hr_t WINAPI HcsWaitForOperationResultAndProcessInfo(void *handle, DWORD ms,
                                                    struct process_information *info,
                                                    wchar_t **text)
{
  struct operation *op = find(handle, "HcsWaitForOperationResultAndProcessInfo");
  hr_t hr = op == NULL ? HR_HANDLE : wait(op, ms);

  if (text != NULL)
    *text = NULL;
  return hr == 0 ? with_info(op, info, text) : hr;
}
