/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes of containers on the host's kernel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_private.h"

#define S_OK            0U
#define E_INVALIDARG    0x80070057U
#define INVALID_STATE   0x80370105U
#define PROCESS_STOPPED 0x8037011fU

struct fake_process *fake_process_new(struct fake_system *system)
{
  for (size_t i = 0; i < ZL_COUNT(fake.processes); i++) {
    struct fake_process *process = &fake.processes[i];

    if (process->used)
      continue;
    *process = (struct fake_process){
      .system = system, .pid = ++fake.next_pid + 1000, .used = true, .out = -1, .err = -1, .in = -1
    };
    return process;
  }
  abort();
}

void fake_process_begin(struct fake_process *process)
{
  if (fake.options.command != FAKE_ECHO)
    return;
  if (process->out >= 0)
    (void)!write(process->out, "hello", 5);
  if (process->err >= 0)
    (void)!write(process->err, "oops", 4);
  fake_process_exit(process, 3);
}

static zl_handle make_pipe(int *ret)
{
  struct fake_handle *pipe = fake_open(FAKE_PIPE);
  int pair[2];

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    abort();
  *ret = pair[0];
  pipe->fd = pair[1];
  return pipe;
}

static bool wants(const json_t *parameters, const char *key)
{
  return json_is_true(json_object_get(parameters, key));
}

static zl_hr begin_process(struct fake_system *system, const json_t *parameters,
                           struct fake_handle *op, void **ret)
{
  struct fake_process *process;
  struct fake_handle *handle;

  if (system->state != FAKE_RUNNING || system->is_machine)
    return system->is_machine ? 0x80070032U : INVALID_STATE;
  process = fake_process_new(system);
  op->info.pid = process->pid;
  if (wants(parameters, "CreateStdOutPipe"))
    op->info.out = make_pipe(&process->out);
  if (wants(parameters, "CreateStdErrPipe"))
    op->info.err = make_pipe(&process->err);
  op->info.in = wants(parameters, "CreateStdInPipe") ? make_pipe(&process->in) : ZL_HANDLE_INVALID;
  handle = fake_open(FAKE_PROCESS);
  handle->process = process;
  handle->info = op->info;
  *ret = handle;
  return S_OK;
}

static zl_hr create_process(void *handle, const zl_wchar *parameters, void *operation,
                            const void *security, void **ret)
{
  zl_autojson *json = fake_parse(parameters);
  struct fake_handle *h, *op;
  zl_hr hr;

  (void)security;
  if (fake_hit("HcsCreateProcess", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  op = fake_handle_of(operation, FAKE_OPERATION);
  hr = h != NULL && op != NULL ? begin_process(h->system, json, op, ret) : E_INVALIDARG;
  hr = fake_complete(operation, hr == S_OK && fake.options.quirk ? E_INVALIDARG : hr, NULL);
  if (*ret != NULL)
    fake_process_begin(((struct fake_handle *)*ret)->process);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr get_process_info(void *handle, void *operation)
{
  struct fake_handle *h, *op;
  zl_hr hr;

  if (fake_hit("HcsGetProcessInfo", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_PROCESS);
  op = fake_handle_of(operation, FAKE_OPERATION);
  if (h != NULL && op != NULL)
    op->info = h->info;
  hr = fake_complete(operation, S_OK, NULL);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr open_process(void *handle, uint32_t pid, uint32_t access, void **ret)
{
  struct fake_handle *h, *opened;
  zl_hr hr = 0x80070490U;

  (void)access;
  if (fake_hit("HcsOpenProcess", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  for (size_t i = 0; h != NULL && i < ZL_COUNT(fake.processes); i++)
    if (fake.processes[i].used && fake.processes[i].system == h->system &&
        fake.processes[i].pid == pid) {
      opened = fake_open(FAKE_PROCESS);
      opened->process = &fake.processes[i];
      *ret = opened;
      hr = S_OK;
    }
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static void close_process(void *handle)
{
  struct fake_handle *h;

  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_PROCESS);
  if (h != NULL)
    h->kind = FAKE_NOTHING;
  (void)pthread_mutex_unlock(&fake.lock);
}

static zl_hr set_process_callback(void *handle, uint32_t options, void *ctx, zl_hcs_event_fn fn)
{
  zl_hr hr;

  if (options != 0)
    return E_INVALIDARG;
  if (fake_hit("HcsSetProcessCallback", &hr))
    return hr;
  return fake_set_callback(handle, FAKE_PROCESS, ctx, fn);
}

static zl_hr on_process(const char *name, void *handle, void *operation,
                        zl_hr (*fn)(struct fake_process *process))
{
  struct fake_handle *h;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_PROCESS);
  hr = h != NULL
           ? fake_complete(operation, h->process->exited ? PROCESS_STOPPED : fn(h->process), NULL)
           : E_INVALIDARG;
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr end_process(struct fake_process *process)
{
  fake_process_exit(process, 1);
  return S_OK;
}

static zl_hr tell_process(struct fake_process *process)
{
  if (!fake.options.ignores_events)
    fake_process_exit(process, 5);
  return S_OK;
}

static zl_hr nothing(struct fake_process *process)
{
  (void)process;
  return S_OK;
}

static zl_hr terminate_process(void *handle, void *operation, const zl_wchar *options)
{
  (void)options;
  return on_process("HcsTerminateProcess", handle, operation, end_process);
}

static zl_hr signal_process(void *handle, void *operation, const zl_wchar *options)
{
  (void)options;
  return on_process("HcsSignalProcess", handle, operation, tell_process);
}

static zl_hr modify_process(void *handle, void *operation, const zl_wchar *settings)
{
  (void)settings;
  return on_process("HcsModifyProcess", handle, operation, nothing);
}

static zl_hr get_process_properties(void *handle, void *operation, const zl_wchar *query)
{
  char text[FAKE_TEXT] = "{}";
  struct fake_handle *h;
  zl_hr hr;

  (void)query;
  if (fake_hit("HcsGetProcessProperties", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_PROCESS);
  if (h != NULL)
    (void)snprintf(text, sizeof(text), "{\"ProcessId\":%u,\"Exited\":%s,\"ExitCode\":%u}",
                   h->process->pid, h->process->exited ? "true" : "false", h->process->code);
  hr = fake_complete(operation, S_OK, text);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

void fake_processes_start(struct zl_hcs_api *api)
{
  api->HcsCreateProcess = create_process;
  api->HcsGetProcessInfo = get_process_info;
  api->HcsOpenProcess = open_process;
  api->HcsCloseProcess = close_process;
  api->HcsSetProcessCallback = set_process_callback;
  api->HcsTerminateProcess = terminate_process;
  api->HcsSignalProcess = signal_process;
  api->HcsModifyProcess = modify_process;
  api->HcsGetProcessProperties = get_process_properties;
}
