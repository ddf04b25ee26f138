/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients, their handles, and the events that they wait for.
 */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum {
  EVENT_SERVICE_DISCONNECT = 0x02000000,
  POLL_MS = 20000
};

struct session *sim_session_find(json_int_t id)
{
  for (struct session *s = machine.sessions; s != NULL; s = s->next)
    if (s->id == id)
      return s;
  return NULL;
}

struct handle *sim_handle_new(struct session *session, enum kind kind)
{
  struct handle *handle = sim_alloc(sizeof(*handle));

  handle->id = ++machine.last_id;
  handle->kind = kind;
  handle->session = session;
  handle->next = machine.handles;
  machine.handles = handle;
  return handle;
}

struct handle *sim_handle_find(uint64_t id)
{
  for (struct handle *h = machine.handles; h != NULL; h = h->next)
    if (h->id == id)
      return h;
  return NULL;
}

unsigned sim_handles_of(const struct system *system)
{
  unsigned count = 0;

  for (const struct handle *h = machine.handles; h != NULL; h = h->next)
    count += h->kind == SYSTEM && h->system == system && !h->closed;
  return count;
}

void sim_handle_close(struct handle *handle)
{
  if (handle->closed)
    return;
  handle->closed = true;
  if (handle->kind == SYSTEM && handle->system != NULL)
    sim_system_close(handle->system);
  if (handle->kind == DISK) {
    char *by = sim_format("handle %llu", (unsigned long long)handle->id);

    sim_disk_release(NULL, by);
    free(by);
  }
  sim_changed();
}

/* ---- Events ---------------------------------------------------------------------------------- */

void sim_event(struct handle *handle, uint32_t type, json_t *data)
{
  char *text = data == NULL ? NULL : json_dumps(data, JSON_COMPACT);

  if (!handle->closed && handle->session != NULL && !handle->session->gone)
    (void)json_array_append_new(handle->session->events,
                                json_pack("{s:I,s:I,s:s}", "handle", (json_int_t)handle->id, "type",
                                          (json_int_t)type, "data", text == NULL ? "" : text));
  free(text);
  json_decref(data);
  sim_changed();
}

void sim_event_system(const struct system *system, uint32_t type, const json_t *data)
{
  for (struct handle *h = machine.handles; h != NULL; h = h->next)
    if (h->kind == SYSTEM && h->system == system && !h->dead)
      sim_event(h, type, json_deep_copy(data));
}

void sim_disconnect_all(void)
{
  for (struct handle *h = machine.handles; h != NULL; h = h->next) {
    if (h->closed || h->dead || (h->kind != SYSTEM && h->kind != PROCESS))
      continue;
    h->dead = true;
    sim_event(h, EVENT_SERVICE_DISCONNECT, NULL);
  }
  for (struct system *s = machine.systems; s != NULL; s = s->next)
    if (s->state != STOPPED)
      sim_system_end(s, "UnexpectedExit", HCS_DISCONNECT);
  sim_log("the service died");
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void tell_leaks(const struct session *session)
{
  const struct sim_counters *c = session->counters;

  if (c == NULL || !c->ended)
    return;
  if (c->local + c->cotask > 0)
    sim_misuse("process %lu ended with %ld texts not freed", session->pid, c->local + c->cotask);
  if (c->operations > 0)
    sim_misuse("process %lu ended with %ld operations open", session->pid, c->operations);
}

static void tell_own(const struct session *session)
{
  const struct sim_counters *c = session->counters;

  for (LONG i = 0; c != NULL && i < c->misuses && i < SIM_MISUSES; i++)
    sim_misuse("process %lu: %.*s", session->pid, SIM_MISUSE_TEXT, c->misuse[i]);
}

static void forget_listeners(DWORD pid)
{
  const char *key;
  json_t *value;
  void *next;

  json_object_foreach_safe(machine.listeners, next, key,
                           value) if (json_integer_value(json_object_get(value, "pid")) ==
                                      (json_int_t)pid)(void)
      json_object_del(machine.listeners, key);
}

static DWORD WINAPI watch_client(void *ctx)
{
  struct session *session = ctx;

  (void)WaitForSingleObject(session->process, INFINITE);
  sim_lock();
  session->gone = true;
  tell_leaks(session);
  tell_own(session);
  for (struct handle *h = machine.handles; h != NULL; h = h->next) {
    if (h->session != session || h->closed)
      continue;
    if (session->counters != NULL && session->counters->ended)
      sim_misuse("process %lu ended with a handle open (kind %d)", session->pid, (int)h->kind);
    sim_handle_close(h);
  }
  forget_listeners(session->pid);
  sim_changed();
  sim_unlock();
  return 0;
}

static struct sim_counters *map_counters(DWORD pid)
{
  char *suffix = sim_format("-counters-%lu", pid), *name = sim_object_name("", suffix);
  HANDLE mapping = OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name);
  struct sim_counters *counters = NULL;

  if (mapping != NULL)
    counters = MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, sizeof(*counters));
  free(name);
  free(suffix);
  return counters;
}

static uint32_t hello(struct call *call)
{
  static int last;
  struct session *session = sim_alloc(sizeof(*session));

  session->pid = (DWORD)json_integer_value(json_object_get(call->args, "pid"));
  session->process = OpenProcess(SYNCHRONIZE | PROCESS_DUP_HANDLE | PROCESS_QUERY_INFORMATION,
                                 FALSE, session->pid);
  if (session->process == NULL)
    return HR_ACCESS;
  if (last == 0) /* ids of a server before this one are strange to us */
    last = (int)(GetTickCount() & 0x3fffffff);
  session->id = ++last;
  session->events = json_array();
  session->counters = map_counters(session->pid);
  session->next = machine.sessions;
  machine.sessions = session;
  (void)json_object_set_new(call->reply, "session", json_integer(session->id));
  sim_start_thread(watch_client, session);
  return 0;
}

static uint32_t events(struct call *call)
{
  uint64_t deadline = GetTickCount64() + POLL_MS;
  struct session *s = call->session;

  if (s == NULL)
    return HR_HANDLE;
  while (json_array_size(s->events) == 0 && !s->gone && sim_wait(deadline))
    ;
  (void)json_object_set(call->reply, "events", s->events);
  json_decref(s->events);
  s->events = json_array();
  return 0;
}

static uint32_t close_any(struct call *call)
{
  struct handle *handle =
      sim_handle_find((uint64_t)json_integer_value(json_object_get(call->args, "id")));

  if (handle == NULL || handle->closed) {
    sim_misuse("a handle is closed that is not open");
    return HR_HANDLE;
  }
  sim_handle_close(handle);
  return 0;
}

/* Sockets of Hyper-V: where they listen on the loopback. */
static char *listener_key(const json_t *args)
{
  return sim_format("%s|%s", sim_text(args, "vm"), sim_text(args, "service"));
}

static uint32_t listen_on(struct call *call)
{
  char *key = listener_key(call->args);
  uint32_t hr = 0;

  if (json_object_get(machine.listeners, key) != NULL)
    hr = HR_EXISTS;
  else
    (void)json_object_set(machine.listeners, key, call->args);
  free(key);
  sim_changed();
  return hr;
}

static uint32_t unlisten(struct call *call)
{
  char *key = listener_key(call->args);

  (void)json_object_del(machine.listeners, key);
  free(key);
  return 0;
}

const struct handler sim_session_handlers[] = {
  { .name = "sim.hello", .work = hello },       { .name = "sim.events", .work = events },
  { .name = "sim.close", .work = close_any },   { .name = "sim.listen", .work = listen_on },
  { .name = "sim.unlisten", .work = unlisten }, { .name = NULL },
};
