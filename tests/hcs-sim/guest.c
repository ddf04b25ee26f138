/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  HEADER = 16,
  MAX_FRAME = (4 << 20) + (64 << 10),
  HUGE_FRAME = 16 << 20,
  BOOT_MS = 20
};

#define KIND_MASK    UINT32_C(0xf0000000)
#define RESPONSE     UINT32_C(0x20000000)
#define NOTIFICATION UINT32_C(0x30100101)

static const char bridge_service[] = "acef5661-84a1-4e44-856b-6245e69f4620";
static const char nobody[] = "00000000-0000-0000-0000-000000000000";

struct frame {
  uint32_t type, size;
  uint64_t id;
};

/* ---- Frames ---------------------------------------------------------------------------------- */

static bool read_all(SOCKET socket, void *data, size_t len)
{
  char *at = data;

  while (len > 0) {
    int got = recv(socket, at, (int)len, 0);

    if (got <= 0)
      return false;
    at += got;
    len -= (size_t)got;
  }
  return true;
}

static bool write_all(SOCKET socket, const void *data, size_t len)
{
  const char *at = data;

  while (len > 0) {
    int put = send(socket, at, (int)len, 0);

    if (put <= 0)
      return false;
    at += put;
    len -= (size_t)put;
  }
  return true;
}

static void send_text(struct guest *g, uint32_t type, uint64_t id, const char *text, uint32_t size)
{
  const struct frame frame = { .type = type, .size = size, .id = id };

  EnterCriticalSection(&g->sending);
  if (!g->over) {
    (void)write_all(g->socket, &frame, sizeof(frame));
    (void)write_all(g->socket, text, strlen(text));
  }
  LeaveCriticalSection(&g->sending);
}

static void send_json(struct guest *g, uint32_t type, uint64_t id, const json_t *body)
{
  char *text = json_dumps(body, JSON_COMPACT);

  send_text(g, type, id, text, HEADER + (uint32_t)strlen(text));
  free(text);
}

static void hang_up(struct guest *g)
{
  g->over = true;
  (void)shutdown(g->socket, SD_BOTH);
}

static void notify(struct guest *g, const char *container, const char *type, uint32_t result)
{
  json_t *body =
      json_pack("{s:s,s:s,s:s,s:s,s:I}", "ContainerId", container, "ActivityId", nobody, "Type",
                type, "Operation", "None", "Result", (json_int_t)(int32_t)result);

  send_json(g, NOTIFICATION, 0, body);
  json_decref(body);
}

void sim_guest_exited(struct system *hosted)
{
  struct guest *g = hosted->host->guest;

  if (g != NULL && !g->over)
    notify(g, hosted->id, hosted->exit_type, hosted->exit_status);
}

/* ---- Messages -------------------------------------------------------------------------------- */

bool guest_is_host(const struct message *m)
{
  const char *id = sim_text(m->body, "ContainerId");

  return id[0] == '\0' || strcmp(id, nobody) == 0;
}

struct system *guest_container(const struct message *m)
{
  const char *id = sim_text(m->body, "ContainerId");

  for (struct system *s = machine.systems; s != NULL; s = s->next)
    if (s->host == m->guest->vm && strcmp(s->id, id) == 0)
      return s;
  return NULL;
}

static const struct message_kind *find_kind(uint32_t type)
{
  for (const struct message_kind *k = guest_messages; k->name != NULL; k++)
    if (k->type == type)
      return k;
  return NULL;
}

/* Guests spell the codes of HCS with another first half. */
static uint32_t spell(uint32_t hr)
{
  return (hr & 0xffff0000) == 0x80370000 ? (hr & 0xffff) | UINT32_C(0xc0370000) : hr;
}

static json_t *records(uint32_t hr, const char *message)
{
  return json_pack("[{s:I,s:s,s:s,s:s,s:s,s:I,s:s}]", "Result", (json_int_t)(int32_t)hr, "Message",
                   message, "StackTrace", "", "ModuleName", "vmcomputeagent.exe", "FileName", "",
                   "Line", (json_int_t)UINT32_MAX, "FunctionName", "");
}

static json_t *answer_of(struct message *m, uint32_t result)
{
  uint32_t hr = spell(result);
  json_t *body = json_pack("{s:I,s:s,s:s}", "Result", (json_int_t)(int32_t)hr, "ErrorMessage", "",
                           "ActivityId", nobody);
  json_t *why = sim_parse(m->call.reply, "result");

  if (sim_text(m->body, "ActivityId")[0] != '\0')
    (void)json_object_set(body, "ActivityId", json_object_get(m->body, "ActivityId"));
  if (hr == 0)
    (void)json_object_update(body, m->answer);
  else {
    (void)json_object_set_new(body, "ErrorMessage", json_string(sim_text(why, "ErrorMessage")));
    (void)json_object_set_new(body, "ErrorRecords", records(hr, sim_text(why, "ErrorMessage")));
  }
  json_decref(why);
  return body;
}

