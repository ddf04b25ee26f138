/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/execution.h"

#include <string.h>

#include "base/json.h"
#include "bridge/mux.h"

int request_parse_member(const json_t *body, const char *name, json_t **ret, struct zl_error *err)
{
  const json_t *member = json_object_get(body, name);
  zl_autojson *json = NULL;
  int r;

  if (json_is_object(member)) {
    *ret = json_incref(json_object_get(body, name));
    return 0;
  }
  if (!json_is_string(member))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: expected an object, or one in a string", name);
  r = zl_json_parse(json_string_value(member), json_string_length(member), name, &json, err);
  if (r < 0)
    return r;
  if (!json_is_object(json))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: expected an object", name);
  *ret = zl_steal_ptr(&json);
  return 0;
}

/* A stream is asked for by a flag, and then has a number. */
static int read_port(const json_t *parameters, const char *flag, const json_t *relay,
                     const char *name, uint32_t *ret, struct zl_error *err)
{
  bool is_wanted;
  int64_t port;
  int r = zl_json_get_bool(parameters, "ProcessParameters", flag, false, &is_wanted, err);

  *ret = 0;
  if (r < 0 || !is_wanted)
    return r;
  r = zl_json_get_int(relay, "VsockStdioRelaySettings", name, ZL_MUX_FIRST_PORT, UINT32_MAX, 0,
                      &port, err);
  if (r == 0 && port == 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "VsockStdioRelaySettings.%s: must be given with %s", name,
                flag);
  if (r == 0)
    *ret = (uint32_t)port;
  return r;
}

static int read_ports(const json_t *parameters, const json_t *settings, struct execution *e,
                      struct zl_error *err)
{
  json_t *relay;
  int r = zl_json_get_object(settings, "Settings", "VsockStdioRelaySettings", &relay, err);

  if (r == 0)
    r = read_port(parameters, "CreateStdInPipe", relay, "StdIn", &e->ports[0], err);
  if (r == 0)
    r = read_port(parameters, "CreateStdOutPipe", relay, "StdOut", &e->ports[1], err);
  if (r == 0)
    r = read_port(parameters, "CreateStdErrPipe", relay, "StdErr", &e->ports[2], err);
  return r;
}

static bool read_number(const json_t *array, size_t index, uint16_t *ret)
{
  const json_t *number = json_array_get(array, index);

  if (!json_is_integer(number) || json_integer_value(number) < 0 ||
      json_integer_value(number) > UINT16_MAX)
    return false;
  *ret = (uint16_t)json_integer_value(number);
  return true;
}

static int read_console(const json_t *parameters, struct execution *e, struct zl_error *err)
{
  json_t *size = NULL;
  int r = zl_json_get_bool(parameters, "ProcessParameters", "EmulateConsole", false,
                           &e->has_console, err);

  if (r == 0)
    r = zl_json_get_array(parameters, "ProcessParameters", "ConsoleSize", 2, &size, err);
  if (r < 0 || size == NULL || json_array_size(size) == 0)
    return r;
  if (!read_number(size, 0, &e->rows) || !read_number(size, 1, &e->cols))
    return zl_fail(err, ZL_E_INVALID, 0, "ProcessParameters.ConsoleSize: expected [height, width]");
  e->has_size = e->rows > 0 && e->cols > 0; /* 0, 0: not said */
  return 0;
}

int execution_parse(const json_t *body, json_t **ret_parameters, struct execution *ret,
                    struct zl_error *err)
{
  struct execution execution = { .has_console = false };
  zl_autojson *parameters = NULL;
  json_t *settings, *process;
  int r = zl_json_get_object(body, "", "Settings", &settings, err);

  if (r == 0)
    r = request_parse_member(settings, "ProcessParameters", &parameters, err);
  if (r == 0)
    r = read_ports(parameters, settings, &execution, err);
  if (r == 0)
    r = read_console(parameters, &execution, err);
  if (r == 0)
    r = zl_json_get_object(parameters, "ProcessParameters", "OciProcess", &process, err);
  if (r < 0)
    return r;
  execution.process = process;
  *ret = execution;
  *ret_parameters = zl_steal_ptr(&parameters);
  return 0;
}
