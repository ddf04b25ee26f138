/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/limits.h"
#include "engine/config_private.h"

static const char *const phases[ZL_HOOK_PHASES] = {
  [ZL_HOOK_PRESTART] = "prestart",
  [ZL_HOOK_CREATE_RUNTIME] = "createRuntime",
  [ZL_HOOK_CREATE_CONTAINER] = "createContainer",
  [ZL_HOOK_START_CONTAINER] = "startContainer",
  [ZL_HOOK_POSTSTART] = "poststart",
  [ZL_HOOK_POSTSTOP] = "poststop",
};

const char *zl_hook_phase_name(enum zl_hook_phase phase)
{
  return phases[phase];
}

static int read_hook(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_hook *hook = out;
  int64_t timeout;
  int r = zl_config_required(rd, item, path, "path", &hook->path);

  if (r == 0)
    r = zl_config_strv(rd, item, path, "args", ZL_MAX_LIST, &hook->args);
  if (r == 0 && json_object_get(item, "env") != NULL)
    r = zl_config_strv(rd, item, path, "env", ZL_MAX_LIST, &hook->env);
  if (r == 0)
    r = zl_json_get_int(item, path, "timeout", 1, ZL_MAX_HOOK_TIMEOUT_S, 0, &timeout, rd->err);
  if (r < 0)
    return r;
  if (hook->path[0] != '/')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.path: '%.100s' is not absolute", path, hook->path);
  hook->timeout_s = (unsigned)timeout;
  return 0;
}

int zl_config_hooks(struct zl_config_reader *rd, const json_t *doc, struct zl_engine_config *c)
{
  json_t *hooks;
  int r = zl_json_get_object(doc, "", "hooks", &hooks, rd->err);

  for (size_t i = 0; r == 0 && i < ZL_HOOK_PHASES; i++) {
    void *items;

    r = zl_config_items(rd, hooks, "hooks", phases[i], ZL_MAX_HOOKS, sizeof(struct zl_hook),
                        read_hook, &items, &c->hooks[i].n);
    if (r == 0)
      c->hooks[i].items = items;
  }
  return r;
}