/* True: the knob has sent (or kept back) the answer. */
static bool send_wrongly(struct message *m, uint32_t type, const json_t *body)
{
  const char *action = m->call.fault.hit ? m->call.fault.action : "";
  struct guest *g = m->guest;

  if (strcmp(action, "mute") == 0)
    return true;
  if (strcmp(action, "garbage") == 0)
    send_text(g, type, m->id, "{\"Result\":", HEADER + 10);
  else if (strcmp(action, "huge") == 0)
    send_text(g, type, m->id, "{", HUGE_FRAME);
  else if (strcmp(action, "short") == 0)
    send_text(g, type, m->id, "", HEADER / 2);
  else if (strcmp(action, "wrongid") == 0)
    send_json(g, type, m->id + 1000, body);
  else if (strcmp(action, "wrongtype") == 0)
    send_json(g, type ^ 0x00000f00, m->id, body);
  else
    return false;
  return true;
}

static void respond(struct message *m, uint32_t hr)
{
  const char *action = m->call.fault.hit ? m->call.fault.action : "";
  uint32_t type = (m->type & ~KIND_MASK) | RESPONSE;
  json_t *body = answer_of(m, hr);

  if (strcmp(action, "early") == 0)
    notify(m->guest, sim_text(m->body, "ContainerId"), "UnexpectedExit", 0);
  if (!send_wrongly(m, type, body)) {
    send_json(m->guest, type, m->id, body);
    if (strcmp(action, "twice") == 0)
      send_json(m->guest, type, m->id, body);
  }
  if (strcmp(action, "dropafter") == 0)
    hang_up(m->guest);
  json_decref(body);
}

static bool is_well_formed(struct message *m)
{
  json_t *own = json_copy(m->body);
  char why[512];
  bool good;

  (void)json_object_del(own, "ContainerId");
  (void)json_object_del(own, "ActivityId");
  good = sim_strict(own, m->name, why, sizeof(why));
  json_decref(own);
  if (!good)
    (void)sim_refuse(&m->call, HCS_JSON, "Bridge", "%s", why);
  return good;
}

/* Under the lock. The result, after what the knobs say. */
static uint32_t handle(struct message *m, const struct message_kind *kind)
{
  const char *action = m->call.fault.hit ? m->call.fault.action : "";

  if (strcmp(action, "crash") == 0) {
    sim_system_end(m->guest->vm, "UnexpectedExit", HCS_UNEXPECTED_EXIT);
    return HCS_UNEXPECTED_EXIT;
  }
  if (strcmp(action, "drop") == 0) {
    hang_up(m->guest);
    return HCS_UNEXPECTED_EXIT;
  }
  if (m->call.fault.hit && m->call.fault.hr != 0)
    return sim_refuse(&m->call, m->call.fault.hr, "Injected", "a knob of the test");
  if (!is_well_formed(m))
    return HCS_JSON;
  return kind->fn(m);
}

static void message_free(struct message *m)
{
  json_decref(m->body);
  json_decref(m->answer);
  json_decref(m->call.reply);
  free(m);
}

static void act(struct message *m, const struct message_kind *kind)
{
  uint32_t hr;

  if (m->call.fault.hit && m->call.fault.delay > 0)
    Sleep(m->call.fault.delay);
  sim_lock();
  hr = m->guest->over ? HCS_UNEXPECTED_EXIT : handle(m, kind);
  sim_journal(m->name, NULL, spell(hr), m->body);
  sim_unlock();
  respond(m, hr);
}

static DWORD WINAPI act_apart(void *ctx)
{
  struct message *m = ctx;

  act(m, find_kind(m->type));
  message_free(m);
  return 0;
}

static void receive(struct guest *g, const struct frame *frame, json_t *body)
{
  const struct message_kind *kind = find_kind(frame->type);
  struct message *m = sim_alloc(sizeof(*m));

  m->guest = g;
  m->type = frame->type;
  m->id = frame->id;
  m->body = body;
  m->answer = json_object();
  (void)snprintf(m->name, sizeof(m->name), "guest:%s", kind == NULL ? "?" : kind->name);
  m->call = (struct call){ .name = m->name, .args = body, .reply = json_object() };
  if (kind == NULL) {
    respond(m, HR_NOT_IMPLEMENTED);
    message_free(m);
    return;
  }
  sim_lock();
  sim_knob_load();
  m->call.fault = sim_knob_hit(m->name, body);
  sim_unlock();
  if (kind->slow || (m->call.fault.hit && m->call.fault.delay > 0)) {
    sim_start_thread(act_apart, m);
    return;
  }
  act(m, kind);
  message_free(m);
}

