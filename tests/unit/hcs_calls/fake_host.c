/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations and systems.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_private.h"

struct fake fake;
static struct zl_hcs_api table;

#define S_OK              0U
#define E_INVALIDARG      0x80070057U
#define NOT_FOUND         0x8037010eU
#define ALREADY_EXISTS    0x8037010fU
#define ALREADY_STOPPED   0x80370110U
#define INVALID_STATE     0x80370105U
#define NOT_STARTED       0x80370115U
#define ACCESS_DENIED     0x80070005U
#define SHARING_VIOLATION 0x80070020U

/* ---- Tools ---- */

bool fake_hit(const char *name, zl_hr *ret)
{
  size_t i = 0;
  bool fails;

  (void)pthread_mutex_lock(&fake.lock);
  while (i < fake.n_counts && strcmp(fake.counts[i].name, name) != 0)
    i++;
  if (i == fake.n_counts)
    fake.counts[fake.n_counts++] = (struct fake_count){ strdup(name), 0 };
  fake.counts[i].count++;
  fails = strcmp(fake.fail_name, name) == 0 && fake.counts[i].count == fake.fail_nth;
  if (fails) {
    fake.failed = true;
    *ret = fake.fail_hr;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return fails;
}

void fake_blame(const char *fmt, ...)
{
  size_t len = strlen(fake.misuse);
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(fake.misuse + len, sizeof(fake.misuse) - len, fmt, ap);
  va_end(ap);
}

void fake_fail(const char *name, unsigned nth, zl_hr hr)
{
  (void)pthread_mutex_lock(&fake.lock);
  (void)snprintf(fake.fail_name, sizeof(fake.fail_name), "%s", name != NULL ? name : "");
  fake.fail_nth = nth;
  fake.fail_hr = hr;
  fake.failed = false;
  (void)pthread_mutex_unlock(&fake.lock);
}

bool fake_has_failed(void)
{
  bool failed;

  (void)pthread_mutex_lock(&fake.lock);
  failed = fake.failed;
  (void)pthread_mutex_unlock(&fake.lock);
  return failed;
}

size_t fake_counts(struct fake_count *ret, size_t max)
{
  size_t n;

  (void)pthread_mutex_lock(&fake.lock);
  n = fake.n_counts < max ? fake.n_counts : max;
  memcpy(ret, fake.counts, n * sizeof(*ret));
  (void)pthread_mutex_unlock(&fake.lock);
  return n;
}

unsigned fake_count_of(const char *name)
{
  struct fake_count counts[FAKE_MAX * 2];
  size_t n = fake_counts(counts, ZL_COUNT(counts));

  for (size_t i = 0; i < n; i++)
    if (strcmp(counts[i].name, name) == 0)
      return counts[i].count;
  return 0;
}

zl_wchar *fake_text(char allocator, const char *text)
{
  size_t len = strlen(text);
  zl_wchar *wide = calloc(len + 2, sizeof(*wide));

  if (wide == NULL)
    abort();
  wide[0] = (zl_wchar)allocator; /* which frees it */
  for (size_t i = 0; i < len; i++)
    wide[i + 1] = (unsigned char)text[i];
  (void)pthread_mutex_lock(&fake.lock);
  *(allocator == 'L' ? &fake.local_texts : &fake.task_texts) += 1;
  (void)pthread_mutex_unlock(&fake.lock);
  return wide + 1;
}

static void free_text(void *memory, char allocator)
{
  zl_wchar *wide = memory;

  if (wide == NULL)
    return;
  (void)pthread_mutex_lock(&fake.lock);
  if (wide[-1] != (zl_wchar)allocator)
    fake_blame("a text freed by the wrong function; ");
  *(allocator == 'L' ? &fake.local_texts : &fake.task_texts) -= 1;
  (void)pthread_mutex_unlock(&fake.lock);
  free(wide - 1);
}

static void *local_free(void *memory)
{
  free_text(memory, 'L');
  return NULL;
}

static void task_free(void *memory)
{
  free_text(memory, 'C');
}

const char *fake_narrow(const zl_wchar *wide, char text[FAKE_TEXT])
{
  size_t i = 0;

  for (; wide != NULL && wide[i] != 0 && i < FAKE_TEXT - 1; i++)
    text[i] = (char)wide[i];
  text[i] = '\0';
  return strncmp(text, "\\\\?\\", 4) == 0 && text[5] == ':' ? text + 4 : text;
}

struct fake_handle *fake_open(enum fake_kind kind)
{
  for (size_t i = 0; i < ZL_COUNT(fake.handles); i++)
    if (fake.handles[i].kind == FAKE_NOTHING) {
      fake.handles[i] = (struct fake_handle){ .kind = kind, .fd = -1 };
      return &fake.handles[i];
    }
  abort();
}

struct fake_handle *fake_handle_of(void *p, enum fake_kind kind)
{
  struct fake_handle *handle = p;

  if (handle >= fake.handles && handle < fake.handles + ZL_COUNT(fake.handles) &&
      handle->kind == kind)
    return handle;
  fake_blame("a handle of kind %d used that is none; ", kind);
  return NULL;
}

/* ---- Events ---- */

static void deliver(zl_hcs_event_fn fn, void *ctx, uint32_t type, const char *data)
{
  zl_wchar wide[FAKE_TEXT] = { 0 };
  struct zl_hcs_event event = { .type = type, .data = wide };

  for (size_t i = 0; data[i] != '\0' && i < FAKE_TEXT - 1; i++)
    wide[i] = (unsigned char)data[i];
  if (fn != NULL)
    fn(&event, ctx);
}

void fake_process_exit(struct fake_process *process, uint32_t code)
{
  char data[FAKE_TEXT];

  if (process->exited)
    return;
  process->exited = true;
  process->code = code;
  for (int *fd = &process->out; fd <= &process->in; fd++) {
    if (*fd >= 0)
      (void)close(*fd);
    *fd = -1;
  }
  (void)snprintf(data, sizeof(data),
                 "{\"ProcessId\":%u,\"Exited\":true,\"ExitCode\":%u,\"LastWaitResult\":0}",
                 process->pid, code);
  for (size_t i = 0; i < ZL_COUNT(fake.handles); i++)
    if (fake.handles[i].kind == FAKE_PROCESS && fake.handles[i].process == process)
      deliver(fake.handles[i].fn, fake.handles[i].ctx, ZL_HCS_EVENT_PROCESS_EXITED, data);
  (void)pthread_cond_broadcast(&fake.changed);
}

void fake_system_exit(struct fake_system *system, const char *type)
{
  char data[FAKE_TEXT];

  if (system->state == FAKE_STOPPED || system->state == FAKE_FREE)
    return;
  system->state = FAKE_STOPPED;
  system->guest_stops = true;
  if (system->bridge >= 0)
    (void)shutdown(system->bridge, SHUT_RDWR);
  for (size_t i = 0; i < ZL_COUNT(fake.processes); i++)
    if (fake.processes[i].used && fake.processes[i].system == system)
      fake_process_exit(&fake.processes[i], 0xc0000142);
  (void)snprintf(data, sizeof(data), "{\"Status\":%d,\"ExitType\":\"%s\"}",
                 strcmp(type, "UnexpectedExit") == 0 ? (int)0xc0370106 : 0, type);
  for (size_t i = 0; i < ZL_COUNT(fake.handles); i++)
    if (fake.handles[i].kind == FAKE_SYSTEM && fake.handles[i].system == system)
      deliver(fake.handles[i].fn, fake.handles[i].ctx, ZL_HCS_EVENT_SYSTEM_EXITED, data);
  (void)pthread_cond_broadcast(&fake.changed);
}

void fake_crash(void)
{
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (fake.systems[i].state == FAKE_RUNNING)
      fake_system_exit(&fake.systems[i], "UnexpectedExit");
  (void)pthread_mutex_unlock(&fake.lock);
}

void fake_disconnect(void)
{
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < ZL_COUNT(fake.handles); i++)
    if (fake.handles[i].kind == FAKE_SYSTEM || fake.handles[i].kind == FAKE_PROCESS)
      deliver(fake.handles[i].fn, fake.handles[i].ctx, ZL_HCS_EVENT_SERVICE_DISCONNECT, "");
  for (size_t i = 0; i < FAKE_MAX; i++)
    fake_system_exit(&fake.systems[i], "None");
  (void)pthread_mutex_unlock(&fake.lock);
}

