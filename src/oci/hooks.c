/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include <string.h>

#include "engine/hooks.h"

int oci_run_hooks(const struct oci_container *c, enum zl_hook_phase phase, enum oci_status status,
                  struct zl_error *err)
{
  zl_autoconfig *config = NULL;
  zl_autojson *state = NULL;
  zl_autofree char *text = NULL;
  int r;

  if (!json_is_true(json_object_get(c->state, "hooks")))
    return 0;
  r = oci_container_config(c, &config, NULL, err);
  if (r < 0)
    return r;
  state = oci_container_state(c, status);
  r = state != NULL ? zl_json_render(state, &text, err) : zl_fail_nomem(err, "hooks");
  return r < 0 ? r : zl_hooks_run(phase, &config->hooks[phase], text, strlen(text), err);
}
