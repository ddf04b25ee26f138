/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/state.h"

#include <string.h>

#include "base/limits.h"

int zl_state_parse(const char *state, const char *status, pid_t pid, json_t **ret,
                   struct zl_error *err)
{
  zl_autojson *doc = NULL;
  int r = zl_json_parse_upto(state, strlen(state), ZL_MAX_STATE_JSON, "state", &doc, err);

  if (r < 0)
    return r;
  if (!json_is_object(doc))
    return zl_fail(err, ZL_E_INVALID, 0, "state: expected an object");
  if (json_object_set_new(doc, "status", json_string(status)) < 0 ||
      (pid > 0 && json_object_set_new(doc, "pid", json_integer(pid)) < 0))
    return zl_fail_nomem(err, "state");
  *ret = zl_steal_ptr(&doc);
  return 0;
}