/* ---- Operations ---- */

static void *create_operation(const void *context, zl_hcs_completion_fn fn)
{
  struct fake_handle *op;
  zl_hr hr;

  (void)context;
  (void)fn;
  if (fake_hit("HcsCreateOperation", &hr))
    return NULL;
  (void)pthread_mutex_lock(&fake.lock);
  op = fake_open(FAKE_OPERATION);
  (void)pthread_mutex_unlock(&fake.lock);
  return op;
}

static void close_operation(void *operation)
{
  struct fake_handle *op;

  (void)pthread_mutex_lock(&fake.lock);
  op = fake_handle_of(operation, FAKE_OPERATION);
  if (op != NULL)
    op->kind = FAKE_NOTHING;
  (void)pthread_mutex_unlock(&fake.lock);
}

/* The call's work was done, or is refused by the operation. Lock held. */
zl_hr fake_complete(void *operation, zl_hr hr, const char *result)
{
  struct fake_handle *op = fake_handle_of(operation, FAKE_OPERATION);

  if (op == NULL)
    return E_INVALIDARG;
  if (op->operated != 0)
    fake_blame("an operation used twice; ");
  op->operated = 1;
  op->hr = hr;
  (void)snprintf(op->result, sizeof(op->result), "%s", result != NULL ? result : "");
  return S_OK;
}

