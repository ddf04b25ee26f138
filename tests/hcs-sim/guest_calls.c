/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages to a machine's agent: its start, and containers' lives.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  VERSION = 4,
  OTHER_VERSION = 3,
  SIGNAL_MS = 600000
};

static const char host_address[] = "894cc2d6-9d79-424f-93fe-42969ae6d8d1";

static uint32_t kill_machine(struct message *m, const char *what)
{
  sim_log("'%s' dies: %s", m->guest->vm->id, what);
  sim_system_end(m->guest->vm, "UnexpectedExit", HCS_UNEXPECTED_EXIT);
  return HCS_UNEXPECTED_EXIT;
}

/* ---- Start of the machine -------------------------------------------------------------------- */

static json_t *capabilities(void)
{
  return json_pack("{s:b,s:b,s:b,s:b,s:b,s:[{s:i,s:i}],s:s,s:{s:b,s:b,s:b,s:b,s:b,s:b,s:b}}",
                   "SendHostCreateMessage", 1, "SendHostStartMessage", 1, "HvSocketConfigOnStartup",
                   1, "SendLifecycleNotifications", 0, "ModifyServiceSettingsSupported", 0,
                   "SupportedSchemaVersions", "Major", 2, "Minor", 1, "RuntimeOsType", "Windows",
                   "GuestDefinedCapabilities", "NamespaceAddRequestSupported", 1,
                   "SignalProcessSupported", sim_host_number("signals") != 0, "DumpStacksSupported",
                   1, "DeleteContainerStateSupported", 1, "UpdateContainerSupported", 0,
                   "LogForwardingSupported", 0, "HostProcessContainerSupported", 0);
}

static uint32_t negotiate(struct message *m)
{
  json_int_t minimum = json_integer_value(json_object_get(m->body, "MinimumVersion"));
  json_int_t maximum = json_integer_value(json_object_get(m->body, "MaximumVersion"));
  bool other = m->call.fault.hit && strcmp(m->call.fault.action, "version") == 0;

  if (m->guest->stage != FRESH)
    return sim_refuse(&m->call, HR_NOT_IMPLEMENTED, "Bridge", "there is a version already");
  if (minimum > VERSION || maximum < VERSION)
    return sim_refuse(&m->call, GCS_VERSION, "Bridge", "only version 4");
  m->guest->stage = NEGOTIATED;
  (void)json_object_set_new(m->answer, "Version", json_integer(other ? OTHER_VERSION : VERSION));
  (void)json_object_set_new(m->answer, "Capabilities", capabilities());
  return 0;
}

static uint32_t create_host(struct message *m)
{
  json_t *config = sim_parse(m->body, "ContainerConfig");
  bool zone = json_is_object(json_object_get(config, "TimeZoneInformation"));
  uint32_t hr = 0;
  char why[512];

  if (m->guest->stage != NEGOTIATED)
    hr = kill_machine(m, "Create of the machine's own container out of turn");
  else if (!sim_strict(config, "GuestHost", why, sizeof(why)))
    hr = sim_refuse(&m->call, HCS_JSON, "Bridge", "%s", why);
  else if (strcmp(sim_text(config, "SystemType"), "Container") != 0)
    hr = sim_refuse(&m->call, HCS_JSON, "Bridge", "$.SystemType: not Container");
  else if (!zone && sim_host_number("zone") != 0)
    hr = kill_machine(m, "bugcheck 0xEF: no time zone");
  else
    m->guest->stage = HOST_CREATED;
  json_decref(config);
  return hr;
}

static uint32_t start_host(struct message *m)
{
  if (m->guest->stage != HOST_CREATED)
    return kill_machine(m, "Start of the machine's own container out of turn");
  m->guest->stage = HOST_STARTED;
  return 0;
}

static uint32_t set_address(struct message *m)
{
  const json_t *settings = json_object_get(json_object_get(m->body, "Request"), "Settings");

  if (_stricmp(sim_text(settings, "LocalAddress"), m->guest->vm->runtime_id) != 0 ||
      _stricmp(sim_text(settings, "ParentAddress"), host_address) != 0)
    return sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Request.Settings: not our addresses");
  if (m->guest->stage == HOST_STARTED)
    m->guest->stage = READY;
  return 0;
}

