/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/relay.h"
#include "cli/run_service.h"
#include "cli/signals.h"
#include "cli/verbs.h"

struct launch {
  struct zl_cli *cli;
  const struct zl_args *args;
  struct zl_runtime *rt;
  struct zl_service *service;
  const char *name;
  char id[ZL_ID_TEXT];
  bool created;
};

/* Like Docker, a file that exists is refused: it is somebody else's container. */
static int write_cidfile(const char *path, const char *id, struct zl_error *err)
{
  zl_autofd fd = -1;
  int r;

  if (path == NULL)
    return 0;
  fd = zl_fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  r = fd < 0 ? fd : zl_fd_write_full(fd, id, strlen(id));
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing the id to '%s'", path) : 0;
}

static int create_once(struct launch *l, struct zl_error *err)
{
  struct zl_container_id id = { .service = l->name, .replica = 1 };
  struct zl_create_options options = {
    .name = l->name,
    .auto_remove = zl_args_has(l->args, "rm"),
    .open_stdin = zl_args_has(l->args, "interactive"),
  };
  int r = zl_container_id_format(&id, l->id, err);

  zl_console_size(STDIN_FILENO, &options.rows, &options.cols);
  return r < 0 ? r : zl_create(l->rt, &id, l->service, &options, err);
}

/* The pull is a step of its own, for its progress and so that Ctrl-C ends it in order. An image
 * that is stored, as nearly always, costs nothing extra: creation itself says that it is missing.
 */
static int create_with_image(struct launch *l, struct zl_error *err)
{
  struct zl_image_spec *image = &l->service->image;
  enum zl_pull_policy policy = image->pull_policy;
  int r = 0;

  image->pull_policy = ZL_PULL_NEVER;
  if (policy == ZL_PULL_NEVER || policy == ZL_PULL_IF_NOT_PRESENT)
    r = create_once(l, err);
  if (policy == ZL_PULL_NEVER || (policy == ZL_PULL_IF_NOT_PRESENT && r != -ZL_E_NOT_FOUND))
    return r;
  r = zl_pull_shown(l->rt, image->name, policy, false, NULL, err);
  return r < 0 ? r : create_once(l, err);
}

static int create(struct launch *l, struct zl_error *err)
{
  int r = create_with_image(l, err);

  l->created = r >= 0;
  return r < 0 ? r : write_cidfile(zl_args_get(l->args, "cidfile"), l->id, err);
}

/* A container that never ran is of no use with --rm; without it, it stays to be looked at. What was
 * missing before there was a container is a program of ours. */
static int failed(const struct launch *l, const struct zl_error *err)
{
  int rc = zl_cli_failed(l->cli, err);

  if (l->created && zl_args_has(l->args, "rm"))
    (void)zl_remove(l->rt, l->id, true, NULL);
  return l->created ? rc : ZL_RC_OURS;
}

static int run_detached(struct launch *l)
{
  struct zl_error err = { 0 };
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = create(l, &err);

  if (r >= 0)
    r = zl_start(l->rt, l->id, &err);
  if (r < 0)
    return failed(l, &err);
  r = zl_buf_printf(&line, &err, "%s\n", l->id);
  if (r >= 0)
    r = zl_cli_write(&line, &err);
  return zl_cli_finish(l->cli, r, &err);
}

/* The signals are blocked before the container exists: one that comes early reaches the workload.
 */
static int start_and_relay(struct launch *l, struct zl_relay *relay, struct zl_outcome *outcome,
                           struct zl_error *err)
{
  int r = create(l, err);

  if (r >= 0)
    r = zl_attach_open(l->rt, l->id, &relay->session, err);
  if (r >= 0)
    r = zl_start(l->rt, l->id, err);
  if (r >= 0)
    r = zl_relay_run(relay, outcome, err);
  zl_session_close(relay->session);
  return r;
}

static int run_attached(struct launch *l)
{
  struct zl_error err = { 0 };
  struct zl_outcome outcome;
  bool tty = zl_args_has(l->args, "tty"), interactive = zl_args_has(l->args, "interactive");
  struct zl_relay relay = {
    .rt = l->rt,
    .id = l->id,
    .tty = tty,
    .interactive = interactive,
    .forward = !(tty && interactive),
  };
  int r;

  zl_relay_block_signals();
  r = start_and_relay(l, &relay, &outcome, &err);
  if (relay.caught != 0) {
    zl_cli_note("detached by %s; container %s goes on", zl_cli_signal_text(relay.caught), l->id);
    return 128 + relay.caught;
  }
  if (r < 0)
    return failed(l, &err);
  if (zl_args_has(l->args, "rm") && zl_remove(l->rt, l->id, true, &err) < 0)
    (void)zl_cli_failed(l->cli, &err);
  return zl_cli_outcome(l->id, &outcome);
}

static int check(const struct zl_args *args, struct zl_error *err)
{
  const char *cidfile = zl_args_get(args, "cidfile");

  if (cidfile != NULL && access(cidfile, F_OK) == 0)
    return zl_fail(err, ZL_E_CONFLICT, 0, "file '%s' of --cidfile exists: remove it first",
                   cidfile);
  return zl_relay_check_terminal(zl_args_has(args, "tty") && !zl_args_has(args, "detach"), err);
}

