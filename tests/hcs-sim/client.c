/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <objbase.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "wire.h"

#define DISCONNECT UINT32_C(0x8037011e)

enum {
  EVENT_SERVICE_DISCONNECT = 0x02000000,
  MAX_TEXTS = 4096
};

static struct {
  INIT_ONCE once;
  CRITICAL_SECTION lock;
  HMODULE module;
  struct sim_counters *counters;
  json_int_t session; /* 0: none */
  struct object *objects;
} client = { .once = INIT_ONCE_STATIC_INIT };

static struct {
  void *memory;
  bool cotask;
} texts[MAX_TEXTS];

/* ---- The server ------------------------------------------------------------------------------ */

static void map_counters(void)
{
  char *suffix = sim_format("-counters-%lu", GetCurrentProcessId());
  char *name = sim_object_name("", suffix);
  HANDLE mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0,
                                      sizeof(*client.counters), name);
  struct sim_counters *mapped = NULL;

  if (mapping != NULL)
    mapped = MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(*mapped));
  if (mapped == NULL)
    abort();
  if (client.counters != NULL) {
    *mapped = *client.counters;
    (void)UnmapViewOfFile(client.counters);
  }
  client.counters = mapped;
  free(name);
  free(suffix);
}

static BOOL CALLBACK set_up(PINIT_ONCE once, void *parameter, void **context)
{
  (void)once;
  (void)parameter;
  (void)context;
  InitializeCriticalSection(&client.lock);
  return TRUE;
}

static void enter(void)
{
  (void)InitOnceExecuteOnce(&client.once, set_up, NULL, NULL);
  EnterCriticalSection(&client.lock);
}

static void leave(void)
{
  LeaveCriticalSection(&client.lock);
}

static void deliver(struct object *object, uint32_t type, const char *data)
{
  wchar_t *wide = data == NULL || data[0] == '\0' ? NULL : sim_wide(data);
  struct hcs_event event = { .type = type, .data = wide };

  EnterCriticalSection(&object->lock);
  if (!object->closed && object->callback != NULL)
    object->callback(&event, object->context);
  LeaveCriticalSection(&object->lock);
  free(wide);
}

static struct object *first_object(void)
{
  struct object *first;

  enter();
  first = client.objects;
  leave();
  return first;
}

static void deliver_all(const json_t *events)
{
  const json_t *event;
  size_t i;

  json_array_foreach (events, i, event) {
    uint64_t id = (uint64_t)json_integer_value(json_object_get(event, "handle"));

    for (struct object *o = first_object(); o != NULL; o = o->next)
      if (o->id == id)
        deliver(o, (uint32_t)json_integer_value(json_object_get(event, "type")),
                json_string_value(json_object_get(event, "data")));
  }
}

/* The server went without a word: it was stopped, or it broke. */
static void deliver_end(void)
{
  for (struct object *o = first_object(); o != NULL; o = o->next)
    if (o->kind == CLIENT_SYSTEM || o->kind == CLIENT_PROCESS)
      deliver(o, EVENT_SERVICE_DISCONNECT, NULL);
}

static DWORD WINAPI watch_events(void *ctx)
{
  json_int_t session = (json_int_t)(intptr_t)ctx;

  for (;;) {
    json_t *reply =
        sim_ask_running(json_pack("{s:s,s:I,s:I,s:{}}", "call", "sim.events", "pid",
                                  (json_int_t)GetCurrentProcessId(), "session", session, "args"));
    bool good = reply != NULL && json_integer_value(json_object_get(reply, "hr")) == 0;

    if (good)
      deliver_all(json_object_get(reply, "events"));
    json_decref(reply);
    if (!good)
      break;
  }
  deliver_end();
  return 0;
}

static json_int_t say_hello(void)
{
  json_t *reply;
  HANDLE thread;

  map_counters();
  reply = sim_ask(client.module, json_pack("{s:s,s:i,s:{s:I}}", "call", "sim.hello", "session", 0,
                                           "args", "pid", (json_int_t)GetCurrentProcessId()));
  client.session = json_integer_value(json_object_get(reply, "session"));
  json_decref(reply);
  if (client.session == 0)
    return 0;
  thread = CreateThread(NULL, 0, watch_events, (void *)(intptr_t)client.session, 0, NULL);
  (void)CloseHandle(thread);
  return client.session;
}

static json_int_t session(bool renew)
{
  json_int_t id;

  enter();
  if (client.session == 0 || renew)
    (void)say_hello();
  id = client.session;
  leave();
  return id;
}

static json_t *request(const char *name, json_t *args, const char *phase, json_t *fault, bool renew)
{
  json_t *message = json_pack("{s:s,s:I,s:I,s:O,s:s*,s:O*}", "call", name, "pid",
                              (json_int_t)GetCurrentProcessId(), "session", session(renew), "args",
                              args, "phase", phase, "fault", fault);

  return message == NULL ? NULL : sim_ask(client.module, message);
}

json_t *client_call_phase(const char *name, json_t *args, const char *phase, json_t *fault)
{
  json_t *reply = request(name, args, phase, fault, false);

  if (json_is_true(json_object_get(reply, "stranger"))) {
    json_decref(reply);
    reply = request(name, args, phase, fault, true);
  }
  json_decref(args);
  return reply != NULL ? reply : json_pack("{s:I}", "hr", (json_int_t)DISCONNECT);
}

json_t *client_call(const char *name, json_t *args)
{
  return client_call_phase(name, args, NULL, NULL);
}

hr_t client_hr(const json_t *reply)
{
  return (hr_t)json_integer_value(json_object_get(reply, "hr"));
}

