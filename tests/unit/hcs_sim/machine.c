/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <hvsocket.h>

enum {
  ANSWER_MS = 15000,
  FAMILY = 34,
  STREAM_PORT = 0x40000001,
  GONE_MS = 200
};

static const GUID bridge_service = {
  0xacef5661, 0x84a1, 0x4e44, { 0x85, 0x6b, 0x62, 0x45, 0xe6, 0x9f, 0x46, 0x20 }
};
static const char nobody[] = "00000000-0000-0000-0000-000000000000";
static const char controller[] = "df6d0690-79e5-55b6-a5ec-c1e2f77f580a";
static const char vmsmb[] = "\\\\?\\VMSMB\\VSMB-{dcc079ae-60ba-4d07-847c-3493609c0870}\\";

struct frame {
  uint32_t type, size;
  uint64_t id;
};

/* ---- Documents ------------------------------------------------------------------------------- */

static const char *disk_name(const char *id)
{
  char name[100];

  (void)snprintf(name, sizeof(name), "%s.vhdx", id);
  return at(name);
}

void machine_files(const char *id)
{
  make_layers();
  OK(CopyFileA(at("base\\UtilityVM\\SystemTemplate.vhdx"), disk_name(id), TRUE));
  IS(CALL(HcsGrantVmAccess)(w("%s", id), w("%s", disk_name(id))), 0);
  IS(CALL(HcsGrantVmAccess)(w("%s", id), w("%s", at("base"))), 0);
}

void machine_files_remove(const char *id)
{
  IS(CALL(HcsRevokeVmAccess)(w("%s", id), w("%s", at("base"))), 0);
  OK(DeleteFileA(disk_name(id)));
}

json_t *machine_document(const char *id)
{
  json_t *document = json_pack(
      "{s:s,s:{s:i,s:i},s:b,s:{s:b,s:{s:{s:{s:s,s:s}}},s:{s:{s:i},s:{s:i}},"
      "s:{s:{s:{s:{s:{s:s,s:s}}}},s:{s:[{s:s,s:s,s:{s:b,s:b}}]}}}}",
      "Owner", "test", "SchemaVersion", "Major", 2, "Minor", 1, "ShouldTerminateOnLastHandleClosed",
      1, "VirtualMachine", "StopOnReset", 1, "Chipset", "Uefi", "BootThis", "DevicePath",
      "\\EFI\\Microsoft\\Boot\\bootmgfw.efi", "DeviceType", "VmbFs", "ComputeTopology", "Memory",
      "SizeInMB", 1024, "Processor", "Count", 2, "Devices", "Scsi", controller, "Attachments", "0",
      "Type", "VirtualDisk", "Path", disk_name(id), "VirtualSmb", "Shares", "Name", "os", "Path",
      at("base\\UtilityVM\\Files"), "Options", "ReadOnly", 1, "ShareRead", 1);

  OK(document != NULL);
  return document;
}

void set_at(json_t *document, const char *path, const char *value)
{
  char copy[200], *name, *next;

  (void)snprintf(copy, sizeof(copy), "%s", path);
  for (name = strtok(copy, "/"); (next = strtok(NULL, "/")) != NULL; name = next)
    document = json_object_get(document, name);
  OK(json_object_set_new(document, name, json_loads(value, JSON_DECODE_ANY, NULL)) == 0);
}

void *create_machine_with(const char *id, const char *path, const char *value)
{
  json_t *document = machine_document(id);
  void *system = NULL, *operation = op();
  char *text;

  if (path != NULL)
    set_at(document, path, value);
  text = json_dumps(document, 0);
  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(w("%s", id), w("%s", text), operation, NULL, &system)),
     0);
  free(text);
  json_decref(document);
  return system;
}

