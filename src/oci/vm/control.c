/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking a machine's shim.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/time.h"
#include "oci/vm/vm.h"
#include "runtime/shim/control.h"

#define START_PATIENCE (90 * ZL_NS_PER_S) /* more than the shim has with the guest */

const char *oci_program(void)
{
  return "zlayer-oci-vm";
}

const char *oci_default_root(void)
{
  return "/run/zlayer-oci-vm";
}

bool oci_machine_is_possible(void)
{
  return true;
}

/* A sandbox does nothing but hold the pod's namespaces, which the machine cannot hold for others.
 */
bool oci_machine_is_for(const json_t *doc)
{
  return !oci_vm_is_sandbox(doc);
}

static int ask(const struct oci_container *c, json_t *request, uint64_t patience, json_t **ret,
               struct zl_error *err)
{
  zl_autojson *owned = request;
  zl_autofd dir = zl_fd_open(c->dir_fd, OCI_VM_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  zl_autofd fd = -1;
  int r;

  if (dir < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -zl_steal_fd(&dir), "the machine of '%s'", c->id);
  r = zl_control_connect(dir, &fd, err);
  if (r == 0)
    r = zl_control_send(fd, json_incref(owned), NULL, 0, err);
  return r == 0 ? zl_control_receive(fd, zl_time_boot() + patience, -1, ret, NULL, err) : r;
}

static int tell(const struct oci_container *c, json_t *request, uint64_t patience,
                struct zl_error *err)
{
  zl_autojson *reply = NULL;

  return ask(c, request, patience, &reply, err);
}

/* ---- The status ---------------------------------------------------------------------------- */

enum oci_status oci_machine_status(const struct oci_container *c)
{
  zl_autojson *reply = NULL;
  const char *status;

  if (ask(c, json_pack("{s:s}", "op", "state"), ZL_CONTROL_PATIENCE, &reply, NULL) < 0)
    return OCI_STOPPED; /* what stands for it is about to end, too */
  status = json_string_value(json_object_get(reply, "status"));
  if (status != NULL && strcmp(status, "created") == 0)
    return OCI_CREATED;
  if (status == NULL || strcmp(status, "stopped") == 0)
    return OCI_STOPPED;
  return json_is_true(json_object_get(reply, "paused")) ? OCI_PAUSED : OCI_RUNNING;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* Somebody may have set up the namespace only now, when the machine cannot have it any more. */
static int check_network(const struct oci_container *c, struct zl_error *err)
{
  struct zl_link_pod pod;
  char path[48];
  zl_autofd ns = -1;
  int r;

  if (faccessat(c->dir_fd, OCI_VM_DIR "/" OCI_VM_NO_LINK, F_OK, 0) < 0)
    return 0;
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->pid);
  ns = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
    return zl_fail_errno(err, "the network namespace of '%s'", c->id);
  r = zl_link_find_pod(&pod, err);
  if (r > 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "link '%s' was set up after the machine was made: it must be there before",
                   pod.name);
  return r;
}

int oci_machine_start(const struct oci_container *c, struct zl_error *err)
{
  int r = check_network(c, err);

  return r < 0 ? r : tell(c, json_pack("{s:s}", "op", "start"), START_PATIENCE, err);
}

int oci_machine_signal(const struct oci_container *c, int signal, struct zl_error *err)
{
  int r;

  /* A first process that has not been started has no handlers, and others do not reach it. */
  if (signal == 0 || (signal != SIGKILL && oci_machine_status(c) == OCI_CREATED))
    return 0;
  r = tell(c, json_pack("{s:s, s:i}", "op", "kill", "signal", signal), ZL_CONTROL_PATIENCE, err);
  return r == -ZL_E_REMOTE && signal == SIGKILL ? 0 : r; /* it may not have the time to answer */
}

int oci_machine_freeze(const struct oci_container *c, bool frozen, struct zl_error *err)
{
  return tell(c, json_pack("{s:s}", "op", frozen ? "pause" : "resume"), ZL_CONTROL_PATIENCE, err);
}
