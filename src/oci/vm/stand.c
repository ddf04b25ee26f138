/* SPDX-License-Identifier: Apache-2.0
 *
 * Standing for a process of the machine. What the caller does to this process happens to that one:
 * its streams are relayed, signals passed on, the window's size told; and it ends in the same way.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "engine/child.h"
#include "engine/console.h"
#include "oci/vm/vm.h"
#include "runtime/shim/control.h"
#include "runtime/shim/relay.h"

enum {
  CODE_SIGNAL = 128
};

/* ---- The beginning ------------------------------------------------------------------------- */

static int use_terminal(int slave, struct zl_error *err)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (dup2(slave, fd) < 0)
      return zl_fail_errno(err, "terminal");
  return zl_console_control(slave, err);
}

static int hold_signals(struct oci_vm_stand *stand, struct zl_error *err)
{
  sigset_t all;

  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  stand->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  return stand->signal_fd < 0 ? zl_fail_errno(err, "signals") : 0;
}

int oci_vm_stand_begin(int *keep, size_t n, int terminal, struct oci_vm_stand *stand,
                       struct zl_error *err)
{
  int r = zl_child_begin(keep, n, err);

  if (r == 0)
    r = hold_signals(stand, err);
  if (r == 0 && terminal >= 0)
    r = use_terminal(terminal, err);
  stand->terminal = terminal >= 0;
  return r;
}

int oci_vm_stand_free(struct zl_error *err)
{
  return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ? zl_fail_errno(err, "leaving the parent") : 0;
}

/* ---- Signals ------------------------------------------------------------------------------- */

/* The shim does not answer. */
static void tell_size(const struct oci_vm_stand *stand)
{
  struct winsize size;

  if (!stand->terminal || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ||
      size.ws_col == 0)
    return;
  (void)zl_control_send(stand->control_fd,
                        json_pack("{s:s, s:i, s:i}", "op", "resize", "rows", (int)size.ws_row,
                                  "cols", (int)size.ws_col),
                        NULL, 0, NULL);
}

/* One that cannot be delivered hits nobody, as with a process that has just ended. */
static void pass_on(const struct oci_vm_stand *stand, int signal)
{
  zl_autofd fd = -1;

  if (stand->is_exec)
    (void)zl_control_send(stand->control_fd,
                          json_pack("{s:s, s:i}", "op", "signal", "signal", signal), NULL, 0, NULL);
  else if (zl_control_connect(stand->dir_fd, &fd, NULL) == 0)
    (void)zl_control_call(fd, json_pack("{s:s, s:i}", "op", "kill", "signal", signal), NULL, NULL);
}

/* For zl_shimclient_relay.woken. */
static int take_signal(void *ctx, struct zl_error *err)
{
  const struct oci_vm_stand *stand = ctx;
  struct signalfd_siginfo info;

  (void)err;
  if (read(stand->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
    return 0;
  if (info.ssi_signo == SIGWINCH)
    tell_size(stand);
  else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGPIPE && info.ssi_signo != SIGURG)
    pass_on(stand, (int)info.ssi_signo);
  return 0;
}

/* ---- The end ------------------------------------------------------------------------------- */

__attribute__((noreturn)) static void die_by(int signal)
{
  const struct rlimit none = { 0, 0 };
  sigset_t one;

  (void)setrlimit(RLIMIT_CORE, &none); /* of this process nobody wants one */
  (void)sigemptyset(&one);
  (void)sigaddset(&one, signal);
  (void)kill(getpid(), signal);
  (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
  _exit(CODE_SIGNAL + signal); /* one that does not end a process */
}

__attribute__((noreturn)) static void end_as(const json_t *exit)
{
  int64_t code = 0, signal = 0;
  const char *message = NULL;

  (void)zl_json_get_int(exit, "exit", "exit_code", 0, 255, 0, &code, NULL);
  (void)zl_json_get_int(exit, "exit", "signal", 0, SIGRTMAX, 0, &signal, NULL);
  (void)zl_json_get_string(exit, "exit", "message", &message, NULL);
  if (message != NULL)
    (void)dprintf(STDERR_FILENO, "zlayer-oci-vm: %s\n", message);
  if (signal > 0)
    die_by((int)signal);
  _exit((int)code);
}

void oci_vm_stand(struct oci_vm_stand *stand)
{
  struct zl_shimclient_relay relay = {
    .in = { .from = STDIN_FILENO, .to = stand->in, .close_to = !stand->terminal },
    .out = { .from = stand->out, .to = STDOUT_FILENO },
    .err = { .from = stand->err, .to = STDERR_FILENO },
    .control_fd = stand->control_fd,
    .cancel_fd = stand->signal_fd,
    .woken = take_signal,
    .ctx = stand,
  };
  json_t *exit = NULL;
  struct zl_error err = { 0 };

  if (stand->in < 0)
    relay.in.from = -1;
  tell_size(stand);
  if (zl_shimclient_relay_run(&relay, &exit, &err) == 0)
    end_as(exit);
  /* Somebody has killed the shim, and with it the machine. */
  (void)dprintf(STDERR_FILENO, "zlayer-oci-vm: %s\n", err.msg);
  die_by(SIGKILL);
}
