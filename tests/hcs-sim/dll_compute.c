/* SPDX-License-Identifier: Apache-2.0
 *
 * Systems and processes of computecore.dll.
 */
#include "dll_operation.h"

#include <stdlib.h>

static struct object *system_of(const void *handle, const char *name)
{
  return client_object(handle, CLIENT_SYSTEM, name);
}

static struct object *process_of(const void *handle, const char *name)
{
  return client_object(handle, CLIENT_PROCESS, name);
}

static json_t *with_text(const struct object *object, const char *key, const wchar_t *text)
{
  json_t *args = json_object();

  if (object != NULL)
    (void)json_object_set_new(args, "handle", json_integer((json_int_t)object->id));
  (void)json_object_set_new(args, key, client_json_text(text));
  return args;
}

static hr_t on_system(const void *handle, void *operation, enum operation_type type,
                      const char *name, const char *key, const wchar_t *text)
{
  struct object *system = system_of(handle, name);
  const struct started call = { .type = type, .name = name, .system = system };

  return system == NULL ? HR_HANDLE
                        : operation_start(operation, &call, with_text(system, key, text), NULL);
}

static hr_t on_process(const void *handle, void *operation, enum operation_type type,
                       const char *name, const char *key, const wchar_t *text)
{
  struct object *process = process_of(handle, name);
  const struct started call = { .type = type, .name = name, .process = process };

  return process == NULL ? HR_HANDLE
                         : operation_start(operation, &call, with_text(process, key, text), NULL);
}

