/* SPDX-License-Identifier: Apache-2.0
 *
 * Compute systems: containers of the host and machines.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  EVENT_SYSTEM_EXITED = 1,
  MEGABYTE = 1 << 20,
  PAGE = 4096
};

LONG NTAPI NtSuspendProcess(HANDLE process);
LONG NTAPI NtResumeProcess(HANDLE process);

static const char *const state_names[] = { "Created", "Created", "Running", "Paused", "Stopped" };

struct system *sim_system_find(const char *id)
{
  for (struct system *s = machine.systems; s != NULL; s = s->next)
    if (s->host == NULL && s->state != STOPPED && strcmp(s->id, id) == 0)
      return s;
  return NULL;
}

static json_t *exit_status(const struct system *system)
{
  return json_pack("{s:I,s:s}", "Status", (json_int_t)(int32_t)system->exit_status, "ExitType",
                   system->exit_type);
}

void sim_system_end(struct system *system, const char *exit_type, uint32_t status)
{
  json_t *data;

  if (system->state == STOPPED)
    return;
  sim_log("'%s' exits: %s 0x%08x", system->id, exit_type, status);
  system->state = STOPPED;
  system->exit_type = exit_type;
  system->exit_status = status;
  if (system->job != NULL)
    (void)TerminateJobObject(system->job, ERROR_PROCESS_ABORTED);
  if (system->is_machine)
    sim_vm_end(system);
  else if (system->host != NULL)
    sim_guest_exited(system);
  else
    sim_namespace_bind(NULL, system->id);
  data = exit_status(system);
  if (!system->lost)
    sim_event_system(system, EVENT_SYSTEM_EXITED, data);
  json_decref(data);
  sim_changed();
}

void sim_system_close(struct system *system)
{
  if (system->terminates && system->state != STOPPED && sim_handles_of(system) == 0)
    sim_system_end(system, "ForcedExit", 0);
}

/* ---- Create, open ---------------------------------------------------------------------------- */

static uint32_t accept_create(struct call *call)
{
  if (sim_text(call->args, "id")[0] == '\0' || call->session == NULL)
    return HR_CONSTRUCT;
  (void)json_object_set_new(call->reply, "system",
                            json_integer((json_int_t)sim_handle_new(call->session, SYSTEM)->id));
  return 0;
}

static uint32_t check_envelope(struct call *call, const json_t *document)
{
  json_int_t minor =
      json_integer_value(json_object_get(json_object_get(document, "SchemaVersion"), "Minor"));
  unsigned kinds = (json_object_get(document, "Container") != NULL) +
                   (json_object_get(document, "VirtualMachine") != NULL) +
                   (json_object_get(document, "HostedSystem") != NULL);
  char why[512];

  if (document == NULL || !sim_strict(document, "ComputeSystem", why, sizeof(why)))
    return sim_refuse(call, HCS_JSON, "Construct", "%s", document == NULL ? "$: no JSON" : why);
  if (json_object_get(document, "SchemaVersion") == NULL)
    return sim_refuse(call, HR_CONSTRUCT, "Construct", "$.SchemaVersion: missing");
  if (json_integer_value(json_object_get(json_object_get(document, "SchemaVersion"), "Major")) !=
          2 ||
      minor > 1)
    return sim_refuse(call, HCS_JSON, "Construct", "$.SchemaVersion: not supported");
  if (kinds != 1)
    return sim_refuse(call, HR_CONSTRUCT, "Construct",
                      "$: neither a container nor a machine, or both");
  if (json_object_get(document, "HostedSystem") != NULL)
    return sim_refuse(call, HR_CONSTRUCT, "Construct",
                      "$.HostedSystem: the machine's guest is not connected to the service");
  return 0;
}

static void set_limits(struct system *system)
{
  const json_t *container = json_object_get(system->document, "Container");
  json_int_t mb =
      json_integer_value(json_object_get(json_object_get(container, "Memory"), "SizeInMB"));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { .BasicLimitInformation.LimitFlags =
                                                      JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE };

  if (mb > 0) {
    limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
    limits.JobMemoryLimit = (SIZE_T)mb * MEGABYTE;
  }
  (void)SetInformationJobObject(system->job, JobObjectExtendedLimitInformation, &limits,
                                sizeof(limits));
}

