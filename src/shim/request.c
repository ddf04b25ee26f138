/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/request.h"

#include <signal.h>
#include <string.h>

#include "base/json.h"

enum {
  MAX_SIGNAL = 64,
  MAX_SIZE = UINT16_MAX,              /* struct winsize */
  MAX_GRACE_MS = 7 * 24 * 3600 * 1000 /* a week: nobody means more */
};

static const struct {
  const char *name;
  const char *members[2];  /* besides "op" */
  size_t min_fds, max_fds; /* exec with a terminal brings none, otherwise three */
} operations[OP_COUNT] = {
  [OP_START] = { .name = "start" },
  [OP_STATE] = { .name = "state" },
  [OP_KILL] = { .name = "kill", .members = { "signal" } },
  [OP_STOP] = { .name = "stop", .members = { "signal", "grace_ms" } },
  [OP_WAIT] = { .name = "wait" },
  [OP_PAUSE] = { .name = "pause" },
  [OP_RESUME] = { .name = "resume" },
  [OP_STATS] = { .name = "stats" },
  [OP_ATTACH] = { .name = "attach", .min_fds = 1, .max_fds = 2 },
  [OP_EXEC] = { .name = "exec", .members = { "process", "bound" }, .max_fds = 3 },
  [OP_RESIZE] = { .name = "resize", .members = { "rows", "cols" } },
  [OP_SIGNAL] = { .name = "signal", .members = { "signal" } },
};

static int find_op(const json_t *json, enum op *ret, struct zl_error *err)
{
  const char *name = NULL;
  int r = zl_json_get_string(json, "", "op", &name, err);

  if (r < 0)
    return r;
  for (int i = 0; name != NULL && i < OP_COUNT; i++) {
    if (strcmp(name, operations[i].name) == 0) {
      *ret = (enum op)i;
      return 0;
    }
  }
  return zl_fail(err, ZL_E_INVALID, 0, "unknown op '%s'", name != NULL ? name : "");
}

static bool is_member(enum op op, const char *key)
{
  if (strcmp(key, "op") == 0)
    return true;
  for (size_t i = 0; i < ZL_COUNT(operations[op].members); i++)
    if (operations[op].members[i] != NULL && strcmp(key, operations[op].members[i]) == 0)
      return true;
  return false;
}

static int check_members(json_t *json, enum op op, struct zl_error *err)
{
  const char *key;
  json_t *value;

  json_object_foreach (json, key, value)
    if (!is_member(op, key))
      return zl_fail(err, ZL_E_INVALID, 0, "op '%s' has no member '%s'", operations[op].name, key);
  return 0;
}

static int read_signal(const json_t *json, struct request *request, struct zl_error *err)
{
  int64_t signal = 0;
  int r = zl_json_get_int(json, "", "signal", 1, MAX_SIGNAL, 0, &signal, err);

  if (r < 0)
    return r;
  if (signal == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "signal: missing");
  request->signal = (int)signal;
  return 0;
}

static int read_size(struct request *request, struct zl_error *err)
{
  int64_t rows = 0, cols = 0;
  int r = zl_json_get_int(request->json, "", "rows", 1, MAX_SIZE, 0, &rows, err);

  if (r == 0)
    r = zl_json_get_int(request->json, "", "cols", 1, MAX_SIZE, 0, &cols, err);
  if (r == 0 && (rows == 0 || cols == 0))
    return zl_fail(err, ZL_E_INVALID, 0, "rows, cols: missing");
  request->rows = (unsigned)rows;
  request->cols = (unsigned)cols;
  return r;
}

static int read_members(struct request *request, struct zl_error *err)
{
  int64_t grace = 0;
  int r = 0;

  if (request->op == OP_KILL || request->op == OP_STOP || request->op == OP_SIGNAL)
    r = read_signal(request->json, request, err);
  if (r == 0 && request->op == OP_STOP)
    r = zl_json_get_int(request->json, "", "grace_ms", 0, MAX_GRACE_MS, 0, &grace, err);
  if (r == 0 && request->op == OP_RESIZE)
    r = read_size(request, err);
  if (r == 0 && request->op == OP_EXEC)
    r = zl_json_get_object(request->json, "", "process", &request->process, err);
  if (r == 0 && request->op == OP_EXEC)
    r = zl_json_get_bool(request->json, "", "bound", false, &request->bound, err);
  if (r == 0 && request->op == OP_EXEC && request->process == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "process: missing");
  request->grace_ms = (uint64_t)grace;
  return r;
}

int request_parse(const char *text, size_t len, struct request *request, struct zl_error *err)
{
  int r = zl_json_parse(text, len, "request", &request->json, err);

  if (r < 0)
    return r;
  if (!json_is_object(request->json))
    return zl_fail(err, ZL_E_INVALID, 0, "request: expected an object");
  r = find_op(request->json, &request->op, err);
  if (r == 0)
    r = check_members(request->json, request->op, err);
  if (r == 0)
    r = read_members(request, err);
  if (r < 0)
    return r;
  if (request->n_fds < operations[request->op].min_fds ||
      request->n_fds > operations[request->op].max_fds)
    return zl_fail(err, ZL_E_INVALID, 0, "op '%s' does not come with %zu descriptors",
                   operations[request->op].name, request->n_fds);
  return 0;
}

void request_done(struct request *request)
{
  for (size_t i = 0; i < request->n_fds; i++)
    zl_fd_closep(&request->fds[i]);
  json_decref(request->json);
  request->json = NULL;
}