#define ON_SYSTEM(name, type, key)                                     \
  hr_t WINAPI name(void *system, void *operation, const wchar_t *text) \
  {                                                                    \
    return on_system(system, operation, type, #name, key, text);       \
  }
#define ON_PROCESS(name, type, key)                                     \
  hr_t WINAPI name(void *process, void *operation, const wchar_t *text) \
  {                                                                     \
    return on_process(process, operation, type, #name, key, text);      \
  }

ON_SYSTEM(HcsStartComputeSystem, OPERATION_START, "options")
ON_SYSTEM(HcsShutDownComputeSystem, OPERATION_SHUTDOWN, "options")
ON_SYSTEM(HcsTerminateComputeSystem, OPERATION_TERMINATE, "options")
ON_SYSTEM(HcsCrashComputeSystem, OPERATION_CRASH, "options")
ON_SYSTEM(HcsPauseComputeSystem, OPERATION_PAUSE, "options")
ON_SYSTEM(HcsResumeComputeSystem, OPERATION_RESUME, "options")
ON_SYSTEM(HcsSaveComputeSystem, OPERATION_SAVE, "options")
ON_SYSTEM(HcsGetComputeSystemProperties, OPERATION_GET_PROPERTIES, "query")
ON_PROCESS(HcsTerminateProcess, OPERATION_SIGNAL_PROCESS, "options")
ON_PROCESS(HcsSignalProcess, OPERATION_SIGNAL_PROCESS, "options")
ON_PROCESS(HcsGetProcessProperties, OPERATION_GET_PROCESS_PROPERTIES, "query")
ON_PROCESS(HcsModifyProcess, OPERATION_MODIFY_PROCESS, "options")

hr_t WINAPI HcsEnumerateComputeSystems(const wchar_t *query, void *operation)
{
  const struct started call = { .type = OPERATION_ENUMERATE, .name = "HcsEnumerateComputeSystems" };

  return operation_start(operation, &call, with_text(NULL, "query", query), NULL);
}

hr_t WINAPI HcsCreateComputeSystem(const wchar_t *id, const wchar_t *document, void *operation,
                                   const void *security, void **ret)
{
  const struct started call = { .type = OPERATION_CREATE,
                                .name = "HcsCreateComputeSystem",
                                .made = "system",
                                .made_kind = CLIENT_SYSTEM };
  struct object *made = NULL;
  json_t *args = with_text(NULL, "id", id);
  hr_t hr;

  (void)security;
  (void)json_object_set_new(args, "document", client_json_text(document));
  if (id == NULL || document == NULL || ret == NULL) {
    json_decref(args);
    return HR_INVALID;
  }
  *ret = NULL;
  hr = operation_start(operation, &call, args, &made);
  *ret = made;
  return hr;
}

static hr_t open_object(const char *name, json_t *args, const char *key, enum client_kind kind,
                        void **ret)
{
  json_t *reply = client_call(name, args);
  hr_t hr = client_hr(reply);

  *ret = NULL;
  if (hr == 0)
    *ret = client_object_new(kind, (uint64_t)json_integer_value(json_object_get(reply, key)));
  json_decref(reply);
  return hr;
}

hr_t WINAPI HcsOpenComputeSystem(const wchar_t *id, DWORD access, void **ret)
{
  json_t *args = with_text(NULL, "id", id);

  (void)json_object_set_new(args, "access", json_integer((json_int_t)access));
  return open_object("HcsOpenComputeSystem", args, "system", CLIENT_SYSTEM, ret);
}

void WINAPI HcsCloseComputeSystem(void *system)
{
  client_object_close(system, CLIENT_SYSTEM, "HcsCloseComputeSystem");
}

hr_t WINAPI HcsModifyComputeSystem(void *handle, void *operation, const wchar_t *document,
                                   HANDLE identity)
{
  (void)identity;
  return on_system(handle, operation, OPERATION_MODIFY, "HcsModifyComputeSystem", "document",
                   document);
}

static hr_t set_callback(struct object *object, uint32_t options, void *context, event_fn fn)
{
  if (object == NULL)
    return HR_HANDLE;
  EnterCriticalSection(&object->lock);
  object->callback = fn;
  object->context = context;
  object->options = options;
  LeaveCriticalSection(&object->lock);
  return 0;
}

hr_t WINAPI HcsSetComputeSystemCallback(void *system, uint32_t options, const void *context,
                                        event_fn fn)
{
  json_t *args;
  struct object *object = system_of(system, "HcsSetComputeSystemCallback");
  hr_t hr;

  if (object == NULL)
    return HR_HANDLE;
  args = json_pack("{s:I}", "handle", (json_int_t)object->id);
  hr = client_simple("HcsSetComputeSystemCallback", args);
  return hr == 0 ? set_callback(object, options, (void *)(uintptr_t)context, fn) : hr;
}

hr_t WINAPI HcsSetProcessCallback(void *process, uint32_t options, void *context, event_fn fn)
{
  struct object *object = process_of(process, "HcsSetProcessCallback");
  hr_t hr;

  if (object == NULL)
    return HR_HANDLE;
  hr = client_simple("HcsSetProcessCallback", json_pack("{s:I}", "handle", (json_int_t)object->id));
  return hr == 0 ? set_callback(object, options, context, fn) : hr;
}

static hr_t wait_exit(const struct object *object, const char *name, DWORD ms, wchar_t **result)
{
  json_t *reply;
  hr_t hr;

  if (result != NULL)
    *result = NULL;
  if (object == NULL)
    return HR_HANDLE;
  reply = client_call(
      name, json_pack("{s:I,s:I}", "handle", (json_int_t)object->id, "timeout", (json_int_t)ms));
  hr = client_hr(reply);
  if (result != NULL)
    *result = client_local_text(json_string_value(json_object_get(reply, "result")));
  json_decref(reply);
  return hr;
}

hr_t WINAPI HcsWaitForComputeSystemExit(void *system, DWORD ms, wchar_t **result)
{
  return wait_exit(system_of(system, "HcsWaitForComputeSystemExit"), "HcsWaitForComputeSystemExit",
                   ms, result);
}

hr_t WINAPI HcsWaitForProcessExit(void *process, DWORD ms, wchar_t **result)
{
  return wait_exit(process_of(process, "HcsWaitForProcessExit"), "HcsWaitForProcessExit", ms,
                   result);
}

hr_t WINAPI HcsCreateProcess(void *handle, const wchar_t *parameters, void *operation,
                             const void *security, void **ret)
{
  struct object *system = system_of(handle, "HcsCreateProcess"), *made = NULL;
  const struct started call = { .type = OPERATION_CREATE_PROCESS,
                                .name = "HcsCreateProcess",
                                .system = system,
                                .made = "process",
                                .made_kind = CLIENT_PROCESS };
  hr_t hr;

  (void)security;
  if (ret == NULL)
    return HR_INVALID;
  *ret = NULL;
  if (system == NULL)
    return HR_HANDLE;
  hr = operation_start(operation, &call, with_text(system, "document", parameters), &made);
  *ret = made;
  return hr;
}

hr_t WINAPI HcsOpenProcess(void *handle, DWORD pid, DWORD access, void **ret)
{
  struct object *system = system_of(handle, "HcsOpenProcess");

  if (system == NULL)
    return HR_HANDLE;
  return open_object("HcsOpenProcess",
                     json_pack("{s:I,s:I,s:I}", "handle", (json_int_t)system->id, "pid",
                               (json_int_t)pid, "access", (json_int_t)access),
                     "process", CLIENT_PROCESS, ret);
}

void WINAPI HcsCloseProcess(void *process)
{
  client_object_close(process, CLIENT_PROCESS, "HcsCloseProcess");
}

hr_t WINAPI HcsGetProcessInfo(void *process, void *operation)
{
  return on_process(process, operation, OPERATION_GET_PROCESS_INFO, "HcsGetProcessInfo", "options",
                    NULL);
}

static hr_t service(const char *name, const char *key, const wchar_t *text, wchar_t **result)
{
  json_t *reply = client_call(name, with_text(NULL, key, text));
  hr_t hr = client_hr(reply);

  if (result != NULL)
    *result = client_local_text(json_string_value(json_object_get(reply, "result")));
  json_decref(reply);
  return hr;
}

hr_t WINAPI HcsGetServiceProperties(const wchar_t *query, wchar_t **result)
{
  return service("HcsGetServiceProperties", "query", query, result);
}

hr_t WINAPI HcsModifyServiceSettings(const wchar_t *settings, wchar_t **result)
{
  return service("HcsModifyServiceSettings", "document", settings, result);
}

hr_t WINAPI HcsSubmitWerReport(const wchar_t *settings)
{
  return service("HcsSubmitWerReport", "document", settings, NULL);
}

static hr_t access_of(const char *name, const wchar_t *vm, const wchar_t *path)
{
  json_t *args = with_text(NULL, "vm", vm);

  (void)json_object_set_new(args, "path", client_json_text(path));
  return client_simple(name, args);
}

hr_t WINAPI HcsGrantVmAccess(const wchar_t *vm, const wchar_t *path)
{
  return access_of("HcsGrantVmAccess", vm, path);
}

hr_t WINAPI HcsRevokeVmAccess(const wchar_t *vm, const wchar_t *path)
{
  return access_of("HcsRevokeVmAccess", vm, path);
}

hr_t WINAPI HcsGrantVmGroupAccess(const wchar_t *path)
{
  return access_of("HcsGrantVmGroupAccess", NULL, path);
}

hr_t WINAPI HcsRevokeVmGroupAccess(const wchar_t *path)
{
  return access_of("HcsRevokeVmGroupAccess", NULL, path);
}

hr_t WINAPI GrantVmAccess(const wchar_t *vm, const wchar_t *path)
{
  return access_of("GrantVmAccess", vm, path);
}