struct system *sim_system_new(const char *id, json_t *document)
{
  struct system *system = sim_alloc(sizeof(*system));
  GUID guid;

  system->id = sim_copy(id);
  system->owner = sim_copy(sim_text(document, "Owner"));
  system->is_machine = json_object_get(document, "VirtualMachine") != NULL;
  system->terminates = json_is_true(json_object_get(document, "ShouldTerminateOnLastHandleClosed"));
  if (!sim_guid_parse(id, &guid))
    sim_guid_of_name(id, &guid);
  sim_guid_format(&guid, system->runtime_id);
  system->state = CREATED;
  system->document = json_incref(document);
  system->created = sim_filetime();
  system->exit_type = "None";
  system->job = CreateJobObjectW(NULL, NULL);
  system->root = json_array();
  system->binds = json_array();
  system->shares = json_object();
  system->disks = json_object();
  system->nics = json_object();
  set_limits(system);
  system->next = machine.systems;
  machine.systems = system;
  return system;
}

static uint32_t construct(struct call *call, const char *id, json_t *document, struct system **ret)
{
  json_t *container = json_object_get(document, "Container");
  uint32_t hr = check_envelope(call, document);

  if (hr != 0)
    return hr;
  if (sim_system_find(id) != NULL)
    return sim_refuse(call, HCS_EXISTS, "Create", "'%s' exists", id);
  if (container != NULL)
    hr = sim_check_container(call, container, NULL);
  else if (sim_host_number("hyperv") == 0)
    hr = sim_refuse(call, HCS_HYPERV, "Construct", "Hyper-V is not installed");
  else
    hr = sim_vm_check(call, json_object_get(document, "VirtualMachine"));
  if (hr != 0)
    return hr;
  *ret = sim_system_new(id, document);
  if (container != NULL) {
    sim_container_root(*ret, container, NULL);
    sim_namespace_bind(sim_text(json_object_get(container, "Networking"), "Namespace"), id);
  }
  return 0;
}

static uint32_t create(struct call *call)
{
  struct handle *handle =
      sim_handle_find((uint64_t)json_integer_value(json_object_get(call->args, "system")));
  json_t *document = sim_parse(call->args, "document");
  struct system *system = NULL;
  uint32_t hr;

  if (handle == NULL || handle->closed) {
    json_decref(document);
    return HR_HANDLE;
  }
  hr = construct(call, sim_text(call->args, "id"), document, &system);
  handle->system = system;
  json_decref(document);
  return hr;
}

