/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/requests.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/json.h"
#include "base/time.h"
#include "guest/agent.h"
#include "guest/execution.h"
#include "guest/properties.h"
#include "guest/settings.h"
#include "guest/stacks.h"

enum {
  FOR_EVER = -1, /* TimeoutInMs: also as an unsigned number of 32 bits */
  MAX_SIGNAL = 64,
  LATER = 1
};

/* 0: to be answered with *ret_body, which may stay NULL; LATER: will be answered; negative: to be
 * refused. */
typedef int (*handler_fn)(struct agent *agent, const struct zl_bridge_request *request,
                          json_t **ret_body, struct zl_error *err);

static bool is_for_machine(const struct zl_bridge_request *request)
{
  return *request->container_id == '\0' || strcmp(request->container_id, ZL_BRIDGE_NULL_GUID) == 0;
}

/* The process that a request names, of the container that it names. */
static int find_process(struct agent *agent, const struct zl_bridge_request *request,
                        struct process **ret, struct zl_error *err)
{
  int64_t pid = 0;
  int r = container_expect(agent, request->container_id, err);

  if (r == 0)
    r = zl_json_get_int(request->body, "", "ProcessId", 0, INT32_MAX, 0, &pid, err);
  if (r < 0)
    return r;
  *ret = process_find(agent, (pid_t)pid);
  return *ret != NULL ? 0 : zl_fail(err, ZL_E_NOT_FOUND, 0, "no process %d", (int)pid);
}

/* ---- The container ------------------------------------------------------------------------- */

static int serve_create(struct agent *agent, const struct zl_bridge_request *request,
                        json_t **ret_body, struct zl_error *err)
{
  zl_autojson *config = NULL;
  int r = request_parse_member(request->body, "ContainerConfig", &config, err);

  (void)ret_body;
  return r < 0 ? r : container_create(agent, request->container_id, config, err);
}

/* Only the Windows dialect starts a container apart from its first process. */
static int serve_start(struct agent *agent, const struct zl_bridge_request *request,
                       json_t **ret_body, struct zl_error *err)
{
  (void)ret_body;
  return container_expect(agent, request->container_id, err);
}

static int serve_execute(struct agent *agent, const struct zl_bridge_request *request,
                         json_t **ret_body, struct zl_error *err)
{
  zl_autojson *parameters = NULL;
  struct execution execution;
  struct process *process;
  int r = container_expect(agent, request->container_id, err);

  if (r == 0)
    r = execution_parse(request->body, &parameters, &execution, err);
  if (r == 0)
    r = execution.process == NULL ? container_start(agent, &execution, &process, err)
                                  : container_exec(agent, &execution, &process, err);
  if (r == 0)
    *ret_body = json_pack("{s:i}", "ProcessId", (int)process->pid);
  return r;
}