static bool read_frame(struct guest *g)
{
  struct frame frame;
  json_t *body;
  char *text;

  if (!read_all(g->socket, &frame, sizeof(frame)) || frame.size < HEADER || frame.size > MAX_FRAME)
    return false;
  text = sim_alloc((size_t)frame.size - HEADER + 1);
  if (!read_all(g->socket, text, frame.size - HEADER)) {
    free(text);
    return false;
  }
  body = json_loads(text, 0, NULL);
  if (json_is_object(body))
    receive(g, &frame, body);
  else
    sim_log("a message that is no JSON object: %.200s", text);
  free(text);
  return json_is_object(body);
}

/* ---- Boot ------------------------------------------------------------------------------------ */

/* Under the lock. */
static const json_t *find_listener(const char *vm, const char *service)
{
  const char *const addresses[] = { vm, nobody, "90db8b89-0d35-4f79-8ce9-49ea0ac8b7cd" };
  const json_t *found = NULL;

  for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]) && found == NULL; i++) {
    char *key = sim_format("%s|%s", addresses[i], service);

    found = json_object_get(machine.listeners, key);
    free(key);
  }
  return found;
}

SOCKET guest_dial(const struct system *vm, const char *service)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  char *own = sim_copy(service);
  const json_t *listener = find_listener(vm->runtime_id, _strlwr(own));
  SOCKET made;

  free(own);
  if (listener == NULL)
    return INVALID_SOCKET;
  address.sin_port = htons((u_short)json_integer_value(json_object_get(listener, "port")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  made = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  if (made != INVALID_SOCKET &&
      connect(made, (const struct sockaddr *)&address, sizeof(address)) != 0) {
    (void)closesocket(made);
    made = INVALID_SOCKET;
  }
  return made;
}

static bool lost_security(const char *directory)
{
  char *root = sim_path_key(directory);
  const char *key;
  const json_t *value;
  bool lost = false;

  json_object_foreach (machine.dropped, key, value)
    lost = lost || sim_path_under(key, root);
  free(root);
  return lost;
}

/* Would Windows come up from this share? */
static bool boots(const struct system *vm)
{
  const json_t *document = json_object_get(vm->document, "VirtualMachine");
  const json_t *entry =
      json_object_get(json_object_get(json_object_get(document, "Chipset"), "Uefi"), "BootThis");
  const char *device = sim_text(entry, "DevicePath");
  const char *os = sim_text(json_object_get(vm->shares, "os"), "Path");
  char *loader = sim_format("%s%s", os, device);
  bool good = device[0] == '\\' && os[0] != '\0' && sim_exists(loader);

  free(loader);
  if (!good)
    sim_log("'%s' does not find its boot loader '%s' in share os", vm->id, device);
  else if (lost_security(os))
    sim_log("'%s' comes up without its agent: files in '%s' lost their security descriptors",
            vm->id, os);
  return good && !lost_security(os) && json_object_get(document, "GuestConnection") == NULL;
}

static struct guest *connect_guest(struct system *vm, const struct fault *fault)
{
  const char *action = fault->hit ? fault->action : "";
  SOCKET socket;
  struct guest *g;

  if (strcmp(action, "crash") == 0)
    sim_system_end(vm, "UnexpectedExit", HCS_UNEXPECTED_EXIT);
  if (strcmp(action, "never") == 0 || vm->state != RUNNING || !boots(vm))
    return NULL;
  socket = guest_dial(vm, bridge_service);
  if (socket == INVALID_SOCKET) {
    sim_log("'%s': nobody listened when the guest came up", vm->id);
    return NULL;
  }
  if (strcmp(action, "drop") == 0) {
    (void)closesocket(socket);
    return NULL;
  }
  if (strcmp(action, "twice") == 0)
    (void)guest_dial(vm, bridge_service);
  g = sim_alloc(sizeof(*g));
  g->vm = vm;
  g->socket = socket;
  InitializeCriticalSection(&g->sending);
  g->mounts = json_object();
  g->combined = json_object();
  g->namespaces = json_object();
  g->adapters = json_object();
  vm->guest = g;
  return g;
}

static DWORD WINAPI boot(void *ctx)
{
  struct system *vm = ctx;
  struct fault fault;
  struct guest *g;
  json_t *args = json_pack("{s:s}", "vm", vm->id);

  Sleep(BOOT_MS);
  sim_lock();
  fault = sim_knob_hit("guest:dial", args);
  sim_unlock();
  if (fault.hit && fault.delay > 0)
    Sleep(fault.delay);
  sim_lock();
  g = connect_guest(vm, &fault);
  sim_journal("guest:dial", NULL, g == NULL ? HR_FAIL : 0, args);
  sim_unlock();
  json_decref(args);
  while (g != NULL && !g->over && read_frame(g))
    ;
  if (g != NULL) {
    hang_up(g);
    EnterCriticalSection(&g->sending);
    (void)closesocket(g->socket);
    LeaveCriticalSection(&g->sending);
  }
  return 0;
}

void sim_guest_start(struct system *vm)
{
  sim_start_thread(boot, vm);
}

void sim_guest_end(struct system *vm)
{
  if (vm->guest != NULL)
    hang_up(vm->guest);
}
