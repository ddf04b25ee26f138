/* SPDX-License-Identifier: Apache-2.0
 *
 * hcs-sim.exe: holds a machine (machine.h), and answers the doubles of all its clients.
 */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum {
  IDLE_MS = 60000,
  HANG_MS = 600000,
  LINE_MAX_ = 2000
};

struct machine machine;

static uint64_t active; /* when the last call came */
static FILE *log_file, *journal_file;

static const struct handler *const tables[] = {
  sim_session_handlers,  sim_system_handlers,  sim_process_handlers, sim_layer_handlers,
  sim_disk_handlers,     sim_grant_handlers,   sim_import_handlers,  sim_network_handlers,
  sim_endpoint_handlers, sim_control_handlers,
};

/* ---- What all files use ---------------------------------------------------------------------- */

void sim_lock(void)
{
  EnterCriticalSection(&machine.lock);
}

void sim_unlock(void)
{
  LeaveCriticalSection(&machine.lock);
}

void sim_changed(void)
{
  WakeAllConditionVariable(&machine.changed);
}

bool sim_wait(uint64_t deadline)
{
  uint64_t now = GetTickCount64();

  if (now >= deadline)
    return false;
  (void)SleepConditionVariableCS(&machine.changed, &machine.lock, (DWORD)(deadline - now));
  return true;
}

void sim_start_thread(DWORD(WINAPI *fn)(void *), void *ctx)
{
  HANDLE thread = CreateThread(NULL, 0, fn, ctx, 0, NULL);

  if (thread == NULL)
    abort();
  (void)CloseHandle(thread);
}

uint64_t sim_filetime(void)
{
  FILETIME now;

  GetSystemTimeAsFileTime(&now);
  return (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
}

void sim_log(const char *fmt, ...)
{
  va_list ap;

  va_start(ap, fmt);
  (void)fprintf(log_file, "%llu ", (unsigned long long)GetTickCount64());
  (void)vfprintf(log_file, fmt, ap);
  (void)fputc('\n', log_file);
  (void)fflush(log_file);
  va_end(ap);
}

void sim_misuse(const char *fmt, ...)
{
  char line[LINE_MAX_];
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(line, sizeof(line), fmt, ap);
  va_end(ap);
  sim_log("misuse: %s", line);
  (void)json_array_append_new(machine.misuse, json_string(line));
}

void sim_journal(const char *name, const struct session *session, uint32_t hr, json_t *args)
{
  char code[16], *text;
  json_t *line;

  (void)snprintf(code, sizeof(code), "0x%08x", hr);
  line = json_pack("{s:I,s:I,s:s,s:s,s:O}", "n", ++machine.calls, "pid",
                   (json_int_t)(session == NULL ? 0 : session->pid), "call", name, "hr", code,
                   "args", args);
  text = json_dumps(line, JSON_COMPACT);
  (void)fprintf(journal_file, "%s\n", text);
  (void)fflush(journal_file);
  free(text);
  (void)json_array_append_new(machine.journal, line);
}

const char *sim_text(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));

  return text == NULL ? "" : text;
}

