/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "oci/console.h"
#include "oci/container.h"
#include "oci/filter.h"
#include "oci/foreground.h"
#include "oci/machine.h"
#include "oci/options.h"
#include "oci/pidfile.h"
#include "oci/place.h"
#include "oci/process.h"

struct exec {
  struct oci_process process;
  const char *pid_file, *console_socket;
  char **cgroups; /* owned */
  int64_t preserved_fds;
  bool detach, ignore_paused;
};

static int parse(struct exec *exec, int argc, char **argv, const char **ret_id,
                 struct zl_error *err)
{
  struct oci_process *p = &exec->process;
  const struct oci_option options[] = {
    { .name = "process", .letter = 'p', .kind = OCI_TEXT, .variable = &p->file },
    { .name = "cwd", .kind = OCI_TEXT, .variable = &p->cwd },
    { .name = "env", .letter = 'e', .kind = OCI_LIST, .variable = &p->env },
    { .name = "tty", .letter = 't', .kind = OCI_FLAG, .variable = &p->tty },
    { .name = "user", .letter = 'u', .kind = OCI_TEXT, .variable = &p->user },
    { .name = "additional-gids", .letter = 'g', .kind = OCI_LIST, .variable = &p->gids },
    { .name = "cap", .letter = 'c', .kind = OCI_LIST, .variable = &p->caps },
    { .name = "no-new-privs", .kind = OCI_FLAG, .variable = &p->no_new_privileges },
    { .name = "detach", .letter = 'd', .kind = OCI_FLAG, .variable = &exec->detach },
    { .name = "pid-file", .kind = OCI_TEXT, .variable = &exec->pid_file },
    { .name = "console-socket", .kind = OCI_TEXT, .variable = &exec->console_socket },
    { .name = "preserve-fds", .kind = OCI_NUMBER, .variable = &exec->preserved_fds },
    { .name = "cgroup", .kind = OCI_LIST, .variable = &exec->cgroups },
    { .name = "ignore-paused", .kind = OCI_FLAG, .variable = &exec->ignore_paused },
    { .name = "process-label", .kind = OCI_REFUSED, .takes_value = true, .why = "no LSM labels" },
    { .name = "apparmor", .kind = OCI_REFUSED, .takes_value = true, .why = "no LSM profiles" },
    { .name = "no-subreaper", .kind = OCI_NOTHING },
  };
  int first = argc;
  int r = oci_options(options, ZL_COUNT(options), argc, argv, &first, err);

  if (r < 0)
    return r;
  if (first == argc)
    return zl_fail(err, ZL_E_INVALID, 0, "exec: the id of a container must be given");
  *ret_id = argv[first];
  p->args = argv + first + 1;
  if (*p->args == NULL && p->file == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "exec: neither a command nor --process is given");
  if (*p->args != NULL && p->file != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "exec: a command and --process exclude each other");
  return oci_check_preserved(exec->preserved_fds, err);
}

/* ---- Into the container -------------------------------------------------------------------- */

/* What an earlier command has made, as the engine knows one. */
static int find_container(const struct oci_container *c, const struct zl_engine_config *config,
                          struct zl_container *ret, struct zl_error *err)
{
  char path[48];
  int fd, r;

  for (int i = 0; i < ZL_NS_COUNT; i++)
    if (config->namespaces[i].present)
      ret->namespaces |= zl_ns_flag((enum zl_ns)i);
  (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)c->pid);
  fd = zl_fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "the root of container '%s'", c->id);
  ret->rootfs_fd = fd;
  ret->init.pid = c->pid;
  ret->init.pidfd = c->pidfd;
  if (config->seccomp == NULL)
    return 0;
  r = oci_filter_open(c, &ret->filter, err);
  if (r == 0)
    r = zl_seccomp_compile(config->seccomp, &ret->filter, err);
  ret->confined = r >= 0;
  return r < 0 ? r : 0;
}

/* The process itself belongs to *c. */
static void forget_container(struct zl_container *container)
{
  container->init.pidfd = -1;
  zl_container_done(container);
}

/* For the agent that answers system calls. */
static int render_state(const struct oci_container *c, char **ret, struct zl_error *err)
{
  zl_autojson *state = oci_container_state(c, oci_container_status(c));

  return state != NULL ? zl_json_render(state, ret, err)
                       : zl_fail_nomem(err, "the container's state");
}