static int serve_delete(struct agent *agent, const struct zl_bridge_request *request,
                        json_t **ret_body, struct zl_error *err)
{
  int r = container_expect(agent, request->container_id, err);

  (void)ret_body;
  if (r < 0)
    return r;
  if (agent->container.status == CONTAINER_RUNNING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container runs");
  return container_delete(agent, err);
}

/* ---- Processes ----------------------------------------------------------------------------- */

static int serve_wait(struct agent *agent, const struct zl_bridge_request *request,
                      json_t **ret_body, struct zl_error *err)
{
  uint64_t deadline = UINT64_MAX;
  struct process *process;
  int64_t timeout;
  int r = find_process(agent, request, &process, err);

  (void)ret_body;
  if (r == 0)
    r = zl_json_get_int(request->body, "", "TimeoutInMs", FOR_EVER, UINT32_MAX, FOR_EVER, &timeout,
                        err);
  if (r < 0)
    return r;
  if (timeout != FOR_EVER && timeout != UINT32_MAX)
    deadline = zl_time_boot() + (uint64_t)timeout * ZL_NS_PER_MS;
  r = process_wait(process, request->id, deadline, err);
  return r < 0 ? r : LATER;
}

static int serve_signal(struct agent *agent, const struct zl_bridge_request *request,
                        json_t **ret_body, struct zl_error *err)
{
  struct process *process;
  json_t *options;
  int64_t signal = 0;
  int r = find_process(agent, request, &process, err);

  (void)ret_body;
  if (r == 0)
    r = zl_json_get_object(request->body, "", "Options", &options, err);
  if (r == 0)
    r = zl_json_get_int(options, "Options", "Signal", 1, MAX_SIGNAL, SIGKILL, &signal, err);
  return r < 0 ? r : container_signal(agent, process, (int)signal, err);
}

static int serve_resize(struct agent *agent, const struct zl_bridge_request *request,
                        json_t **ret_body, struct zl_error *err)
{
  struct process *process;
  int64_t rows, cols;
  struct winsize size;
  int r = find_process(agent, request, &process, err);

  (void)ret_body;
  if (r == 0)
    r = zl_json_get_int(request->body, "", "Height", 1, UINT16_MAX, 0, &rows, err);
  if (r == 0)
    r = zl_json_get_int(request->body, "", "Width", 1, UINT16_MAX, 0, &cols, err);
  if (r < 0)
    return r;
  if (rows == 0 || cols == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "Height, Width: must be given");
  size = (struct winsize){ .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };
  if (process->streams[STREAM_OUT].fd < 0)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the process has ended");
  if (ioctl(process->streams[STREAM_OUT].fd, TIOCSWINSZ, &size) < 0)
    return zl_fail(err, ZL_E_INVALID, errno, "the process has no terminal");
  return 0;
}

/* ---- The machine --------------------------------------------------------------------------- */

static int serve_shutdown(struct agent *agent, const struct zl_bridge_request *request,
                          json_t **ret_body, struct zl_error *err)
{
  bool is_forced = request->message == ZL_BRIDGE_SHUTDOWN_FORCED;
  int r = 0;

  (void)ret_body;
  if (!is_for_machine(request)) {
    r = container_expect(agent, request->container_id, err);
    return r < 0 ? r : container_stop(agent, is_forced, err);
  }
  if (agent->container.status != CONTAINER_NONE)
    r = container_stop(agent, is_forced, err);
  if (r < 0)
    return r;
  agent->is_graceful = !is_forced;
  agent->ending = is_forced ? ENDING_NOW : ENDING_WITH_CONTAINER;
  return 0;
}

static int serve_properties(struct agent *agent, const struct zl_bridge_request *request,
                            json_t **ret_body, struct zl_error *err)
{
  zl_autojson *query = NULL;
  int r = request_parse_member(request->body, "Query", &query, err);

  return r < 0 ? r : properties_get(agent, request->container_id, query, ret_body, err);
}

static int serve_settings(struct agent *agent, const struct zl_bridge_request *request,
                          json_t **ret_body, struct zl_error *err)
{
  (void)ret_body;
  return settings_apply(agent, request->container_id, request->body, err);
}

static int serve_stacks(struct agent *agent, const struct zl_bridge_request *request,
                        json_t **ret_body, struct zl_error *err)
{
  (void)agent;
  (void)request;
  return stacks_dump(ret_body, err);
}

/* ---- Dispatch ------------------------------------------------------------------------------ */

static const struct {
  enum zl_bridge_message message;
  handler_fn fn;
} handlers[] = {
  { ZL_BRIDGE_CREATE, serve_create },
  { ZL_BRIDGE_START, serve_start },
  { ZL_BRIDGE_SHUTDOWN_GRACEFUL, serve_shutdown },
  { ZL_BRIDGE_SHUTDOWN_FORCED, serve_shutdown },
  { ZL_BRIDGE_EXECUTE_PROCESS, serve_execute },
  { ZL_BRIDGE_WAIT_FOR_PROCESS, serve_wait },
  { ZL_BRIDGE_SIGNAL_PROCESS, serve_signal },
  { ZL_BRIDGE_RESIZE_CONSOLE, serve_resize },
  { ZL_BRIDGE_GET_PROPERTIES, serve_properties },
  { ZL_BRIDGE_MODIFY_SETTINGS, serve_settings },
  { ZL_BRIDGE_DUMP_STACKS, serve_stacks },
  { ZL_BRIDGE_DELETE_CONTAINER_STATE, serve_delete },
};

static int dispatch(struct agent *agent, const struct zl_bridge_request *request, json_t **ret_body,
                    struct zl_error *err)
{
  for (size_t i = 0; i < ZL_COUNT(handlers); i++)
    if (handlers[i].message == request->message)
      return handlers[i].fn(agent, request, ret_body, err);
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s is not a request for this guest",
                 zl_bridge_message_name(request->message));
}

void request_serve(void *ctx, const struct zl_bridge_request *request)
{
  struct agent *agent = ctx;
  struct zl_error err = { 0 };
  json_t *body = NULL;
  int r = dispatch(agent, request, &body, &err);

  if (r == 0)
    (void)zl_bridge_answer(agent->server, request->message, request->id, body, NULL);
  else if (r < 0)
    (void)zl_bridge_refuse(agent->server, request->message, request->id, &err, NULL);
}

json_t *request_capabilities(void)
{
  return json_pack("{s:s, s:{s:b, s:b, s:b}}", "RuntimeOsType", "linux", "GuestDefinedCapabilities",
                   "SignalProcessSupported", 1, "DumpStacksSupported", 1,
                   "DeleteContainerStateSupported", 1);
}
