/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/start.h"
#include "base/log.h"
#include "engine/gate.h"
#include "oci/container.h"
#include "oci/delete.h"
#include "oci/hooks.h"
#include "oci/options.h"

int oci_start_container(struct oci_container *c, bool *ret_hook_failed, struct zl_error *err)
{
  enum oci_status status = oci_container_status(c);
  int r;

  *ret_hook_failed = false;
  if (status != OCI_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot start container '%s': it is %s, not created",
                   c->id, oci_status_name(status));
  r = zl_gate_open(c->dir_fd, OCI_GATE, c->pidfd, err);
  if (r < 0)
    return r;
  r = oci_run_hooks(c, ZL_HOOK_POSTSTART, OCI_RUNNING, err);
  *ret_hook_failed = r < 0;
  return r;
}

int oci_start(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct zl_error also = { 0 };
  bool hook_failed = false;
  const char *id;
  int r = oci_options_id(NULL, 0, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, true, &c, err);
  if (r == 0)
    r = oci_start_container(&c, &hook_failed, err);
  if (hook_failed && oci_destroy(&c, &also) < 0) /* as the specification has it */
    zl_warning("%s", also.msg);
  return r;
}
