/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/pidfd.h>

#include "engine/gate.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/machine.h"
#include "oci/options.h"
#include "oci/start.h"

int oci_start_container(struct oci_container *c, struct zl_error *err)
{
  enum oci_status status = oci_container_status(c);
  int r;

  if (status != OCI_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot start container '%s': it is %s, not created",
                   c->id, oci_status_name(status));
  r = oci_container_has_machine(c) ? oci_machine_start(c, err)
                                   : zl_gate_open(c->dir_fd, OCI_GATE, c->pidfd, err);
  if (r < 0)
    return r;
  r = oci_run_hooks(c, ZL_HOOK_POSTSTART, OCI_RUNNING, err);
  if (r < 0) /* the specification has the container stopped then */
    (void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
  return r;
}

int oci_start(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  const char *id;
  int r = oci_options_id(NULL, 0, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, true, &c, err);
  return r == 0 ? oci_start_container(&c, err) : r;
}