/* False: the machine has died of it. */
static bool is_ready(struct message *m)
{
  if (m->guest->stage == READY)
    return true;
  (void)kill_machine(m, m->name);
  return false;
}

static uint32_t modify(struct message *m)
{
  const json_t *request = json_object_get(m->body, "Request");

  if (m->guest->stage >= HOST_STARTED && strcmp(sim_text(request, "ResourceType"), "HvSocket") == 0)
    return set_address(m);
  return is_ready(m) ? guest_modify(m) : HCS_UNEXPECTED_EXIT;
}

/* ---- Containers ------------------------------------------------------------------------------ */

static uint32_t check_document(struct message *m, const json_t *document)
{
  const json_t *version = json_object_get(document, "SchemaVersion");
  char why[512];

  if (!sim_strict(document, "HostedDocument", why, sizeof(why)))
    return sim_refuse(&m->call, HCS_JSON, "Construct", "%s", why);
  if (json_integer_value(json_object_get(version, "Major")) != 2 ||
      json_integer_value(json_object_get(version, "Minor")) != 1)
    return sim_refuse(&m->call, HCS_JSON, "Construct", "$.SchemaVersion: missing, or not 2.1");
  if (json_object_get(document, "Container") == NULL)
    return sim_refuse(&m->call, HCS_JSON, "Construct", "$.Container: missing");
  return 0;
}

static uint32_t check_network(struct message *m, const json_t *container)
{
  const json_t *networking = json_object_get(container, "Networking");
  char *id = sim_copy(sim_text(networking, "Namespace"));
  uint32_t hr = 0;

  if (networking != NULL && sim_text(json_object_get(container, "GuestOs"), "HostName")[0] == '\0')
    hr = sim_refuse(&m->call, HR_CONSTRUCT, "Construct", "$.Container.GuestOs: missing");
  else if (id[0] != '\0' && json_object_get(m->guest->namespaces, _strlwr(id)) == NULL)
    hr = sim_refuse(&m->call, HR_NOT_FOUND, "Construct", "$.Container.Networking.Namespace: no %s",
                    id);
  free(id);
  return hr;
}

static uint32_t check_mounts(struct message *m, const json_t *container)
{
  const json_t *mount;
  size_t i;

  json_array_foreach (json_object_get(container, "MappedDirectories"), i, mount) {
    char *path = sim_vm_outside(m->guest->vm, sim_text(mount, "HostPath"));
    bool found = path != NULL && sim_exists(path);

    free(path);
    if (!found)
      return sim_refuse(&m->call, HR_FILE, "Construct",
                        "$.Container.MappedDirectories: no '%s' in the machine",
                        sim_text(mount, "HostPath"));
  }
  return 0;
}

static uint32_t check_hosted(struct message *m, json_t *container)
{
  const json_t *storage = json_object_get(container, "Storage");
  char *key = sim_path_key(sim_text(storage, "Path"));
  const json_t *combined = json_object_get(m->guest->combined, key);
  uint32_t hr = sim_check_container(&m->call, container, m->guest->vm);

  free(key);
  if (hr == 0 && combined == NULL)
    hr = sim_refuse(&m->call, HR_PATH, "Construct",
                    "$.Container.Storage.Path: no combined layers there");
  if (hr == 0 && !json_equal(combined, json_object_get(storage, "Layers")))
    hr = sim_refuse(&m->call, HR_CONSTRUCT, "Construct",
                    "$.Container.Storage.Layers: not the combined ones");
  if (hr == 0)
    hr = check_network(m, container);
  return hr == 0 ? check_mounts(m, container) : hr;
}

static void add_container(struct message *m, json_t *document)
{
  struct system *s = sim_system_new(sim_text(m->body, "ContainerId"), document);
  GUID guid;

  s->host = m->guest->vm;
  sim_guid_of_name(s->id, &guid);
  sim_guid_format(&guid, s->runtime_id);
  sim_container_root(s, json_object_get(document, "Container"), m->guest->vm);
}

