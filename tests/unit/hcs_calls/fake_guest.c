/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest of a machine: our own server of the bridge, over a real socket. It wants the order of
 * the cold start: another one crashes the machine.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/hvsocket.h"
#include "bridge/server.h"
#include "fake_private.h"

enum {
  WAITS = 16
};

enum stage {
  NEW,
  HOST_CREATED,
  HOST_STARTED,
  READY
};

struct guest {
  struct fake_system *system;
  struct zl_bridge_server *server;
  int fd;
  enum stage stage;
  bool disk, layers, created, started;
  struct {
    uint64_t id;
    uint32_t pid;
    bool used;
  } waits[WAITS];
};

static json_t *inner_of(const json_t *body, const char *key)
{
  const char *text = json_string_value(json_object_get(body, key));
  json_t *json = NULL;

  if (text != NULL)
    (void)zl_json_parse(text, strlen(text), key, &json, NULL);
  return json;
}

static void answer(struct guest *guest, const struct zl_bridge_request *request, zl_hr hr,
                   json_t *body)
{
  struct zl_error why = { .code = ZL_E_SYSTEM, .os_error = (int)hr, .msg = "it was told to" };

  if (hr == 0) {
    (void)zl_bridge_answer(guest->server, request->message, request->id, body, NULL);
    return;
  }
  json_decref(body);
  (void)zl_bridge_refuse(guest->server, request->message, request->id, &why, NULL);
}

static void crash(struct guest *guest, const char *why)
{
  (void)pthread_mutex_lock(&fake.lock);
  fake_blame("the guest crashed: %s; ", why);
  fake_system_exit(guest->system, "UnexpectedExit");
  (void)pthread_mutex_unlock(&fake.lock);
}

/* ---- The machine ---- */

static zl_hr modify(struct guest *guest, const json_t *body)
{
  const json_t *request = json_object_get(body, "Request");
  const char *type = json_string_value(json_object_get(request, "ResourceType"));
  const json_t *settings = json_object_get(request, "Settings");

  if (type == NULL || json_object_get(request, "GuestRequest") != NULL ||
      json_object_get(request, "ResourcePath") != NULL)
    return 0xc037010d;
  if (strcmp(type, "HvSocket") == 0) {
    if (guest->stage != HOST_STARTED)
      crash(guest, "addresses before the start of its own container");
    guest->stage = READY;
    return 0;
  }
  if (guest->stage != READY)
    crash(guest, "a change before the cold start was over");
  if (strcmp(type, "MappedVirtualDisk") == 0)
    guest->disk = true;
  if (strcmp(type, "CombinedLayers") == 0) {
    if (!guest->disk || json_object_get(settings, "ScratchPath") != NULL)
      return 0x80070003;
    guest->layers = true;
  }
  return 0;
}

static zl_hr create(struct guest *guest, const struct zl_bridge_request *request)
{
  zl_autojson *config = inner_of(request->body, "ContainerConfig");

  if (strcmp(request->container_id, ZL_BRIDGE_NULL_GUID) == 0) {
    if (guest->stage != NEW || json_object_get(config, "TimeZoneInformation") == NULL)
      crash(guest, "its own container without a time zone, or twice");
    guest->stage = HOST_CREATED;
    return 0;
  }
  if (json_object_get(config, "SchemaVersion") == NULL)
    return 0xc037010d;
  if (!guest->layers)
    return 0x80070003;
  guest->created = true;
  return 0;
}

static zl_hr start(struct guest *guest, const struct zl_bridge_request *request)
{
  if (strcmp(request->container_id, ZL_BRIDGE_NULL_GUID) == 0) {
    if (guest->stage != HOST_CREATED)
      crash(guest, "the start of what was not created");
    guest->stage = HOST_STARTED;
    return 0;
  }
  if (!guest->created)
    return 0xc037010e;
  guest->started = true;
  return 0;
}

/* ---- Processes ---- */

static int dial(struct guest *guest, const json_t *relay, const char *key)
{
  const char *service = json_string_value(json_object_get(relay, key));

  return service != NULL ? fake_dial(guest->system->runtime_id, service) : -1;
}

static struct fake_process *process_of(struct guest *guest, const json_t *body)
{
  uint32_t pid = (uint32_t)json_integer_value(json_object_get(body, "ProcessId"));

  for (size_t i = 0; i < FAKE_MAX; i++)
    if (fake.processes[i].used && fake.processes[i].system == guest->system &&
        fake.processes[i].pid == pid)
      return &fake.processes[i];
  return NULL;
}

static void answer_waits(struct guest *guest)
{
  for (size_t i = 0; i < WAITS; i++) {
    zl_autojson *body = json_pack("{s:I}", "ProcessId", (json_int_t)guest->waits[i].pid);
    struct fake_process *process = guest->waits[i].used ? process_of(guest, body) : NULL;

    if (process == NULL || !process->exited)
      continue;
    guest->waits[i].used = false;
    (void)zl_bridge_answer(guest->server, ZL_BRIDGE_WAIT_FOR_PROCESS, guest->waits[i].id,
                           json_pack("{s:I}", "ExitCode", (json_int_t)process->code), NULL);
  }
}