static uint32_t open_system(struct call *call)
{
  struct system *system = sim_system_find(sim_text(call->args, "id"));
  struct handle *handle;

  if (json_integer_value(json_object_get(call->args, "access")) == 0)
    return HR_CONSTRUCT;
  if (system == NULL)
    return HCS_NO_SYSTEM;
  handle = sim_handle_new(call->session, SYSTEM);
  handle->system = system;
  (void)json_object_set_new(call->reply, "system", json_integer((json_int_t)handle->id));
  return 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* The system of a call, or NULL when it never came to be. */
static struct system *target(const struct call *call)
{
  return call->handle == NULL ? NULL : call->handle->system;
}

static uint32_t start(struct call *call)
{
  struct system *s = target(call);
  uint32_t hr = 0;

  if (s == NULL || s->state != CREATED)
    return sim_refuse(call, HCS_STATE, "Start", "not in the state Created");
  if (s->is_machine)
    hr = sim_vm_start(call, s);
  else
    hr = sim_check_container(call, json_object_get(s->document, "Container"), NULL);
  if (hr != 0) {
    sim_system_end(s, "UnexpectedExit", hr);
    return hr;
  }
  s->state = RUNNING;
  s->started = sim_filetime();
  if (s->is_machine)
    sim_guest_start(s);
  if (strcmp(call->fault.action, "exit") == 0)
    sim_system_end(s, "UnexpectedExit", call->fault.hr == 0 ? HCS_UNEXPECTED_EXIT : call->fault.hr);
  sim_changed();
  return 0;
}

static bool has_workload(const struct system *system)
{
  for (const struct process *p = system->processes; p != NULL; p = p->next)
    if (!p->exited)
      return true;
  return false;
}

static DWORD WINAPI shut_down_slowly(void *ctx)
{
  struct system *s = ctx;

  sim_lock();
  for (struct process *p = s->processes; p != NULL; p = p->next)
    sim_signal(p, "CtrlShutdown");
  while (s->state != STOPPED && has_workload(s))
    (void)sim_wait(GetTickCount64() + 1000);
  sim_system_end(s, "GracefulExit", 0);
  sim_unlock();
  return 0;
}

static DWORD WINAPI terminate_soon(void *ctx)
{
  struct system *s = ctx;

  sim_lock();
  sim_system_end(s, "ForcedExit", 0);
  sim_unlock();
  return 0;
}

void sim_system_shut_down(struct system *system)
{
  sim_start_thread(shut_down_slowly, system);
}

void sim_system_terminate(struct system *system)
{
  sim_start_thread(terminate_soon, system);
}

static uint32_t check_end(struct call *call, struct system *s)
{
  if (s == NULL)
    return sim_refuse(call, HCS_STATE, "End", "there is no such system");
  if (s->state == STOPPED)
    return sim_refuse(call, HCS_STOPPED, "End", "'%s' has stopped", s->id);
  s->lost = strcmp(call->fault.action, "lose") == 0;
  return 0;
}

static uint32_t shut_down(struct call *call)
{
  struct system *s = target(call);
  uint32_t hr = check_end(call, s);

  if (hr != 0)
    return hr;
  if (s->is_machine)
    return sim_refuse(call, HR_NOT_SUPPORTED, "Shutdown",
                      "the service has no connection to the guest");
  if (s->state != RUNNING)
    return sim_refuse(call, HCS_STATE, "Shutdown", "'%s' does not run", s->id);
  if (strcmp(call->fault.action, "stay") != 0)
    sim_system_shut_down(s);
  return 0;
}

static uint32_t terminate(struct call *call)
{
  struct system *s = target(call);
  uint32_t hr = check_end(call, s);

  if (hr == 0 && strcmp(call->fault.action, "stay") != 0)
    sim_system_terminate(s);
  return hr;
}

static uint32_t suspend(struct call *call, enum state from, enum state to, LONG(NTAPI *act)(HANDLE))
{
  struct system *s = target(call);

  if (s == NULL || s->state != from)
    return sim_refuse(call, HCS_STATE, "Pause", "not in the state for it");
  if (!s->is_machine)
    return sim_refuse(call, HR_NOT_SUPPORTED, "Pause", "not of a container on the host's kernel");
  for (struct system *c = machine.systems; c != NULL; c = c->next)
    for (struct process *p = c->processes; c->host == s && p != NULL; p = p->next)
      (void)act(p->handle);
  s->state = to;
  return 0;
}

static uint32_t pause_system(struct call *call)
{
  return suspend(call, RUNNING, PAUSED, NtSuspendProcess);
}

static uint32_t resume(struct call *call)
{
  return suspend(call, PAUSED, RUNNING, NtResumeProcess);
}

static uint32_t save(struct call *call)
{
  return sim_refuse(call, HR_NOT_SUPPORTED, "Save", "not supported");
}

static uint32_t crash(struct call *call)
{
  struct system *s = target(call);

  if (s == NULL || !s->is_machine || s->state != RUNNING)
    return sim_refuse(call, HCS_STATE, "Crash", "no machine that runs");
  sim_system_end(s, "UnexpectedExit", HCS_UNEXPECTED_EXIT);
  return 0;
}

static uint32_t wait_exit(struct call *call)
{
  json_int_t ms = json_integer_value(json_object_get(call->args, "timeout"));
  uint64_t deadline = ms == UINT32_MAX ? UINT64_MAX : GetTickCount64() + (uint64_t)ms;
  struct system *s = target(call);

  if (s == NULL)
    return HCS_STATE;
  while (s->state != STOPPED && !call->handle->dead) {
    uint64_t now = GetTickCount64();

    if (now >= deadline || call->session->gone || call->handle->closed)
      return HCS_OPERATION_TIME;
    (void)sim_wait(deadline - now > 1000 ? now + 1000 : deadline);
  }
  if (call->handle->dead)
    return HCS_DISCONNECT;
  sim_answer(call, exit_status(s));
  return 0;
}

/* ---- Properties ------------------------------------------------------------------------------ */

json_t *sim_system_properties(const struct system *s)
{
  json_t *all =
      json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "Id", s->id, "SystemType",
                s->is_machine ? "VirtualMachine" : "Container", "Owner", s->owner, "RuntimeOsType",
                "Windows", "RuntimeId", s->runtime_id, "State", state_names[s->state]);

  if (s->state == STOPPED)
    (void)json_object_set_new(all, "ExitType", json_string(s->exit_type));
  return all;
}