void *create_machine(const char *id)
{
  return create_machine_with(id, NULL, NULL);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void runtime_guid(const struct machine *m, GUID *ret)
{
  wchar_t *text = w("{%s}", m->runtime_id);
  unsigned d[11];

  OK(swscanf(text, L"{%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x}", &d[0], &d[1], &d[2], &d[3], &d[4],
             &d[5], &d[6], &d[7], &d[8], &d[9], &d[10]) == 11);
  *ret = (GUID){ d[0], (WORD)d[1], (WORD)d[2], { 0 } };
  for (int i = 0; i < 8; i++)
    ret->Data4[i] = (BYTE)d[3 + i];
}

static SOCKET listen_on(const GUID *vm, const GUID *service)
{
  SOCKADDR_HV address = { .Family = FAMILY, .VmId = *vm, .ServiceId = *service };
  SOCKET made = CALL(socket)(FAMILY, SOCK_STREAM, 1);

  OK(made != INVALID_SOCKET);
  IS(CALL(bind)(made, &address, sizeof(address)), 0);
  IS(CALL(listen)(made, 16), 0);
  return made;
}

static void learn_runtime_id(struct machine *m)
{
  json_t *all = NULL;
  void *operation = op();

  IS(finish_with(operation, CALL(HcsGetComputeSystemProperties)(m->system, operation, L"{}"), &all),
     0);
  (void)snprintf(m->runtime_id, sizeof(m->runtime_id), "%s",
                 json_string_value(json_object_get(all, "RuntimeId")));
  json_decref(all);
}

/* With a system its own address, else any. */
void machine_listen(struct machine *m, const char *id)
{
  GUID vm = { 0 };

  (void)snprintf(m->id, sizeof(m->id), "%s", id);
  if (m->system != NULL) {
    learn_runtime_id(m);
    runtime_guid(m, &vm);
  }
  m->listening = listen_on(&vm, &bridge_service);
}

void machine_power_on(struct machine *m)
{
  void *operation = op();

  IS(finish(operation, CALL(HcsStartComputeSystem)(m->system, operation, NULL)), 0);
}

bool machine_accept(struct machine *m, unsigned ms)
{
  WSAPOLLFD poll = { .fd = m->listening, .events = POLLRDNORM };
  bool came = WSAPoll(&poll, 1, (int)ms) > 0;
  SOCKADDR_HV address = { 0 };
  int len = sizeof(address);

  if (came) {
    m->bridge = CALL(accept)(m->listening, &address, &len);
    OK(m->bridge != INVALID_SOCKET && address.Family == FAMILY);
  }
  IS(CALL(closesocket)(m->listening), 0);
  m->listening = 0;
  return came;
}

void machine_start(struct machine *m, const char *id)
{
  DWORD ms = ANSWER_MS;

  memset(m, 0, sizeof(*m));
  m->system = create_machine(id);
  machine_listen(m, id);
  machine_power_on(m);
  OK(machine_accept(m, ANSWER_MS));
  IS(setsockopt(m->bridge, SOL_SOCKET, SO_RCVTIMEO, (const char *)&ms, sizeof(ms)), 0);
}

void machine_drop(struct machine *m)
{
  void *operation = op();
  wchar_t *text = NULL;
  uint32_t hr = finish(operation, CALL(HcsTerminateComputeSystem)(m->system, operation, NULL));

  OK(hr == 0 || hr == 0x80370110);
  IS(CALL(HcsWaitForComputeSystemExit)(m->system, 10000, &text), 0);
  json_decref(json_of(text, true));
  CALL(HcsCloseComputeSystem)(m->system);
  if (m->bridge != 0)
    (void)CALL(closesocket)(m->bridge);
  json_decref(m->notified);
  memset(m, 0, sizeof(*m));
}

void machine_end(struct machine *m)
{
  char id[40];

  (void)snprintf(id, sizeof(id), "%s", m->id);
  machine_drop(m);
  machine_files_remove(id);
}

/* ---- Messages -------------------------------------------------------------------------------- */

void say(struct machine *m, uint32_t type, const char *container, const char *body)
{
  json_t *message = json_loads(body, 0, NULL);
  struct frame frame = { .type = type, .id = ++m->last };
  char *text;

  OK(message != NULL);
  (void)json_object_set_new(message, "ContainerId",
                            json_string(container == NULL ? nobody : container));
  (void)json_object_set_new(message, "ActivityId", json_string(nobody));
  text = json_dumps(message, 0);
  frame.size = (uint32_t)(sizeof(frame) + strlen(text));
  OK(send(m->bridge, (const char *)&frame, sizeof(frame), 0) == sizeof(frame));
  OK(send(m->bridge, text, (int)strlen(text), 0) == (int)strlen(text));
  free(text);
  json_decref(message);
}

static bool receive(struct machine *m, void *data, size_t len)
{
  char *to = data;

  while (len > 0) {
    int got = recv(m->bridge, to, (int)len, 0);

    if (got <= 0)
      return false;
    to += got;
    len -= (size_t)got;
  }
  return true;
}

static json_t *next_frame(struct machine *m, struct frame *frame)
{
  json_t *body = NULL;
  char *text;

  if (!receive(m, frame, sizeof(*frame)) || frame->size < sizeof(*frame) || frame->size > 65536)
    return NULL;
  text = calloc(1, frame->size + 1);
  OK(text != NULL);
  if (receive(m, text, frame->size - sizeof(*frame)))
    body = json_loads(text, 0, NULL);
  free(text);
  return body;
}

uint32_t ask(struct machine *m, uint32_t type, const char *container, const char *body,
             json_t **answer)
{
  struct frame frame;
  uint32_t result;
  json_t *got;

  say(m, type, container, body);
  for (;;) {
    got = next_frame(m, &frame);
    if (got == NULL)
      return 1;
    if (frame.type != NOTIFICATION)
      break;
    json_decref(m->notified);
    m->notified = got;
  }
  if (frame.id != m->last || frame.type != (type | 0x20000000u) - 0x10000000u) {
    json_decref(got);
    return 1;
  }
  result = (uint32_t)json_integer_value(json_object_get(got, "Result"));
  if (answer != NULL)
    *answer = got;
  else
    json_decref(got);
  return result;
}

/* send() of a message to who has hung up already fails, too. */
uint32_t ask_maybe(struct machine *m, uint32_t type, const char *body)
{
  WSAPOLLFD poll = { .fd = m->bridge, .events = POLLRDNORM };
  char probe;

  if (WSAPoll(&poll, 1, GONE_MS) > 0 && recv(m->bridge, &probe, 1, MSG_PEEK) <= 0)
    return 1;
  return ask(m, type, NULL, body, NULL);
}

void await_notification(struct machine *m, const char *container, const char *type)
{
  struct frame frame;

  while (m->notified == NULL) {
    json_t *got = next_frame(m, &frame);

    OK(got != NULL);
    if (frame.type == NOTIFICATION)
      m->notified = got;
    else
      json_decref(got);
  }
  OK(strcmp(json_string_value(json_object_get(m->notified, "ContainerId")), container) == 0);
  OK(strcmp(json_string_value(json_object_get(m->notified, "Type")), type) == 0);
  json_decref(m->notified);
  m->notified = NULL;
}

void machine_cold_start(struct machine *m)
{
  json_t *answer = NULL;
  char body[500];

  IS(ask(m, NEGOTIATE, NULL, "{\"MinimumVersion\":4,\"MaximumVersion\":4}", &answer), 0);
  IS(json_integer_value(json_object_get(answer, "Version")), 4);
  json_decref(answer);
  IS(ask(m, CREATE, NULL,
         "{\"ContainerConfig\":\"{\\\"SystemType\\\":\\\"Container\\\",\\\"TimeZoneInformation\\\":"
         "{\\\"Bias\\\":-60,\\\"StandardName\\\":\\\"Here\\\",\\\"StandardDate\\\":{}}}\"}",
         NULL),
     0);
  IS(ask(m, START, NULL, "{}", NULL), 0);
  (void)snprintf(
      body, sizeof(body),
      "{\"Request\":{\"RequestType\":\"Update\",\"ResourceType\":\"HvSocket\",\"Settings\":"
      "{\"LocalAddress\":\"%s\",\"ParentAddress\":\"894cc2d6-9d79-424f-93fe-42969ae6d8d1\"}}}",
      m->runtime_id);
  IS(ask(m, MODIFY, NULL, body, NULL), 0);
}

/* ---- Containers ------------------------------------------------------------------------------ */

uint32_t host_modify(struct machine *m, const char *request)
{
  void *operation = op();

  return finish(operation,
                CALL(HcsModifyComputeSystem)(m->system, operation, w("%s", request), NULL));
}

static const char *dumped(json_t *value)
{
  char *text = json_dumps(value, JSON_ENCODE_ANY), *copy = at("");

  OK(text != NULL && strlen(text) < 8000);
  (void)snprintf(copy, 8192, "%s", text);
  free(text);
  json_decref(value);
  return copy;
}

const char *scsi_request(const char *type, unsigned lun, const char *path)
{
  char place[200];
  json_t *request;

  (void)snprintf(place, sizeof(place), "VirtualMachine/Devices/Scsi/%s/Attachments/%u", controller,
                 lun);
  request = json_pack("{s:s,s:s}", "ResourcePath", place, "RequestType", type);
  if (path != NULL)
    (void)json_object_set_new(request, "Settings",
                              json_pack("{s:s,s:s}", "Type", "VirtualDisk", "Path", path));
  return dumped(request);
}

static void share_layer(struct machine *m, const char *name, const char *path)
{
  IS(CALL(HcsGrantVmAccess)(w("%s", m->id), w("%s", path)), 0);
  IS(host_modify(m, dumped(json_pack("{s:s,s:s,s:{s:s,s:s,s:{s:b,s:b,s:b,s:b,s:b}}}",
                                     "ResourcePath", "VirtualMachine/Devices/VirtualSmb/Shares",
                                     "RequestType", "Add", "Settings", "Name", name, "Path", path,
                                     "Options", "ReadOnly", 1, "ShareRead", 1, "CacheIo", 1,
                                     "PseudoOplocks", 1, "TakeBackupPrivilege", 1))),
     0);
}

static json_t *guest_layers(void)
{
  char top[200], base[200];

  (void)snprintf(top, sizeof(top), "%ss1", vmsmb);
  (void)snprintf(base, sizeof(base), "%ss2", vmsmb);
  return json_pack("[{s:s,s:s},{s:s,s:s}]", "Id", layer_id(at("top")), "Path", top, "Id",
                   layer_id(at("base")), "Path", base);
}

static const char *settings(const char *resource, json_t *value)
{
  return dumped(json_pack("{s:{s:s,s:s,s:o}}", "Request", "RequestType", "Add", "ResourceType",
                          resource, "Settings", value));
}

void machine_prepare_container(struct machine *m, const char *id)
{
  json_t *config;
  char *text;

  make_scratch("scratch");
  IS(CALL(HcsGrantVmAccess)(w("%s", m->id), w("%s", at("scratch\\sandbox.vhdx"))), 0);
  share_layer(m, "s1", at("top"));
  share_layer(m, "s2", at("base"));
  IS(host_modify(m, scsi_request("Add", 1, at("scratch\\sandbox.vhdx"))), 0);
  IS(ask(m, MODIFY, NULL,
         settings("MappedVirtualDisk",
                  json_pack("{s:s,s:i}", "ContainerPath", "c:\\mounts\\scsi\\m1", "Lun", 1)),
         NULL),
     0);
  IS(ask(m, MODIFY, NULL,
         settings("CombinedLayers", json_pack("{s:s,s:o}", "ContainerRootPath",
                                              "c:\\mounts\\scsi\\m1", "Layers", guest_layers())),
         NULL),
     0);
  config = json_pack("{s:{s:i,s:i},s:{s:{s:s},s:{s:o,s:s}}}", "SchemaVersion", "Major", 2, "Minor",
                     1, "Container", "GuestOs", "HostName", "box", "Storage", "Layers",
                     guest_layers(), "Path", "c:\\mounts\\scsi\\m1");
  text = json_dumps(config, 0);
  IS(ask(m, CREATE, id, dumped(json_pack("{s:s}", "ContainerConfig", text)), NULL), 0);
  free(text);
  json_decref(config);
  IS(CALL(HcsRevokeVmAccess)(w("%s", m->id), w("%s", at("top"))), 0);
}

void machine_run(struct machine *m, const char *container, const char *command, char *printed,
                 size_t size, uint32_t *exit_code)
{
  GUID vm,
      service = { STREAM_PORT, 0xfacb, 0x11e6, { 0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3 } };
  char *parameters =
      json_dumps(json_pack("{s:s,s:b}", "CommandLine", command, "CreateStdOutPipe", 1), 0);
  char body[200];
  SOCKET listening, stream;
  json_t *answer = NULL;
  size_t all = 0;
  int got;

  runtime_guid(m, &vm);
  listening = listen_on(&vm, &service);
  IS(ask(m, EXECUTE, container,
         dumped(json_pack("{s:{s:s,s:{s:s}}}", "Settings", "ProcessParameters", parameters,
                          "StdioRelaySettings", "StdOut", "40000001-facb-11e6-bd58-64006a7986d3")),
         &answer),
     0);
  free(parameters);
  (void)snprintf(body, sizeof(body), "{\"ProcessId\":%u,\"TimeoutInMs\":4294967295}",
                 (unsigned)json_integer_value(json_object_get(answer, "ProcessId")));
  json_decref(answer);
  stream = CALL(accept)(listening, NULL, NULL);
  OK(stream != INVALID_SOCKET);
  IS(CALL(closesocket)(listening), 0);
  while (all + 1 < size && (got = recv(stream, printed + all, (int)(size - all - 1), 0)) > 0)
    all += (size_t)got;
  printed[all] = '\0';
  (void)CALL(closesocket)(stream);
  IS(ask(m, WAIT, container, body, &answer), 0);
  *exit_code = (uint32_t)json_integer_value(json_object_get(answer, "ExitCode"));
  json_decref(answer);
}