static void execute(struct guest *guest, const struct zl_bridge_request *request)
{
  const json_t *settings = json_object_get(request->body, "Settings");
  const json_t *relay = json_object_get(settings, "StdioRelaySettings");
  zl_autojson *parameters = inner_of(settings, "ProcessParameters");
  struct fake_process *process;

  if (!guest->started || parameters == NULL) {
    answer(guest, request, 0xc0370105, NULL);
    return;
  }
  (void)pthread_mutex_lock(&fake.lock);
  process = fake_process_new(guest->system);
  (void)pthread_mutex_unlock(&fake.lock);
  process->in = dial(guest, relay, "StdIn");
  process->out = dial(guest, relay, "StdOut");
  process->err = dial(guest, relay, "StdErr");
  answer(guest, request, 0, json_pack("{s:I}", "ProcessId", (json_int_t)process->pid));
  (void)pthread_mutex_lock(&fake.lock);
  fake_process_begin(process);
  (void)pthread_mutex_unlock(&fake.lock);
}

static void wait_for(struct guest *guest, const struct zl_bridge_request *request)
{
  for (size_t i = 0; i < WAITS; i++)
    if (!guest->waits[i].used) {
      guest->waits[i].used = true;
      guest->waits[i].id = request->id;
      guest->waits[i].pid =
          (uint32_t)json_integer_value(json_object_get(request->body, "ProcessId"));
      return;
    }
}

static zl_hr signal_process(struct guest *guest, const struct zl_bridge_request *request)
{
  bool event = json_object_get(request->body, "Options") != NULL;
  struct fake_process *process;

  (void)pthread_mutex_lock(&fake.lock);
  process = process_of(guest, request->body);
  if (process != NULL && (!event || !fake.options.ignores_events))
    fake_process_exit(process, event ? 5 : 1);
  (void)pthread_mutex_unlock(&fake.lock);
  return process != NULL ? 0 : 0x80070490;
}

static void handle(void *ctx, const struct zl_bridge_request *request)
{
  struct guest *guest = ctx;
  char name[FAKE_TEXT];
  zl_hr hr = 0;

  (void)snprintf(name, sizeof(name), "guest:%s", zl_bridge_message_name(request->message));
  if (fake_hit(name, &hr)) {
    answer(guest, request, hr, NULL);
    return;
  }
  if (request->message == ZL_BRIDGE_EXECUTE_PROCESS)
    execute(guest, request);
  else if (request->message == ZL_BRIDGE_WAIT_FOR_PROCESS)
    wait_for(guest, request);
  else if (request->message == ZL_BRIDGE_GET_PROPERTIES)
    answer(guest, request, 0,
           json_pack("{s:s}", "Properties",
                     "{\"Statistics\":{\"Processor\":{\"TotalRuntime100ns\":70},"
                     "\"Memory\":{\"MemoryUsagePrivateWorkingSetBytes\":4096}}}"));
  else
    answer(guest, request,
           request->message == ZL_BRIDGE_MODIFY_SETTINGS  ? modify(guest, request->body)
           : request->message == ZL_BRIDGE_CREATE         ? create(guest, request)
           : request->message == ZL_BRIDGE_START          ? start(guest, request)
           : request->message == ZL_BRIDGE_SIGNAL_PROCESS ? signal_process(guest, request)
                                                          : 0,
           NULL);
}

/* ---- Its life ---- */

static void flush(struct guest *guest)
{
  const void *data;
  size_t len;

  while ((data = zl_bridge_server_pending(guest->server, &len)) != NULL && len > 0) {
    ssize_t put = send(guest->fd, data, len, MSG_NOSIGNAL);

    if (put <= 0)
      return;
    zl_bridge_server_sent(guest->server, (size_t)put);
  }
}

static void serve(struct guest *guest)
{
  char data[4096];
  ssize_t got;

  while ((got = recv(guest->fd, data, sizeof(data), 0)) > 0) {
    if (zl_bridge_server_feed(guest->server, data, (size_t)got, NULL) < 0)
      return;
    answer_waits(guest);
    flush(guest);
  }
}

static json_t *capabilities(void)
{
  return json_pack("{s:b, s:b, s:b, s:s, s:{s:b}}", "SendHostCreateMessage", 1,
                   "SendHostStartMessage", 1, "HvSocketConfigOnStartup", 1, "RuntimeOsType",
                   "Windows", "GuestDefinedCapabilities", "SignalProcessSupported", 1);
}

void *fake_guest(void *system)
{
  struct guest guest = { .system = system };

  guest.fd = fake_dial(guest.system->runtime_id, ZL_HV_BRIDGE);
  if (guest.fd < 0 ||
      zl_bridge_server_new(handle, &guest, capabilities(), &guest.server, NULL) < 0) {
    if (!fake_has_failed()) /* else the host has given up already */
      crash(&guest, "nobody listens");
    return NULL;
  }
  (void)pthread_mutex_lock(&fake.lock);
  guest.system->bridge = guest.fd;
  if (guest.system->guest_stops)
    (void)shutdown(guest.fd, SHUT_RDWR);
  (void)pthread_mutex_unlock(&fake.lock);
  serve(&guest);
  (void)pthread_mutex_lock(&fake.lock);
  guest.system->bridge = -1;
  (void)pthread_mutex_unlock(&fake.lock);
  (void)close(guest.fd);
  zl_bridge_server_free(guest.server);
  return NULL;
}
