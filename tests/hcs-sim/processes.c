/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes of containers, as the compute service has them.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SIGNAL_MS = 600000
};

#define HCS_CONNECTION UINT32_C(0x8037010a) /* the service has no connection to the guest */

/* A handle of ours as the client's; ours is closed, unless it is kept. */
static json_int_t give(const struct session *session, HANDLE *ours, bool keep)
{
  HANDLE theirs = NULL;

  if (*ours == NULL)
    return 0;
  (void)DuplicateHandle(GetCurrentProcess(), *ours, session->process, &theirs, 0, FALSE,
                        DUPLICATE_SAME_ACCESS | (keep ? 0 : DUPLICATE_CLOSE_SOURCE));
  if (!keep)
    *ours = NULL;
  return (json_int_t)(intptr_t)theirs;
}

/* Of the input we keep an end: closing the client's alone tells the process nothing. */
static json_t *information(const struct session *session, struct process *p)
{
  bool given = json_object_get(p->parameters, "given") != NULL;
  json_t *info = json_pack("{s:I,s:I,s:I,s:I}", "pid", (json_int_t)p->pid, "in",
                           given ? (json_int_t)0 : give(session, &p->in, true), "out",
                           give(session, &p->out, false), "err", give(session, &p->err, false));

  (void)json_object_set_new(p->parameters, "given", json_true());
  return info;
}

static uint32_t accept_create(struct call *call)
{
  if (call->handle == NULL)
    return HR_HANDLE;
  (void)json_object_set_new(call->reply, "process",
                            json_integer((json_int_t)sim_handle_new(call->session, PROCESS)->id));
  return 0;
}

static uint32_t spawn(struct call *call, struct system *s, struct process **ret)
{
  json_t *parameters = sim_parse(call->args, "document");
  uint32_t hr;

  if (s == NULL || s->state != RUNNING)
    hr = sim_refuse(call, HCS_STATE, "CreateProcess", "the system does not run");
  else if (s->is_machine)
    hr = sim_refuse(call, HCS_CONNECTION, "CreateProcess",
                    "the service has no connection to the guest");
  else
    hr = sim_spawn(call, s, parameters, true, ret);
  json_decref(parameters);
  return hr;
}

static uint32_t create(struct call *call)
{
  struct handle *handle =
      sim_handle_find((uint64_t)json_integer_value(json_object_get(call->args, "process")));
  struct process *process = NULL;
  uint32_t hr;

  if (handle == NULL || handle->closed || call->handle == NULL)
    return HR_HANDLE;
  hr = spawn(call, call->handle->system, &process);
  if (hr != 0)
    return hr;
  handle->process = process;
  (void)json_object_set_new(call->reply, "pid", json_integer((json_int_t)process->pid));
  if (strcmp(call->fault.action, "quirk") == 0)
    return sim_refuse(call, call->fault.hr == 0 ? HR_CONSTRUCT : call->fault.hr, "CreateProcess",
                      "a knob of the test: the process runs all the same");
  (void)json_object_set_new(call->reply, "info", information(call->session, process));
  return 0;
}

static uint32_t open_process(struct call *call)
{
  DWORD pid = (DWORD)json_integer_value(json_object_get(call->args, "pid"));
  struct system *s = call->handle == NULL ? NULL : call->handle->system;
  struct process *process = s == NULL ? NULL : sim_process_find(s, pid);
  struct handle *handle;

  if (s == NULL || s->state != RUNNING)
    return HCS_STATE;
  if (process == NULL || process->exited)
    return HR_NOT_FOUND;
  handle = sim_handle_new(call->session, PROCESS);
  handle->process = process;
  (void)json_object_set_new(call->reply, "process", json_integer((json_int_t)handle->id));
  return 0;
}

/* NULL: the call has failed with *hr. */
static struct process *target(struct call *call, bool alive, uint32_t *hr)
{
  struct process *p = call->handle == NULL ? NULL : call->handle->process;

  *hr = 0;
  if (p == NULL)
    *hr = sim_refuse(call, HR_NOT_FOUND, "Process", "it was never created");
  else if (alive && p->exited)
    *hr = sim_refuse(call, HCS_PROCESS_STOPPED, "Process", "process %lu has exited", p->pid);
  return *hr == 0 ? p : NULL;
}

static uint32_t terminate(struct call *call)
{
  uint32_t hr;
  struct process *p = target(call, true, &hr);

  if (p == NULL)
    return hr;
  p->lost = strcmp(call->fault.action, "lose") == 0;
  return TerminateProcess(p->handle, ERROR_PROCESS_ABORTED) ? 0 : HR_ACCESS;
}