static uint64_t filetime_of(const FILETIME *time)
{
  return (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;
}

static void times_of(const struct process *process, uint64_t *kernel, uint64_t *user)
{
  FILETIME created, ended, in_kernel, in_user;

  *kernel = *user = 0;
  if (!GetProcessTimes(process->handle, &created, &ended, &in_kernel, &in_user))
    return;
  *kernel = filetime_of(&in_kernel);
  *user = filetime_of(&in_user);
}

static json_t *timestamp(uint64_t filetime)
{
  FILETIME time = { .dwLowDateTime = (DWORD)filetime, .dwHighDateTime = (DWORD)(filetime >> 32) };
  SYSTEMTIME s;
  char text[64];

  (void)FileTimeToSystemTime(&time, &s);
  (void)snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", s.wYear, s.wMonth,
                 s.wDay, s.wHour, s.wMinute, s.wSecond, s.wMilliseconds);
  return json_string(text);
}

static json_t *statistics(const struct system *s)
{
  uint64_t kernel = 0, user = 0, k, u, now = sim_filetime();
  json_int_t memory = 0;

  for (const struct process *p = s->processes; p != NULL; p = p->next) {
    times_of(p, &k, &u);
    kernel += k;
    user += u;
    memory += p->exited ? 0 : 4 * MEGABYTE;
  }
  return json_pack("{s:o,s:o,s:I,s:{s:I,s:I,s:I},s:{s:I,s:I,s:I},s:{s:i,s:i,s:i,s:i}}", "Timestamp",
                   timestamp(now), "ContainerStartTime", timestamp(s->started), "Uptime100ns",
                   (json_int_t)(now - s->started), "Processor", "TotalRuntime100ns",
                   (json_int_t)(kernel + user), "RuntimeUser100ns", (json_int_t)user,
                   "RuntimeKernel100ns", (json_int_t)kernel, "Memory", "MemoryUsageCommitBytes",
                   memory, "MemoryUsageCommitPeakBytes", memory,
                   "MemoryUsagePrivateWorkingSetBytes", memory, "Storage", "ReadCountNormalized", 0,
                   "ReadSizeBytes", 0, "WriteCountNormalized", 0, "WriteSizeBytes", 0);
}

static json_t *process_list(const struct system *s)
{
  json_t *list = json_array();
  uint64_t kernel, user;

  for (const struct process *p = s->processes; p != NULL; p = p->next) {
    if (p->exited)
      continue;
    times_of(p, &kernel, &user);
    (void)json_array_append_new(
        list, json_pack("{s:I,s:s,s:o,s:I,s:I,s:i,s:i,s:i}", "ProcessId", (json_int_t)p->pid,
                        "ImageName", p->command, "CreateTimestamp", timestamp(p->created),
                        "UserTime100ns", (json_int_t)user, "KernelTime100ns", (json_int_t)kernel,
                        "MemoryCommitBytes", 4 * MEGABYTE, "MemoryWorkingSetPrivateBytes",
                        4 * MEGABYTE, "MemoryWorkingSetSharedBytes", 0));
  }
  return list;
}