json_t *sim_parse(const json_t *args, const char *key)
{
  const char *text = sim_text(args, key);

  return json_loads(text[0] == '\0' ? "{}" : text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

void sim_answer(struct call *call, json_t *document)
{
  char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);

  (void)json_object_set_new(call->reply, "result", json_string(text));
  free(text);
  json_decref(document);
}

uint32_t sim_refuse(struct call *call, uint32_t hr, const char *detail, const char *fmt, ...)
{
  char message[LINE_MAX_];
  json_t *document;
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(message, sizeof(message), fmt, ap);
  va_end(ap);
  sim_log("%s: 0x%08x %s: %s", call->name, hr, detail, message);
  if (strncmp(call->name, "Hcn", 3) == 0)
    document =
        json_pack("{s:b,s:s,s:I}", "Success", 0, "Error", message, "ErrorCode", (json_int_t)hr);
  else
    document = json_pack("{s:I,s:s,s:[{s:s,s:s,s:i}],s:[{s:{s:s}}]}", "Error",
                         (json_int_t)(int32_t)hr, "ErrorMessage", message, "ErrorEvents", "Message",
                         message, "Provider", "17a2afc9-4c69-5b9e-0ff5-47c45b2c95b1", "EventId", 0,
                         "Attribution", "OperationFailure", "Detail", detail);
  sim_answer(call, document);
  return hr;
}

/* ---- A call ---------------------------------------------------------------------------------- */

static const struct handler *find_handler(const char *name)
{
  for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
    for (const struct handler *h = tables[i]; h->name != NULL; h++)
      if (strcmp(h->name, name) == 0)
        return h;
  return NULL;
}

static bool is_compute(const char *name)
{
  return strncmp(name, "Hcs", 3) == 0 && strstr(name, "Layer") == NULL &&
         strstr(name, "BaseOS") == NULL;
}

static json_t *fault_render(const struct fault *fault)
{
  return json_pack("{s:I,s:i,s:s}", "hr", (json_int_t)fault->hr, "delay", (int)fault->delay, "do",
                   fault->action);
}

static struct fault fault_parse(const json_t *object)
{
  struct fault fault = { .hit = json_is_object(object) };

  if (fault.hit) {
    fault.hr = (uint32_t)json_integer_value(json_object_get(object, "hr"));
    fault.delay = (unsigned)json_integer_value(json_object_get(object, "delay"));
    (void)snprintf(fault.action, sizeof(fault.action), "%s", sim_text(object, "do"));
  }
  return fault;
}

static uint32_t take_handle(struct call *call, const struct handler *handler)
{
  const json_t *given = json_object_get(call->args, "handle");

  if (given == NULL)
    return 0;
  call->handle = sim_handle_find((uint64_t)json_integer_value(given));
  if (call->handle == NULL || call->handle->closed || call->handle->kind != handler->kind) {
    call->handle = NULL;
    if (!call->session->gone) /* one that was killed has lost its handles in the middle of a call */
      sim_misuse("%s with a handle that is not open, or of another kind", call->name);
    return HR_HANDLE;
  }
  return call->handle->dead && is_compute(call->name) ? HCS_DISCONNECT : 0;
}

static void delay(const struct fault *fault)
{
  if (!fault->hit || fault->delay == 0)
    return;
  sim_unlock();
  Sleep(fault->delay);
  sim_lock();
}

static bool hang_goes_on(const struct call *call)
{
  if (call->session == NULL || call->session->gone)
    return false;
  if (call->handle == NULL)
    return true;
  return !call->handle->dead && !call->handle->closed &&
         (call->handle->system == NULL || call->handle->system->state != STOPPED);
}

static uint32_t hang(const struct call *call)
{
  uint64_t deadline = GetTickCount64() + HANG_MS;

  while (hang_goes_on(call) && sim_wait(deadline))
    ;
  return call->handle != NULL && call->handle->dead ? HCS_DISCONNECT : HCS_STATE;
}

static uint32_t run(struct call *call, const struct handler *handler)
{
  const char *action = call->fault.hit ? call->fault.action : "";
  uint32_t hr;

  if (strcmp(action, "die") == 0) {
    sim_disconnect_all();
    return HCS_DISCONNECT;
  }
  if (strcmp(action, "hang") == 0)
    return hang(call);
  if (strcmp(action, "error") == 0) {
    (void)sim_refuse(call, call->fault.hr, "", "a knob of the test");
    (void)json_object_set_new(call->reply, "failed", json_true());
    return 0;
  }
  if (call->fault.hit && call->fault.hr != 0 && action[0] == '\0')
    return sim_refuse(call, call->fault.hr, "Injected", "a knob of the test");
  hr = handler->work(call);
  if (strcmp(action, "after") == 0 && (hr & 0x80000000) == 0)
    hr = sim_refuse(call, call->fault.hr, "Injected", "a knob of the test, after the work");
  return hr;
}

static uint32_t accept_call(struct call *call, const struct handler *handler)
{
  if (call->fault.hit && call->fault.at_call) {
    delay(&call->fault);
    if (call->fault.hr != 0)
      return sim_refuse(call, call->fault.hr, "Injected", "a knob of the test");
  }
  if (call->fault.hit)
    (void)json_object_set_new(call->reply, "fault", fault_render(&call->fault));
  return handler->accept == NULL ? 0 : handler->accept(call);
}

static uint32_t dispatch(struct call *call, const struct handler *handler, const json_t *request)
{
  const char *phase = sim_text(request, "phase");
  uint32_t hr;

  if (strncmp(call->name, "sim.", 4) == 0)
    return handler->work(call);
  if (call->session == NULL) { /* of another server, before this one */
    (void)json_object_set_new(call->reply, "stranger", json_true());
    return HCS_SERVICE;
  }
  if (strcmp(phase, "work") == 0)
    call->fault = fault_parse(json_object_get(request, "fault"));
  else
    call->fault = sim_knob_hit(call->name, call->args);
  if (strcmp(phase, "accept") != 0)
    delay(&call->fault);
  hr = is_compute(call->name) && sim_host_number("service") == 0 ? HCS_SERVICE : 0;
  if (hr == 0)
    hr = take_handle(call, handler);
  if (hr == 0)
    hr = strcmp(phase, "accept") == 0 ? accept_call(call, handler) : run(call, handler);
  if (strcmp(phase, "accept") != 0 || hr != 0)
    sim_journal(call->name, call->session, hr, call->args);
  return hr;
}

static json_t *serve(const json_t *request)
{
  struct call call = { .name = sim_text(request, "call"),
                       .args = json_object_get(request, "args"),
                       .reply = json_object() };
  const struct handler *handler = find_handler(call.name);
  uint32_t hr = HR_NOT_IMPLEMENTED;

  sim_lock();
  active = GetTickCount64();
  sim_knob_load();
  call.session = sim_session_find(json_integer_value(json_object_get(request, "session")));
  if (!json_is_object(call.args) || handler == NULL)
    sim_log("no such call: %s", call.name);
  else
    hr = dispatch(&call, handler, request);
  (void)json_object_set_new(call.reply, "hr", json_integer(hr));
  sim_unlock();
  return call.reply;
}

/* At once: ExitProcess waits for locks that threads have which it has ended. Jobs end with us. */
static _Noreturn void go(void)
{
  (void)TerminateProcess(GetCurrentProcess(), 0);
  abort();
}

static DWORD WINAPI converse(void *ctx)
{
  HANDLE pipe = ctx;
  json_t *request = sim_receive(pipe), *reply;
  bool last = strcmp(sim_text(request, "call"), "sim.stop") == 0;

  if (request != NULL) {
    reply = serve(request);
    (void)sim_send(pipe, reply);
    (void)FlushFileBuffers(pipe);
    json_decref(reply);
    json_decref(request);
  }
  if (last)
    go();
  (void)DisconnectNamedPipe(pipe);
  (void)CloseHandle(pipe);
  return 0;
}

/* ---- The process ----------------------------------------------------------------------------- */

static bool is_idle(uint64_t limit)
{
  if (GetTickCount64() - active < limit)
    return false;
  for (const struct session *s = machine.sessions; s != NULL; s = s->next)
    if (!s->gone)
      return false;
  return true;
}

static DWORD WINAPI watch_idle(void *ctx)
{
  char *given = sim_env("HCS_SIM_IDLE_MS");
  uint64_t limit = given == NULL ? IDLE_MS : strtoull(given, NULL, 10);

  (void)ctx;
  free(given);
  sim_lock();
  while (!is_idle(limit))
    (void)sim_wait(GetTickCount64() + 1000);
  sim_log("nobody is there any more");
  go();
}

static FILE *open_file(const char *name)
{
  char *path = sim_join(machine.dir, name);
  wchar_t *wide = sim_wide(path);
  FILE *file = _wfopen(wide, L"ab");

  free(wide);
  free(path);
  return file;
}

static bool set_up(void)
{
  WSADATA data;

  machine.dir = sim_env("HCS_SIM_DIR");
  if (machine.dir == NULL || !sim_is_directory(machine.dir) ||
      WSAStartup(MAKEWORD(2, 2), &data) != 0)
    return false;
  log_file = open_file("server.log");
  journal_file = open_file("journal");
  InitializeCriticalSection(&machine.lock);
  InitializeConditionVariable(&machine.changed);
  machine.layers = json_object();
  machine.grants = json_object();
  machine.networks = json_object();
  machine.endpoints = json_object();
  machine.namespaces = json_object();
  machine.listeners = json_object();
  machine.ended = json_object();
  machine.dropped = json_object();
  machine.journal = json_array();
  machine.misuse = json_array();
  machine.last_id = GetTickCount64() << 20;
  sim_knob_clear();
  active = GetTickCount64();
  return log_file != NULL && journal_file != NULL;
}

static HANDLE new_pipe(const char *name)
{
  return CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT,
                          PIPE_UNLIMITED_INSTANCES, 1 << 16, 1 << 16, 0, NULL);
}

/* There is always one more pipe than clients: the name never goes away. */
static void accept_all(const char *name)
{
  HANDLE pipe = new_pipe(name), ready;
  char *ready_name = sim_object_name("", "-ready");

  ready = CreateEventA(NULL, TRUE, FALSE, ready_name);
  (void)SetEvent(ready);
  while (pipe != INVALID_HANDLE_VALUE) {
    bool connected = ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED;
    HANDLE next = new_pipe(name);

    if (connected)
      sim_start_thread(converse, pipe);
    else
      (void)CloseHandle(pipe);
    pipe = next;
  }
  free(ready_name);
}

int main(void)
{
  if (!set_up())
    return 2;
  sim_start_thread(watch_idle, NULL);
  accept_all(sim_object_name("\\\\.\\pipe\\", ""));
  return 1;
}