hr_t client_simple(const char *name, json_t *args)
{
  json_t *reply = client_call(name, args);
  hr_t hr = client_hr(reply);

  json_decref(reply);
  return hr;
}

void client_misuse(const char *fmt, ...)
{
  LONG at;
  va_list ap;

  (void)session(false);
  at = InterlockedIncrement(&client.counters->misuses) - 1;
  if (at >= SIM_MISUSES)
    return;
  va_start(ap, fmt);
  (void)vsnprintf(client.counters->misuse[at], SIM_MISUSE_TEXT, fmt, ap);
  va_end(ap);
}

/* ---- Handles --------------------------------------------------------------------------------- */

void client_object_init(struct object *object, enum client_kind kind, uint64_t id)
{
  object->kind = kind;
  object->id = id;
  InitializeCriticalSection(&object->lock);
  enter();
  object->next = client.objects;
  client.objects = object;
  leave();
}

struct object *client_object_new(enum client_kind kind, uint64_t id)
{
  struct object *object = sim_alloc(sizeof(*object));

  client_object_init(object, kind, id);
  return object;
}

struct object *client_object(const void *handle, enum client_kind kind, const char *name)
{
  for (struct object *o = first_object(); o != NULL; o = o->next)
    if (o == handle) {
      if (o->kind == kind && !o->closed)
        return o;
      client_misuse("%s with a handle that is %s", name, o->closed ? "closed" : "of another kind");
      return NULL;
    }
  client_misuse("%s with what is no handle", name);
  return NULL;
}

void client_object_close(const void *handle, enum client_kind kind, const char *name)
{
  struct object *object = client_object(handle, kind, name);

  if (object == NULL)
    return;
  EnterCriticalSection(&object->lock);
  object->closed = true;
  LeaveCriticalSection(&object->lock);
  if (kind != CLIENT_OPERATION)
    (void)client_simple("sim.close", json_pack("{s:I}", "id", (json_int_t)object->id));
}

void client_count_operation(LONG change)
{
  (void)session(false);
  (void)InterlockedExchangeAdd(&client.counters->operations, change);
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static void remember(void *memory, bool cotask)
{
  (void)session(false);
  enter();
  for (size_t i = 0; i < MAX_TEXTS; i++)
    if (texts[i].memory == NULL) {
      texts[i].memory = memory;
      texts[i].cotask = cotask;
      break;
    }
  (void)InterlockedIncrement(cotask ? &client.counters->cotask : &client.counters->local);
  leave();
}

/* Was it one of ours? With the wrong function it is given back all the same, and remembered. */
static void forget(const void *memory, bool cotask)
{
  bool wrong = false;

  if (memory == NULL)
    return;
  enter();
  for (size_t i = 0; i < MAX_TEXTS; i++)
    if (texts[i].memory == memory) {
      wrong = texts[i].cotask != cotask;
      (void)InterlockedDecrement(texts[i].cotask ? &client.counters->cotask
                                                 : &client.counters->local);
      texts[i].memory = NULL;
      break;
    }
  leave();
  if (wrong)
    client_misuse("%s of a text that %s frees", cotask ? "CoTaskMemFree" : "LocalFree",
                  cotask ? "LocalFree" : "CoTaskMemFree");
}

wchar_t *client_local_text(const char *text)
{
  wchar_t *wide = sim_wide(text), *copy;
  size_t size;

  if (wide == NULL)
    return NULL;
  size = (wcslen(wide) + 1) * sizeof(*wide);
  copy = LocalAlloc(LMEM_FIXED, size);
  if (copy == NULL)
    abort();
  memcpy(copy, wide, size);
  free(wide);
  remember(copy, false);
  return copy;
}

wchar_t *client_cotask_text(const char *text)
{
  wchar_t *wide = sim_wide(text), *copy;
  size_t size;

  if (wide == NULL)
    return NULL;
  size = (wcslen(wide) + 1) * sizeof(*wide);
  copy = CoTaskMemAlloc(size);
  if (copy == NULL)
    abort();
  memcpy(copy, wide, size);
  free(wide);
  remember(copy, true);
  return copy;
}

HLOCAL WINAPI double_LocalFree(HLOCAL memory)
{
  forget(memory, false);
  return LocalFree(memory);
}

void WINAPI double_CoTaskMemFree(void *memory)
{
  forget(memory, true);
  CoTaskMemFree(memory);
}

json_t *client_json_text(const wchar_t *text)
{
  char *narrow = sim_narrow(text == NULL ? L"" : text);
  json_t *value = json_string(narrow);

  free(narrow);
  return value == NULL ? json_string("") : value;
}

json_t *client_json_guid(const GUID *guid)
{
  char text[SIM_GUID_TEXT] = "";

  if (guid != NULL)
    sim_guid_format(guid, text);
  return json_string(text);
}

static bool is_enabled(HANDLE token, const wchar_t *name)
{
  PRIVILEGE_SET set = { .PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY };
  BOOL held = FALSE;

  return LookupPrivilegeValueW(NULL, name, &set.Privilege[0].Luid) &&
         PrivilegeCheck(token, &set, &held) && held;
}

bool client_is_privileged(void)
{
  HANDLE token = NULL;
  bool enabled = false;

  if (!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token) &&
      !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return false;
  enabled = is_enabled(token, L"SeBackupPrivilege") && is_enabled(token, L"SeRestorePrivilege");
  (void)CloseHandle(token);
  return enabled;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
  (void)reserved;
  if (reason == DLL_PROCESS_ATTACH)
    client.module = module;
  else if (reason == DLL_PROCESS_DETACH && client.counters != NULL)
    client.counters->ended = 1;
  return TRUE;
}

int hcssim_attached(void);
/* For the libraries that forward to this one. */
int hcssim_attached(void)
{
  return 1;
}