static json_t *machine_memory(const struct system *s)
{
  const json_t *topology =
      json_object_get(json_object_get(s->document, "VirtualMachine"), "ComputeTopology");
  json_int_t mb =
      json_integer_value(json_object_get(json_object_get(topology, "Memory"), "SizeInMB"));

  return json_pack("{s:i,s:{s:I,s:I}}", "VirtualNodeCount", 1, "VirtualMachineMemory",
                   "AvailableMemory", mb * (MEGABYTE / PAGE) / 2, "AssignedMemory",
                   mb * (MEGABYTE / PAGE));
}

void sim_system_add_property(const struct system *s, const char *type, json_t *all)
{
  if (strcmp(type, "Statistics") == 0 && s->state == RUNNING)
    (void)json_object_set_new(all, type, statistics(s));
  else if (strcmp(type, "ProcessList") == 0 && s->state == RUNNING)
    (void)json_object_set_new(all, type, process_list(s));
  else if (strcmp(type, "Memory") == 0 && s->is_machine)
    (void)json_object_set_new(all, type, machine_memory(s));
  else if (strcmp(type, "TerminateOnLastHandleClosed") == 0)
    (void)json_object_set_new(all, type, json_boolean(s->terminates));
}

static uint32_t properties(struct call *call)
{
  struct system *s = target(call);
  json_t *query = sim_parse(call->args, "query"), *all;
  const json_t *type;
  char why[512];
  size_t i;

  if (!sim_strict(query, "System_PropertyQuery", why, sizeof(why))) {
    json_decref(query);
    return sim_refuse(call, HCS_JSON, "GetProperties", "%s", why);
  }
  if (s == NULL || s->state == STOPPED) {
    json_decref(query);
    return sim_refuse(call, s == NULL ? HCS_STATE : HCS_STOPPED, "GetProperties", "it has stopped");
  }
  all = sim_system_properties(s);
  json_array_foreach (json_object_get(query, "PropertyTypes"), i, type)
    sim_system_add_property(s, json_string_value(type), all);
  json_decref(query);
  sim_answer(call, all);
  return 0;
}

static bool lists(const json_t *query, const char *key, const char *value)
{
  const json_t *list = json_object_get(query, key), *item;
  size_t i;

  if (json_array_size(list) == 0)
    return true;
  json_array_foreach (list, i, item)
    if (strcmp(json_string_value(item), value) == 0)
      return true;
  return false;
}