static zl_hr wait_operation(void *operation, uint32_t timeout_ms, struct zl_hcs_process_info *info,
                            zl_wchar **result)
{
  char text[FAKE_TEXT] = "";
  struct fake_handle *op;
  zl_hr hr = E_INVALIDARG;

  (void)timeout_ms;
  (void)pthread_mutex_lock(&fake.lock);
  op = fake_handle_of(operation, FAKE_OPERATION);
  if (op != NULL) {
    hr = op->operated == 0 ? NOT_STARTED : op->hr;
    memcpy(text, op->result, sizeof(text));
    if (info != NULL && (hr & 0x80000000U) == 0)
      *info = op->info;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  if (text[0] != '\0')
    *result = fake_text('L', text);
  return hr;
}

static zl_hr wait_result(void *operation, uint32_t timeout_ms, zl_wchar **result)
{
  zl_hr hr;

  if (fake_hit("HcsWaitForOperationResult", &hr))
    return hr;
  return wait_operation(operation, timeout_ms, NULL, result);
}

static zl_hr wait_process(void *operation, uint32_t timeout_ms, struct zl_hcs_process_info *info,
                          zl_wchar **result)
{
  return wait_operation(operation, timeout_ms, info, result);
}

static zl_hr get_result(void *operation, zl_wchar **result)
{
  return wait_operation(operation, 0, NULL, result);
}

static zl_hr cancel_operation(void *operation)
{
  (void)operation;
  return S_OK;
}

/* ---- Systems ---- */

static struct fake_system *find_system(const char *id)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if ((fake.systems[i].state == FAKE_CREATED || fake.systems[i].state == FAKE_RUNNING) &&
        strcmp(fake.systems[i].id, id) == 0)
      return &fake.systems[i];
  return NULL;
}

static void *open_system(struct fake_system *system)
{
  struct fake_handle *handle = fake_open(FAKE_SYSTEM);

  handle->system = system;
  system->handles++;
  return handle;
}