static int launch(struct launch *l)
{
  struct zl_error err = { 0 };
  int r = zl_run_service(l->args, l->name, &l->service, &err);

  if (r < 0)
    return zl_cli_usage(l->cli, &err);
  r = check(l->args, &err);
  if (r >= 0)
    r = zl_cli_open(l->cli, &l->rt, &err);
  if (r < 0)
    return zl_cli_failed(l->cli, &err);
  return zl_args_has(l->args, "detach") ? run_detached(l) : run_attached(l);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  struct zl_error err = { 0 };
  struct launch l = { .cli = cli, .args = args, .name = zl_args_get(args, "name") };
  zl_autofree char *generated = NULL;
  int rc;

  if (l.name == NULL && zl_run_generate_name(args->operands[0], &generated, &err) < 0)
    return zl_cli_failed(cli, &err);
  if (l.name == NULL)
    l.name = generated;
  rc = launch(&l);
  zl_service_free(l.service);
  return rc;
}

static const struct zl_option options[] = {
  { "add-host", "NAME:ADDRESS", "Add a line to /etc/hosts; the address may be host-gateway",
    .repeat = true },
  { "cap-add", "CAPABILITY", "Add a capability, or ALL", .repeat = true },
  { "cap-drop", "CAPABILITY", "Take a capability away, or ALL", .repeat = true },
  { "cidfile", "FILE", "Write the id of the container to FILE, which must not exist",
    ZL_COMPLETE_FILE },
  { "cpu-shares", "N", "Share of the CPU beside others, 2 to 262144; default 1024" },
  { "cpus", "NUMBER", "At most this many CPUs, such as 0.5" },
  { "cpuset-cpus", "LIST", "Only these CPUs, such as 0-3,7" },
  { "detach", NULL, "Run in the background and print the id", .letter = 'd' },
  { "device", "PATH[:PATH][:rwm]", "Give access to a device of the node", .repeat = true },
  { "dns", "ADDRESS", "Name server in /etc/resolv.conf", .repeat = true },
  { "entrypoint", "PROGRAM", "Run this instead of the image's entrypoint and command" },
  { "env", "KEY[=VALUE]", "Set a variable; without a value the caller's own", .letter = 'e',
    .repeat = true },
  { "env-file", "FILE", "Set the variables of a file, one KEY[=VALUE] per line", ZL_COMPLETE_FILE,
    .repeat = true },
  { "group-add", "GROUP", "Add the process to a group, by name or number", .repeat = true },
  { "hostname", "NAME", "Host name in the container", .letter = 'h' },
  { "init", NULL, "Run a small init that passes signals on and reaps orphans" },
  { "interactive", NULL, "Pass standard input on", .letter = 'i' },
  { "ipc", "MODE", "IPC namespace: private or host" },
  { "isolation", "MODE", "How it is kept apart", "auto process hyperv" },
  { "label", "KEY[=VALUE]", "Attach a label", .letter = 'l', .repeat = true },
  { "memory", "SIZE", "At most this much memory, such as 512Mi", .letter = 'm' },
  { "memory-swap", "SIZE", "At most this much memory and swap together; -1: any swap" },
  { "name", "NAME", "Name of the container; default made from the image's" },
  { "network", "MODE", "default (the overlay), none, host, or container:NAME" },
  { "oom-score-adj", "N", "Who is killed first when the node is out of memory, -1000 to 1000" },
  { "pid", "MODE", "PID namespace: private or host" },
  { "pids-limit", "N", "At most N processes; -1: no limit" },
  { "privileged", NULL, "All capabilities and devices, no filter of system calls" },
  { "publish", "[[IP:]PORT:]PORT[/udp]", "Publish a port of the container on the node",
    .letter = 'p', .repeat = true },
  { "pull", "POLICY", "When to ask the image's source; default missing",
    "always newer missing if_not_present never" },
  { "read-only", NULL, "The root file system cannot be written" },
  { "rm", NULL, "Remove the container when it has ended" },
  { "security-opt", "OPTION", "seccomp=unconfined, or no-new-privileges[:false]", .repeat = true },
  { "stop-signal", "SIGNAL", "What 'stop' sends; default the image's, else TERM" },
  { "stop-timeout", "SECONDS", "What 'stop' waits before SIGKILL; default 10" },
  { "sysctl", "KEY=VALUE", "Set a kernel parameter of the container's namespaces", .repeat = true },
  { "tmpfs", "PATH[:size=S,mode=M]", "Mount a file system in memory", .repeat = true },
  { "tty", NULL, "Give the container a terminal", .letter = 't' },
  { "ulimit", "NAME=SOFT[:HARD]", "Set a resource limit, such as nofile=1024", .repeat = true },
  { "user", "USER[:GROUP]", "Run as this user, by name or number", .letter = 'u' },
  { "userns", "MODE", "User namespace", "host private" },
  { "volume", "[SOURCE:]PATH[:ro]", "Mount a directory of the node or a named volume",
    .letter = 'v', .repeat = true },
  { "workdir", "PATH", "Working directory", .letter = 'w' },
  { NULL },
};

const struct zl_verb zl_verb_run = {
  .name = "run",
  .group = "Containers",
  .summary = "Create and start a container, and attach to it",
  .usage = "[OPTIONS] IMAGE [COMMAND [ARG...]]",
  .detail = "The exit code is the workload's own; 125: zlayer failed, 126: the command cannot be "
            "executed, 127: it was not found. Without -t, signals go to the workload; a third "
            "Ctrl-C leaves it alone and ends the view. The death of this program does not end the "
            "container.",
  .options = options,
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .flags = ZL_VERB_OPTIONS_FIRST | ZL_VERB_WORKLOAD,
  .run = run,
};