static uint32_t create(struct message *m)
{
  json_t *document;
  uint32_t hr;

  if (guest_is_host(m))
    return create_host(m);
  if (!is_ready(m))
    return HCS_UNEXPECTED_EXIT;
  document = sim_parse(m->body, "ContainerConfig");
  hr = check_document(m, document);
  if (hr == 0 && guest_container(m) != NULL)
    hr = sim_refuse(&m->call, HCS_EXISTS, "Construct", "it exists");
  if (hr == 0)
    hr = check_hosted(m, json_object_get(document, "Container"));
  if (hr == 0)
    add_container(m, document);
  json_decref(document);
  return hr;
}

/* NULL: refused with *hr. */
static struct system *target(struct message *m, uint32_t *hr)
{
  struct system *s = guest_container(m);

  *hr = s == NULL ? sim_refuse(&m->call, HCS_NO_SYSTEM, "Bridge", "no such container") : 0;
  return s;
}

static uint32_t start(struct message *m)
{
  struct system *s;
  uint32_t hr;

  if (guest_is_host(m))
    return start_host(m);
  if (!is_ready(m))
    return HCS_UNEXPECTED_EXIT;
  s = target(m, &hr);
  if (s == NULL)
    return hr;
  if (s->state != CREATED)
    return sim_refuse(&m->call, HCS_STATE, "Start", "not in the state Created");
  s->state = RUNNING;
  s->started = sim_filetime();
  return 0;
}

static uint32_t shut_down(struct message *m, void (*how)(struct system *))
{
  uint32_t hr;
  struct system *s = target(m, &hr);

  if (s == NULL)
    return hr;
  if (s->state == STOPPED)
    return sim_refuse(&m->call, HCS_STOPPED, "Shutdown", "it has stopped");
  how(s);
  return 0;
}

static uint32_t shut_down_gracefully(struct message *m)
{
  return shut_down(m, sim_system_shut_down);
}

static uint32_t shut_down_by_force(struct message *m)
{
  return shut_down(m, sim_system_terminate);
}

static uint32_t delete_state(struct message *m)
{
  uint32_t hr;
  struct system *s = target(m, &hr);

  if (s == NULL)
    return hr;
  if (s->state != STOPPED)
    return sim_refuse(&m->call, HCS_STATE, "Delete", "it has not stopped");
  s->id[0] = '\0'; /* nobody finds it any more */
  return 0;
}

/* ---- Processes ------------------------------------------------------------------------------- */

static uint32_t execute(struct message *m)
{
  return is_ready(m) ? guest_execute(m) : HCS_UNEXPECTED_EXIT;
}

static struct process *find_process(struct message *m, uint32_t *hr)
{
  DWORD pid = (DWORD)json_integer_value(json_object_get(m->body, "ProcessId"));
  struct system *s = guest_is_host(m) ? m->guest->vm : target(m, hr);
  struct process *p;

  if (s == NULL)
    return NULL;
  p = sim_process_find(s, pid);
  *hr = p == NULL ? sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "no process %lu", pid) : 0;
  return p;
}

static uint32_t wait_process(struct message *m)
{
  json_int_t ms = json_integer_value(json_object_get(m->body, "TimeoutInMs"));
  uint64_t end = ms == UINT32_MAX ? UINT64_MAX : GetTickCount64() + (uint64_t)ms;
  uint32_t hr = 0;
  struct process *p = find_process(m, &hr);

  if (p == NULL)
    return hr;
  while (!p->exited && !m->guest->over) {
    uint64_t now = GetTickCount64();

    if (now >= end)
      return sim_refuse(&m->call, GCS_TIMEOUT, "Bridge", "the process runs");
    (void)sim_wait(end - now > 1000 ? now + 1000 : end);
  }
  (void)json_object_set_new(m->answer, "ExitCode", json_integer(p->exit_code));
  return 0;
}