/* Every path that a document or change of a machine names has to have been granted to it. Nor may
 * the host have mounted a disk of it. */
static zl_hr check_paths(const char *id, const json_t *json)
{
  const char *path = json_string_value(json_object_get(json, "Path"));
  const char *key;
  json_t *value;
  zl_hr hr = S_OK;

  if (path != NULL && path[1] == ':') {
    const char *last = strrchr(path, '\\');
    char dir[FAKE_TEXT];
    struct fake_layer *layer;

    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(last - path), path);
    layer = fake_layer_of(dir);
    if (layer != NULL && layer->active)
      return SHARING_VIOLATION;
    if (!fake_granted(id, path))
      return ACCESS_DENIED;
  }
  if (json_is_object(json))
    json_object_foreach ((json_t *)(uintptr_t)json, key, value)
      if (hr == S_OK)
        hr = check_paths(id, value);
  for (size_t i = 0; hr == S_OK && i < json_array_size(json); i++)
    hr = check_paths(id, json_array_get(json, i));
  return hr;
}

json_t *fake_parse(const zl_wchar *document)
{
  zl_autofree char *text = NULL;
  json_t *json = NULL;

  if (zl_wide_text(document, 1 << 20, &text, NULL) < 0 ||
      zl_json_parse(text, strlen(text), "document", &json, NULL) < 0)
    abort();
  return json;
}

static zl_hr make_system(const char *id, const json_t *document, void **ret)
{
  struct fake_system *system = fake.systems;
  const json_t *machine = json_object_get(document, "VirtualMachine");
  zl_hr hr = machine != NULL ? check_paths(id, machine) : S_OK;

  if (find_system(id) != NULL)
    return ALREADY_EXISTS;
  if (hr != S_OK)
    return hr;
  while (system->state != FAKE_FREE)
    system++;
  *system =
      (struct fake_system){ .state = FAKE_CREATED, .is_machine = machine != NULL, .bridge = -1 };
  (void)snprintf(system->id, sizeof(system->id), "%s", id);
  (void)snprintf(system->runtime_id, sizeof(system->runtime_id), "aaaaaaaa-bbbb-4ccc-8ddd-%012u",
                 (unsigned)(system - fake.systems));
  *ret = open_system(system);
  return S_OK;
}

