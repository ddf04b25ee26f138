/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/control_reply.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"

int zl__control_gone(struct zl_error *err)
{
  return zl_fail(err, ZL_E_REMOTE, 0, "its shim has ended");
}

int zl__control_render(json_t *request, char **ret, struct zl_error *err)
{
  zl_autojson *owned = request;
  zl_autofree char *text = NULL;
  int r = owned != NULL ? zl_json_render(owned, &text, err) : zl_fail_nomem(err, "request");

  if (r < 0)
    return r;
  if (strlen(text) > ZL_MAX_CONTROL_MSG)
    return zl_fail(err, ZL_E_LIMIT, 0, "the request has %zu bytes, the limit is %d", strlen(text),
                   ZL_MAX_CONTROL_MSG);
  *ret = zl_steal_ptr(&text);
  return 0;
}

static enum zl_code code_named(const char *name)
{
  for (enum zl_code code = ZL_OK + 1; name != NULL && code < ZL_E_MAX_; code++)
    if (strcmp(zl_code_name(code), name) == 0)
      return code;
  return ZL_E_REMOTE;
}

/* The shim's error becomes ours, word for word: its text already has that of os_error. That a
 * machine has failed (REMOTE for the shim) must not be taken for the end of the shim. */
static int refuse(const json_t *reply, struct zl_error *err)
{
  const char *name = NULL, *message = NULL;
  enum zl_code code;
  int64_t os_error = 0;
  int r;

  (void)zl_json_get_string(reply, "reply", "code", &name, NULL);
  (void)zl_json_get_string(reply, "reply", "message", &message, NULL);
  (void)zl_json_get_int(reply, "reply", "os_error", 0, INT32_MAX, 0, &os_error, NULL);
  code = code_named(name);
  r = zl_fail(err, code == ZL_E_REMOTE ? ZL_E_INTERNAL : code, 0, "%s",
              message != NULL ? message : "the shim refused");
  if (err != NULL)
    err->os_error = (int)os_error;
  return r;
}

int zl__control_understand(const char *text, size_t len, json_t **ret, struct zl_error *err)
{
  zl_autojson *json = NULL;
  int r = zl_json_parse(text, len, "reply of the shim", &json, err);

  if (r < 0)
    return r;
  if (json_is_false(json_object_get(json, "ok")))
    return refuse(json, err);
  *ret = zl_steal_ptr(&json);
  return 0;
}

int zl_control_call(int fd, json_t *request, json_t **ret, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_send(fd, request, NULL, 0, err);

  if (r == 0)
    r = zl_control_receive(fd, zl_time_boot() + ZL_CONTROL_PATIENCE, -1, &reply, NULL, err);
  if (r == 0 && ret != NULL)
    *ret = zl_steal_ptr(&reply);
  return r;
}