static uint32_t signal_process(struct message *m)
{
  const json_t *options = json_object_get(m->body, "Options");
  uint64_t deadline = GetTickCount64() + SIGNAL_MS;
  const char *name = sim_text(options, "Signal");
  uint32_t hr = 0;
  struct process *p = find_process(m, &hr);

  if (p == NULL)
    return hr;
  if (p->exited)
    return sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "process %lu has exited", p->pid);
  if (options == NULL)
    return TerminateProcess(p->handle, ERROR_PROCESS_ABORTED) ? 0 : HR_ACCESS;
  if (sim_host_number("signals") == 0)
    return sim_refuse(&m->call, HR_NOT_IMPLEMENTED, "Bridge", "the guest has no signals");
  if (name[0] == '\0')
    return sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Options.Signal: missing");
  sim_signal(p, name);
  while (strcmp(name, "CtrlShutdown") == 0 && !p->exited && !m->guest->over && sim_wait(deadline))
    ;
  return 0;
}

static uint32_t resize(struct message *m)
{
  uint32_t hr = 0;
  struct process *p = find_process(m, &hr);

  if (p == NULL)
    return hr;
  if (!p->console)
    return sim_refuse(&m->call, HR_FAIL, "Bridge", "process %lu has no console", p->pid);
  p->height = (unsigned)json_integer_value(json_object_get(m->body, "Height"));
  p->width = (unsigned)json_integer_value(json_object_get(m->body, "Width"));
  return 0;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static json_t *properties_of(const struct system *s, const json_t *query)
{
  json_t *all = json_object();
  const json_t *type;
  size_t i;

  json_array_foreach (json_object_get(query, "PropertyTypes"), i, type) {
    if (strcmp(json_string_value(type), "SystemGUID") == 0)
      (void)json_object_set_new(all, "SystemGUID", json_string(s->runtime_id));
    else
      sim_system_add_property(s, json_string_value(type), all);
  }
  return all;
}

static uint32_t get_properties(struct message *m)
{
  uint32_t hr = 0;
  struct system *s = guest_is_host(m) ? m->guest->vm : target(m, &hr);
  json_t *query, *all;
  char why[512], *text;

  if (s == NULL)
    return hr;
  query = sim_parse(m->body, "Query");
  if (sim_strict(query, "GuestQuery", why, sizeof(why))) {
    all = properties_of(s, query);
    text = json_dumps(all, JSON_COMPACT);
    (void)json_object_set_new(m->answer, "Properties", json_string(text));
    free(text);
    json_decref(all);
  } else {
    hr = sim_refuse(&m->call, HCS_JSON, "Bridge", "%s", why);
  }
  json_decref(query);
  return hr;
}

static uint32_t dump_stacks(struct message *m)
{
  (void)json_object_set_new(m->answer, "GuestStacks", json_string("vmcomputeagent!main"));
  return 0;
}

static uint32_t not_here(struct message *m)
{
  return sim_refuse(&m->call, HR_NOT_IMPLEMENTED, "Bridge", "the guest does not have it");
}

const struct message_kind guest_messages[] = {
  { 0x10100101, "Create", create, false },
  { 0x10100201, "Start", start, false },
  { 0x10100301, "ShutdownGraceful", shut_down_gracefully, false },
  { 0x10100401, "ShutdownForced", shut_down_by_force, false },
  { 0x10100501, "ExecuteProcess", execute, false },
  { 0x10100601, "WaitForProcess", wait_process, true },
  { 0x10100701, "SignalProcess", signal_process, true },
  { 0x10100801, "ResizeConsole", resize, false },
  { 0x10100901, "GetProperties", get_properties, false },
  { 0x10100a01, "ModifySettings", modify, false },
  { 0x10100b01, "NegotiateProtocol", negotiate, false },
  { 0x10100c01, "DumpStacks", dump_stacks, false },
  { 0x10100d01, "DeleteContainerState", delete_state, false },
  { 0x10100e01, "UpdateContainer", not_here, false },
  { 0, NULL, NULL, false },
};