static zl_hr create_system(const zl_wchar *id, const zl_wchar *document, void *operation,
                           const void *security, void **ret)
{
  zl_autojson *json = fake_parse(document);
  char text[FAKE_TEXT];
  zl_hr hr;

  (void)security;
  if (fake_hit("HcsCreateComputeSystem", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  hr = fake_complete(operation, make_system(fake_narrow(id, text), json, ret), NULL);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr open_compute_system(const zl_wchar *id, uint32_t access, void **ret)
{
  struct fake_system *system;
  char text[FAKE_TEXT];
  zl_hr hr;

  (void)access;
  if (fake_hit("HcsOpenComputeSystem", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  system = find_system(fake_narrow(id, text));
  if (system != NULL)
    *ret = open_system(system);
  (void)pthread_mutex_unlock(&fake.lock);
  return system != NULL ? S_OK : NOT_FOUND;
}

static void close_system(void *handle)
{
  struct fake_handle *h;
  struct fake_system *system = NULL;

  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  if (h != NULL) {
    h->kind = FAKE_NOTHING;
    if (--h->system->handles == 0)
      system = h->system;
  }
  if (system != NULL)
    fake_system_exit(system, "ForcedExit");
  (void)pthread_mutex_unlock(&fake.lock);
  if (system == NULL)
    return;
  if (system->has_guest)
    (void)pthread_join(system->guest, NULL);
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < ZL_COUNT(fake.processes); i++)
    if (fake.processes[i].system == system)
      fake.processes[i].used = false;
  system->state = FAKE_FREE;
  (void)pthread_mutex_unlock(&fake.lock);
}

zl_hr fake_set_callback(void *handle, enum fake_kind kind, void *ctx, zl_hcs_event_fn fn)
{
  struct fake_handle *h;

  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, kind);
  if (h != NULL) {
    h->fn = fn;
    h->ctx = ctx;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return h != NULL ? S_OK : E_INVALIDARG;
}

static zl_hr set_system_callback(void *handle, uint32_t options, const void *ctx,
                                 zl_hcs_event_fn fn)
{
  zl_hr hr;

  if (options != 0)
    return E_INVALIDARG;
  if (fake_hit("HcsSetComputeSystemCallback", &hr))
    return hr;
  return fake_set_callback(handle, FAKE_SYSTEM, (void *)(uintptr_t)ctx, fn);
}

static zl_hr start(struct fake_system *system)
{
  if (system->state != FAKE_CREATED)
    return INVALID_STATE;
  system->state = FAKE_RUNNING;
  if (!system->is_machine)
    return S_OK;
  if (fake.options.dies_early) {
    fake_system_exit(system, "UnexpectedExit");
    return S_OK;
  }
  if (fake.options.never_dials)
    return S_OK;
  system->has_guest = pthread_create(&system->guest, NULL, fake_guest, system) == 0;
  return S_OK;
}

/* Calls with a system, an operation and options. */
static zl_hr on_system(const char *name, void *handle, void *operation,
                       zl_hr (*fn)(struct fake_system *system))
{
  struct fake_handle *h;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  hr = h != NULL ? fake_complete(operation, fn(h->system), NULL) : E_INVALIDARG;
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr start_system(void *handle, void *operation, const zl_wchar *options)
{
  (void)options;
  return on_system("HcsStartComputeSystem", handle, operation, start);
}

static zl_hr shut_down(struct fake_system *system)
{
  if (system->state == FAKE_STOPPED)
    return ALREADY_STOPPED;
  if (system->state != FAKE_RUNNING)
    return INVALID_STATE;
  if (!fake.options.hangs)
    fake_system_exit(system, "GracefulExit");
  return S_OK;
}

static zl_hr shut_down_system(void *handle, void *operation, const zl_wchar *options)
{
  (void)options;
  return on_system("HcsShutDownComputeSystem", handle, operation, shut_down);
}

static zl_hr terminate(struct fake_system *system)
{
  if (system->state == FAKE_STOPPED)
    return ALREADY_STOPPED;
  fake_system_exit(system, "ForcedExit");
  return S_OK;
}

static zl_hr terminate_system(void *handle, void *operation, const zl_wchar *options)
{
  (void)options;
  return on_system("HcsTerminateComputeSystem", handle, operation, terminate);
}

static zl_hr pause_system(void *handle, void *operation, const zl_wchar *options)
{
  struct fake_handle *h;
  zl_hr hr;

  (void)options;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  hr = fake_complete(operation,
                     h != NULL && h->system->state == FAKE_RUNNING ? S_OK : INVALID_STATE, NULL);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

static zl_hr modify_system(void *handle, void *operation, const zl_wchar *settings,
                           zl_handle identity)
{
  zl_autojson *json = fake_parse(settings);
  struct fake_handle *h;
  zl_hr hr;

  (void)identity;
  if (fake_hit("HcsModifyComputeSystem", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  if (h != NULL)
    hr = fake_complete(
        operation,
        h->system->state == FAKE_RUNNING ? check_paths(h->system->id, json) : INVALID_STATE, NULL);
  (void)pthread_mutex_unlock(&fake.lock);
  return h != NULL ? hr : E_INVALIDARG;
}

static zl_hr get_properties(void *handle, void *operation, const zl_wchar *query)
{
  char text[FAKE_TEXT] = "";
  struct fake_handle *h;
  zl_hr hr;

  if (fake_hit("HcsGetComputeSystemProperties", &hr))
    return hr;
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_SYSTEM);
  if (h != NULL && query != NULL && zl_wide_len(query) > 2)
    (void)snprintf(text, sizeof(text),
                   "{\"Statistics\":{\"Processor\":{\"TotalRuntime100ns\":70},"
                   "\"Memory\":{\"MemoryUsagePrivateWorkingSetBytes\":4096}}}");
  else if (h != NULL)
    (void)snprintf(text, sizeof(text), "{\"RuntimeId\":\"%s\"}", h->system->runtime_id);
  hr = fake_complete(operation, S_OK, text);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr;
}

/* ---- Life ---- */

const struct zl_hcs_api *fake_start(const struct fake_options *options)
{
  memset(&fake, 0, sizeof(fake));
  memset(&table, 0, sizeof(table));
  fake.options = *options;
  (void)pthread_mutex_init(&fake.lock, NULL);
  (void)pthread_cond_init(&fake.changed, NULL);
  table.HcsCreateOperation = create_operation;
  table.HcsCloseOperation = close_operation;
  table.HcsGetOperationResult = get_result;
  table.HcsWaitForOperationResult = wait_result;
  table.HcsWaitForOperationResultAndProcessInfo = wait_process;
  table.HcsCancelOperation = cancel_operation;
  table.HcsCreateComputeSystem = create_system;
  table.HcsOpenComputeSystem = open_compute_system;
  table.HcsCloseComputeSystem = close_system;
  table.HcsSetComputeSystemCallback = set_system_callback;
  table.HcsStartComputeSystem = start_system;
  table.HcsShutDownComputeSystem = shut_down_system;
  table.HcsTerminateComputeSystem = terminate_system;
  table.HcsPauseComputeSystem = table.HcsResumeComputeSystem = pause_system;
  table.HcsModifyComputeSystem = modify_system;
  table.HcsGetComputeSystemProperties = get_properties;
  table.LocalFree = local_free;
  table.CoTaskMemFree = task_free;
  fake_processes_start(&table);
  fake_files_start(&table);
  fake_net_start(&table);
  return &table;
}

void fake_stop(void)
{
  for (size_t i = 0; i < fake.n_counts; i++)
    free((void *)(uintptr_t)fake.counts[i].name);
  fake.n_counts = 0;
  (void)pthread_cond_destroy(&fake.changed);
  (void)pthread_mutex_destroy(&fake.lock);
}

static void add(const char *what, unsigned count, const char *name)
{
  size_t len = strlen(fake.leaks);

  if (count > 0)
    (void)snprintf(fake.leaks + len, sizeof(fake.leaks) - len, "%u %s (%s); ", count, what, name);
}

const char *fake_leaks(void)
{
  (void)pthread_mutex_lock(&fake.lock);
  fake.leaks[0] = '\0';
  for (size_t i = 0; i < FAKE_MAX; i++) {
    add("system", fake.systems[i].state != FAKE_FREE, fake.systems[i].id);
    add("layer", fake.layers[i].used, fake.layers[i].path);
    add("grant", fake.grants[i].path[0] != '\0', fake.grants[i].path);
    add("file",
        fake.files[i][0] != '\0' && strncmp(fake.files[i], "C:\\layers\\", 10) != 0 &&
            strcmp(fake.files[i], "C:\\box") != 0,
        fake.files[i]);
  }
  for (size_t i = 0; i < ZL_COUNT(fake.handles); i++)
    add("handle", fake.handles[i].kind != FAKE_NOTHING, "of a kind");
  add("text", fake.local_texts, "LocalAlloc");
  add("text", fake.task_texts, "CoTaskMemAlloc");
  fake_net_leaks(fake.leaks + strlen(fake.leaks), sizeof(fake.leaks) - strlen(fake.leaks));
  (void)pthread_mutex_unlock(&fake.lock);
  return fake.leaks;
}

const char *fake_misuse(void)
{
  return fake.misuse;
}