static int start(const struct exec *exec, const struct oci_container *c,
                 const struct zl_engine_config *config, const struct zl_process *process,
                 struct zl_child *child, int *ret_master, struct zl_error *err)
{
  ZL_CLEANUP(forget_container) struct zl_container container = ZL_CONTAINER_INIT;
  ZL_CLEANUP(oci_place_done) struct oci_place place = { .whole = NULL };
  char keyring[OCI_KEYRING_TEXT];
  zl_autofree char *state = NULL;
  struct zl_exec_spec spec = { .container = &container,
                               .process = process,
                               .config = config,
                               .stdio = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
                               .cgroup_fd = -1,
                               .is_free = true,
                               .preserved_fds = (unsigned)exec->preserved_fds };
  int r = find_container(c, config, &container, err);

  if (r == 0)
    r = oci_place_open(c, exec->cgroups, &place, err);
  if (r < 0)
    return r;
  if (c->has_cgroup) {
    spec.cgroup_fd = oci_place_fd(&place);
    spec.hooks = (struct zl_container_hooks){ .ctx = &place, .enter = oci_place_enter };
  }
  spec.keyring = oci_container_keyring(c, keyring);
  if (config->seccomp != NULL && config->seccomp->listener_path != NULL)
    r = render_state(c, &state, err);
  spec.state_json = state;
  if (r == 0)
    r = zl_exec_start(&spec, child, ret_master, err);
  return r;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int check_status(const struct exec *exec, const struct oci_container *c,
                        struct zl_error *err)
{
  enum oci_status status = oci_container_status(c);

  if (status == OCI_PAUSED && exec->ignore_paused)
    return 0;
  if (status == OCI_STOPPED || status == OCI_CREATING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot exec in a stopped container: '%s' is %s", c->id,
                   oci_status_name(status));
  if (status == OCI_PAUSED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "cannot exec in a paused container (--ignore-paused)");
  return 0;
}

/* The terminal goes where the caller wants it; the process is there already. */
static int hand_over(const struct exec *exec, const struct zl_child *child, int *master,
                     struct zl_error *err)
{
  int r = 0;

  if (exec->console_socket != NULL && *master < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "--console-socket: the process has no terminal (--tty)");
  if (exec->console_socket != NULL)
    r = oci_console_send(exec->console_socket, master, err);
  else if (exec->detach && *master >= 0)
    return zl_fail(err, ZL_E_INVALID, 0, "--detach with a terminal needs --console-socket");
  if (r == 0 && exec->pid_file != NULL)
    r = oci_pidfile_write(exec->pid_file, child->pid, err);
  return r;
}

/* In the container, whose namespaces are this host's. */
static int start_here(const struct exec *exec, const struct oci_container *c,
                      struct zl_child *child, int *ret_master, struct zl_error *err)
{
  zl_autoconfig *config = NULL;
  zl_autoprocess *process = NULL;
  zl_autojson *doc = NULL;
  int r = oci_container_config(c, &config, &doc, err);

  if (r == 0)
    r = oci_process_build(&exec->process, doc, &process, err);
  if (r == 0 && exec->console_socket == NULL)
    oci_console_adopt_size(process);
  if (r == 0 && !exec->detach)
    oci_foreground_hold_signals();
  return r == 0 ? start(exec, c, config, process, child, ret_master, err) : r;
}

static int start_in_machine(const struct exec *exec, const struct oci_container *c,
                            struct zl_child *child, int *ret_master, struct zl_error *err)
{
  zl_autojson *config = NULL, *process = NULL;
  int r = oci_container_config(c, NULL, &config, err);

  if (r == 0 && exec->cgroups != NULL)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "--cgroup: those of a machine are not the host's");
  if (r == 0 && exec->preserved_fds > 0)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0,
                "--preserve-fds: descriptors of the host cannot be given to a machine");
  if (r == 0)
    r = oci_process_document(&exec->process, config, &process, err);
  if (r == 0 && !exec->detach)
    oci_foreground_hold_signals();
  return r == 0 ? oci_machine_exec(c, process, exec->console_socket == NULL, child, ret_master, err)
                : r;
}

static int run(const struct exec *exec, const struct oci_container *c, struct zl_error *err)
{
  struct zl_child child = { .pidfd = -1 };
  zl_autofd master = -1;
  int r = check_status(exec, c, err);

  if (r == 0)
    r = oci_container_has_machine(c) ? start_in_machine(exec, c, &child, &master, err)
                                     : start_here(exec, c, &child, &master, err);
  if (r < 0)
    return r;
  r = hand_over(exec, &child, &master, err);
  if (r < 0) {
    zl_child_kill(&child);
    return r;
  }
  if (!exec->detach)
    return oci_foreground(&child, &master, err);
  zl_fd_closep(&child.pidfd);
  return 0;
}

int oci_exec(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  struct exec exec = { .detach = false };
  const char *id = NULL;
  int r = parse(&exec, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, false, &c, err);
  if (r == 0)
    r = run(&exec, &c, err);
  oci_process_done(&exec.process);
  zl_strv_free(exec.cgroups);
  return r;
}
