/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/start.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/gate.h"
#include "oci/container.h"
#include "oci/delete.h"
#include "oci/hooks.h"
#include "oci/machine.h"
#include "oci/notify.h"
#include "oci/options.h"

int oci_start_container(struct oci_container *c, struct oci_started *ret, struct zl_error *err)
{
  enum oci_status status = oci_container_status(c);
  int r;

  *ret = (struct oci_started){ .notify_fd = -1 };
  if (status != OCI_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot start container '%s': it is %s, not created",
                   c->id, oci_status_name(status));
  r = oci_notify_open(c, &ret->notify_fd, err);
  if (r < 0)
    return r;
  r = oci_container_has_machine(c) ? oci_machine_start(c, err)
                                   : zl_gate_open(c->dir_fd, OCI_GATE, c->pidfd, err);
  if (r < 0)
    return r;
  r = oci_run_hooks(c, ZL_HOOK_POSTSTART, OCI_RUNNING, err);
  ret->hook_failed = r < 0;
  return r;
}

int oci_start(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct zl_error also = { 0 };
  struct oci_started started = { .notify_fd = -1 };
  const char *id;
  int r = oci_options_id(NULL, 0, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, true, &c, err);
  if (r == 0)
    r = oci_start_container(&c, &started, err);
  if (started.hook_failed && oci_destroy(&c, &also) < 0) /* as the specification has it */
    zl_warning("%s", also.msg);
  if (r == 0 && started.notify_fd >= 0) {
    zl_fd_closep(&c.lock_fd); /* it may take as long as it likes */
    oci_notify_relay(started.notify_fd, c.pidfd);
  }
  zl_fd_closep(&started.notify_fd);
  return r;
}
