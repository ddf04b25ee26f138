/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/qemu.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"

/* QEMU's ends, and the files that only it needs. */
struct parts {
  int bridge, stdio, console, qmp;
  int kernel, initrd;
};

#define PARTS_INIT         \
  {                        \
    -1, -1, -1, -1, -1, -1 \
  }

static void parts_done(struct parts *parts)
{
  zl_fd_closep(&parts->bridge);
  zl_fd_closep(&parts->stdio);
  zl_fd_closep(&parts->console);
  zl_fd_closep(&parts->qmp);
  zl_fd_closep(&parts->kernel);
  zl_fd_closep(&parts->initrd);
}

static void ends_done(struct qemu_ends *ends)
{
  zl_fd_closep(&ends->bridge_fd);
  zl_fd_closep(&ends->stdio_fd);
  zl_fd_closep(&ends->console_fd);
}

static int connect_pair(int *ret_ours, int *ret_theirs, struct zl_error *err)
{
  int pair[2];

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair for the virtual machine");
  *ret_ours = pair[0];
  *ret_theirs = pair[1];
  if (fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    return zl_fail_errno(err, "making a socket pair for the virtual machine");
  return 0;
}

static int open_file(const char *path, int *ret, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "opening '%s'", path);
  *ret = fd;
  return 0;
}

static int open_parts(const struct machine_config *config, enum zl_vm_start start,
                      struct parts *parts, struct qemu_ends *ends, int *qmp_fd,
                      struct zl_error *err)
{
  int r = connect_pair(&ends->bridge_fd, &parts->bridge, err);

  if (r == 0)
    r = connect_pair(&ends->stdio_fd, &parts->stdio, err);
  if (r == 0)
    r = connect_pair(&ends->console_fd, &parts->console, err);
  if (r == 0)
    r = connect_pair(qmp_fd, &parts->qmp, err);
  if (r == 0 && start != ZL_VM_CLONE)
    r = open_file(config->kernel, &parts->kernel, err);
  if (r == 0 && start != ZL_VM_CLONE)
    r = open_file(config->initrd, &parts->initrd, err);
  return r;
}

static int spawn(struct qemu *qemu, const struct machine_config *config, enum zl_vm_start start,
                 const struct qemu_files *files, const struct parts *parts, struct zl_error *err)
{
  struct zl_vm_bind binds[ZL_VM_MAX_BINDS];
  struct zl_vm_machine machine = { .accel = config->accel,
                                   .start = start,
                                   .memory_mib = config->memory_mib,
                                   .vcpus = config->vcpus,
                                   .tsc_khz = config->tsc_khz,
                                   .acpi = config->acpi,
                                   .kernel_fd = parts->kernel,
                                   .initrd_fd = parts->initrd,
                                   .memory_fd = files->memory_fd,
                                   .image_fd = files->image_fd,
                                   .scratch_fd = files->scratch_fd,
                                   .tap_fd = files->tap_fd,
                                   .bridge_fd = parts->bridge,
                                   .stdio_fd = parts->stdio,
                                   .console_fd = parts->console,
                                   .qmp_fd = parts->qmp,
                                   .binds = binds,
                                   .n_binds = config->n_binds };
  struct zl_vm_command command = { 0 };
  struct zl_proc_options options = { .path = config->qemu, .exec_fd = -1, .bound = true };
  int r;

  memcpy(machine.mac, files->mac, sizeof(machine.mac));
  for (size_t i = 0; i < config->n_binds; i++)
    binds[i] = (struct zl_vm_bind){ .dir_fd = files->bind_fds[i],
                                    .read_only = config->binds[i].read_only };
  r = zl_vm_command_build(&machine, &command, err);
  if (r < 0)
    return r;
  options.argv = (const char *const *)command.argv;
  options.fds = command.fds;
  options.n_fds = command.n_fds;
  r = zl_proc_spawn(&options, &qemu->proc, err);
  zl_vm_command_done(&command);
  return r;
}

/* ---- Events -------------------------------------------------------------------------------- */

/* A guest that QEMU cannot go on with (an emulation failure under KVM) is stopped, not ended. */
static void event(void *ctx, const char *name, const json_t *data)
{
  struct qemu *qemu = ctx;

  (void)data;
  if (qemu->loop == NULL || qemu->stuck == NULL)
    return;
  if (strcmp(name, "GUEST_PANICKED") == 0 || (strcmp(name, "STOP") == 0 && !qemu->stopping))
    qemu->stuck(qemu, name);
}

static void qmp_ready(struct source *source, uint32_t events)
{
  struct qemu *qemu = container_of(source, struct qemu, qmp_source);

  (void)events;
  if (zl_qmp_poll(&qemu->qmp, NULL) < 0)
    loop_remove(qemu->loop, &qemu->qmp_source); /* its death is told by the pidfd */
}

static void reap(struct qemu *qemu)
{
  int status;

  if (qemu->loop != NULL) {
    loop_remove(qemu->loop, &qemu->source);
    loop_remove(qemu->loop, &qemu->qmp_source);
  }
  if (qemu->proc.pidfd >= 0)
    (void)zl_proc_wait(&qemu->proc, &status, NULL);
  zl_qmp_close(&qemu->qmp);
}

static void ended(struct source *source, uint32_t events)
{
  struct qemu *qemu = container_of(source, struct qemu, source);

  (void)events;
  reap(qemu);
  qemu->ended(qemu);
}

/* ---- Interface ----------------------------------------------------------------------------- */

int qemu_start(struct qemu *qemu, const struct machine_config *config, enum zl_vm_start start,
               const struct qemu_files *files, struct qemu_ends *ret, struct patience patience,
               struct zl_error *err)
{
  ZL_CLEANUP(parts_done) struct parts parts = PARTS_INIT;
  struct qemu_ends ends = { -1, -1, -1 };
  int qmp_fd = -1;
  int r = open_parts(config, start, &parts, &ends, &qmp_fd, err);

  if (r == 0)
    r = spawn(qemu, config, start, files, &parts, err);
  if (r == 0) {
    parts_done(&parts); /* or the monitor would never be at its end */
    r = zl_qmp_open(&qemu->qmp, zl_steal_fd(&qmp_fd), event, qemu, patience_end(patience), err);
  }
  zl_fd_closep(&qmp_fd);
  if (r < 0) {
    qemu_destroy(qemu);
    ends_done(&ends);
    return zl_wrap(err, "starting '%s'", config->qemu);
  }
  *ret = ends;
  return 0;
}

int qemu_watch(struct qemu *qemu, struct loop *loop, struct zl_error *err)
{
  int r = loop_add(loop, &qemu->source, qemu->proc.pidfd, EPOLLIN, ended, err);

  qemu->loop = loop;
  return r < 0 ? r : loop_add(loop, &qemu->qmp_source, qemu->qmp.fd, EPOLLIN, qmp_ready, err);
}

bool qemu_is_dead(const struct qemu *qemu, int patience_ms)
{
  struct pollfd fd = { .fd = qemu->proc.pidfd, .events = POLLIN };

  return qemu->proc.pidfd < 0 || poll(&fd, 1, patience_ms) > 0;
}

void qemu_kill(struct qemu *qemu)
{
  if (qemu->proc.pidfd >= 0)
    (void)pidfd_send_signal(qemu->proc.pidfd, SIGKILL, NULL, 0);
}

void qemu_destroy(struct qemu *qemu)
{
  qemu_kill(qemu);
  reap(qemu);
}