/* CtrlShutdown comes back when the process is gone. */
static uint32_t deliver(struct process *p, const char *name)
{
  uint64_t deadline = GetTickCount64() + SIGNAL_MS;

  sim_signal(p, name);
  while (strcmp(name, "CtrlShutdown") == 0 && !p->exited && sim_wait(deadline))
    ;
  return 0;
}

static uint32_t signal_process(struct call *call)
{
  json_t *options = sim_parse(call->args, "options");
  uint32_t hr;
  struct process *p = target(call, true, &hr);
  char why[512];

  if (p == NULL)
    (void)0;
  else if (!sim_strict(options, "SignalProcessOptions", why, sizeof(why)))
    hr = sim_refuse(call, HCS_JSON, "Signal", "%s", why);
  else if (json_object_get(options, "Signal") == NULL)
    hr = sim_refuse(call, HR_CONSTRUCT, "Signal", "$.Signal: missing");
  else
    hr = deliver(p, sim_text(options, "Signal"));
  json_decref(options);
  return hr;
}

static uint32_t information_of(struct call *call)
{
  uint32_t hr;
  struct process *p = target(call, true, &hr);

  if (p != NULL)
    (void)json_object_set_new(call->reply, "info", information(call->session, p));
  return hr;
}

static uint32_t properties(struct call *call)
{
  uint32_t hr;
  struct process *p = target(call, false, &hr);

  if (p != NULL)
    sim_answer(call, sim_process_status(p));
  return hr;
}

static uint32_t change(struct call *call, struct process *p, const json_t *request)
{
  const json_t *size = json_object_get(request, "ConsoleSize");
  const char *which = sim_text(json_object_get(request, "CloseHandle"), "Handle");

  if (strcmp(sim_text(request, "Operation"), "CloseHandle") == 0) {
    if (which[0] == '\0')
      return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.CloseHandle.Handle: missing");
    sim_process_close(p, which);
    return 0;
  }
  if (strcmp(sim_text(request, "Operation"), "ConsoleSize") != 0 || size == NULL)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.Operation: missing, or without its object");
  if (!p->console)
    return sim_refuse(call, HR_FAIL, "Modify", "process %lu has no console", p->pid);
  p->height = (unsigned)json_integer_value(json_object_get(size, "Height"));
  p->width = (unsigned)json_integer_value(json_object_get(size, "Width"));
  return 0;
}

static uint32_t modify(struct call *call)
{
  json_t *request = sim_parse(call->args, "options");
  uint32_t hr;
  struct process *p = target(call, true, &hr);
  char why[512];

  if (p != NULL)
    hr = sim_strict(request, "ProcessModifyRequest", why, sizeof(why))
             ? change(call, p, request)
             : sim_refuse(call, HCS_JSON, "Modify", "%s", why);
  json_decref(request);
  return hr;
}

static uint32_t wait_exit(struct call *call)
{
  json_int_t ms = json_integer_value(json_object_get(call->args, "timeout"));
  uint64_t start = GetTickCount64();
  uint32_t hr;
  struct process *p = target(call, false, &hr);

  if (p == NULL)
    return hr;
  while (!p->exited && !call->handle->dead) {
    uint64_t now = GetTickCount64(), end = ms == UINT32_MAX ? UINT64_MAX : start + (uint64_t)ms;

    if (now >= end || call->session->gone || call->handle->closed)
      return HCS_OPERATION_TIME;
    (void)sim_wait(end - now > 1000 ? now + 1000 : end);
  }
  if (call->handle->dead)
    return HCS_DISCONNECT;
  sim_answer(call, sim_process_status(p));
  return 0;
}

const struct handler sim_process_handlers[] = {
  { "HcsCreateProcess", create, true, accept_create, SYSTEM },
  { "HcsOpenProcess", open_process, false, NULL, SYSTEM },
  { "HcsTerminateProcess", terminate, true, NULL, PROCESS },
  { "HcsSignalProcess", signal_process, true, NULL, PROCESS },
  { "HcsGetProcessInfo", information_of, true, NULL, PROCESS },
  { "HcsGetProcessProperties", properties, true, NULL, PROCESS },
  { "HcsModifyProcess", modify, true, NULL, PROCESS },
  { "HcsWaitForProcessExit", wait_exit, false, NULL, PROCESS },
  { .name = NULL },
};
