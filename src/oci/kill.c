/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "engine/signals.h"
#include "oci/container.h"
#include "oci/machine.h"
#include "oci/options.h"

static int send_one(void *payload, pid_t pid, struct zl_error *err)
{
  const int *signal = payload;

  (void)err;
  (void)kill(pid, *signal); /* one that has just ended needs none */
  return 0;
}

static int kill_all(const struct oci_container *c, int signal, struct zl_error *err)
{
  if (!c->has_cgroup)
    return 0;
  if (signal != SIGKILL && oci_container_has_machine(c))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "kill --all: only SIGKILL reaches all processes of a machine");
  return signal == SIGKILL ? zl_cgroup_kill(&c->cgroup, err)
                           : zl_cgroup_each_process(&c->cgroup, send_one, &signal, err);
}

/* containerd and Podman look for this text. */
static int not_running(const struct oci_container *c, struct zl_error *err)
{
  return zl_fail(err, ZL_E_CONFLICT, 0, "cannot signal '%s': container not running", c->id);
}

/* Where the first process is not the head of a pid namespace, the others do not end with it. */
static bool ends_all(const struct oci_container *c, int signal)
{
  return signal == SIGKILL && c->has_cgroup &&
         json_is_true(json_object_get(c->state, OCI_SHARED_PIDS));
}

static int kill_shared(struct oci_container *c, struct zl_error *err)
{
  bool populated = false;
  int r = zl_cgroup_is_populated(&c->cgroup, &populated, err);

  if (r == 0 && !populated)
    return not_running(c, err);
  if (r == 0)
    r = zl_cgroup_kill(&c->cgroup, err);
  (void)zl_cgroup_freeze(&c->cgroup, false, NULL); /* frozen processes of v1 do not die */
  return r;
}

static int kill_first(struct oci_container *c, int signal, struct zl_error *err)
{
  enum oci_status status = oci_container_status(c);

  if (ends_all(c, signal))
    return kill_shared(c, err);
  if (status == OCI_STOPPED || status == OCI_CREATING)
    return not_running(c, err);
  if (oci_container_has_machine(c))
    return oci_machine_signal(c, signal, err);
  if (pidfd_send_signal(c->pidfd, signal, NULL, 0) < 0)
    return errno == ESRCH ? not_running(c, err) : zl_fail_errno(err, "signalling '%s'", c->id);
  /* Frozen processes of a v1 cgroup do not die. */
  if (status == OCI_PAUSED && signal == SIGKILL)
    (void)zl_cgroup_freeze(&c->cgroup, false, NULL);
  return 0;
}

/* 0 is sent too: it asks whether there is somebody. */
static int signal_number(const char *text)
{
  return strcmp(text, "0") == 0 ? 0 : zl_signal_number(text);
}

int oci_kill(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  bool all = false;
  const struct oci_option options[] = {
    { .name = "all", .letter = 'a', .kind = OCI_FLAG, .variable = &all },
  };
  int first = argc, signal = SIGTERM, rest;
  int r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);

  if (r < 0)
    return r;
  if (first == argc)
    return zl_fail(err, ZL_E_INVALID, 0, "kill: the id of a container must be given");
  r = oci_options(options, ZL_COUNT(options), argc - first, argv + first, &rest, err);
  if (r < 0)
    return r;
  if (first + rest < argc)
    signal = signal_number(argv[first + rest]);
  if (signal < 0 || first + rest + 1 < argc)
    return zl_fail(err, ZL_E_INVALID, 0, "kill: '%.40s' is no signal", argv[argc - 1]);
  r = oci_container_open(oci, argv[first], false, &c, err);
  if (r < 0)
    return r;
  return all ? kill_all(&c, signal, err) : kill_first(&c, signal, err);
}