static uint32_t enumerate(struct call *call)
{
  json_t *query = sim_parse(call->args, "query"), *found = json_array();
  char why[512];

  if (!sim_strict(query, "SystemQuery", why, sizeof(why))) {
    json_decref(query);
    json_decref(found);
    return sim_refuse(call, HCS_JSON, "Enumerate", "%s", why);
  }
  for (struct system *s = machine.systems; s != NULL; s = s->next)
    if (s->host == NULL && s->state != STOPPED && lists(query, "Ids", s->id) &&
        lists(query, "Owners", s->owner) &&
        lists(query, "Types", s->is_machine ? "VirtualMachine" : "Container"))
      (void)json_array_append_new(found, sim_system_properties(s));
  json_decref(query);
  sim_answer(call, found);
  return 0;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static uint32_t modify_container(struct call *call, struct system *s, const json_t *request)
{
  const char *path = sim_text(request, "ResourcePath");
  json_t *container = json_object_get(s->document, "Container");
  json_t *settings = json_object_get(request, "Settings");

  if (strcmp(path, "Container/Memory/SizeInMB") == 0)
    (void)json_object_set_new(container, "Memory", json_pack("{s:O}", "SizeInMB", settings));
  else if (strcmp(path, "Container/Processor") == 0)
    (void)json_object_set(container, "Processor", settings);
  else if (strcmp(path, "Container/MappedDirectories") != 0 &&
           strcmp(path, "Container/MappedPipes") != 0)
    return sim_refuse(call, HR_CONSTRUCT, "Modify", "$.ResourcePath: '%s' is not of a container",
                      path);
  set_limits(s);
  return 0;
}

static uint32_t modify(struct call *call)
{
  struct system *s = target(call);
  json_t *request = sim_parse(call->args, "document");
  uint32_t hr;
  char why[512];

  if (!sim_strict(request, "ModifySettingRequest", why, sizeof(why)))
    hr = sim_refuse(call, HCS_JSON, "Modify", "%s", why);
  else if (s == NULL || (s->state != RUNNING && s->state != CREATED))
    hr = sim_refuse(call, HCS_STATE, "Modify", "it does not run");
  else if (json_object_get(request, "GuestRequest") != NULL)
    hr = sim_refuse(call, HCS_JSON, "Modify",
                    "$.GuestRequest: the service has no connection to the guest");
  else if (s->is_machine)
    hr = sim_vm_modify(call, s, request);
  else
    hr = modify_container(call, s, request);
  json_decref(request);
  return hr;
}

/* ---- The service ----------------------------------------------------------------------------- */

static uint32_t service_properties(struct call *call)
{
  json_t *query = sim_parse(call->args, "query"), *list = json_array();
  const json_t *type;
  char why[512];
  size_t i;

  if (!sim_strict(query, "Service_PropertyQuery", why, sizeof(why))) {
    json_decref(query);
    json_decref(list);
    return sim_refuse(call, HCS_JSON, "GetServiceProperties", "%s", why);
  }
  json_array_foreach (json_object_get(query, "PropertyTypes"), i, type) {
    if (strcmp(json_string_value(type), "Basic") == 0)
      (void)json_array_append_new(list,
                                  json_pack("{s:[{s:i,s:i},{s:i,s:i}]}", "SupportedSchemaVersions",
                                            "Major", 1, "Minor", 0, "Major", 2, "Minor", 1));
    else
      (void)json_array_append_new(list, json_object());
  }
  json_decref(query);
  sim_answer(call, json_pack("{s:o}", "Properties", list));
  return 0;
}

static uint32_t service_settings(struct call *call)
{
  return sim_refuse(call, HR_NOT_SUPPORTED, "ModifyServiceSettings", "not supported");
}

static uint32_t nothing(struct call *call)
{
  (void)call;
  return 0;
}

const struct handler sim_system_handlers[] = {
  { "HcsEnumerateComputeSystems", enumerate, true, NULL, SYSTEM },
  { "HcsCreateComputeSystem", create, true, accept_create, SYSTEM },
  { "HcsOpenComputeSystem", open_system, false, NULL, SYSTEM },
  { "HcsStartComputeSystem", start, true, NULL, SYSTEM },
  { "HcsShutDownComputeSystem", shut_down, true, NULL, SYSTEM },
  { "HcsTerminateComputeSystem", terminate, true, NULL, SYSTEM },
  { "HcsPauseComputeSystem", pause_system, true, NULL, SYSTEM },
  { "HcsResumeComputeSystem", resume, true, NULL, SYSTEM },
  { "HcsSaveComputeSystem", save, true, NULL, SYSTEM },
  { "HcsCrashComputeSystem", crash, true, NULL, SYSTEM },
  { "HcsGetComputeSystemProperties", properties, true, NULL, SYSTEM },
  { "HcsModifyComputeSystem", modify, true, NULL, SYSTEM },
  { "HcsWaitForComputeSystemExit", wait_exit, false, NULL, SYSTEM },
  { "HcsSetComputeSystemCallback", nothing, false, NULL, SYSTEM },
  { "HcsSetProcessCallback", nothing, false, NULL, PROCESS },
  { "HcsGetServiceProperties", service_properties, false, NULL, SYSTEM },
  { "HcsModifyServiceSettings", service_settings, false, NULL, SYSTEM },
  { "HcsSubmitWerReport", nothing, false, NULL, SYSTEM },
  { .name = NULL },
};
