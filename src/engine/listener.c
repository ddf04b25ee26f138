/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/listener.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/state.h"

enum {
  NOT_YET = -1,
  NEVER = -2, /* the filter could not be installed */
  SEND_TIMEOUT_S = 10,
  POLL_NS = 100000,
  MOMENT = 500000 /* turns of an empty loop: about a millisecond */
};

/* Between the process and its helper. */
struct shared {
  atomic_int fd;     /* the notify descriptor, NOT_YET or NEVER */
  atomic_int result; /* 0: not sent yet; 1: sent; negative: -errno */
};

/* ---- The other end ------------------------------------------------------------------------- */

static int connect_to(const char *path, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
  zl_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return zl_fail_errno(err, "socket");
  if (strlen(path) >= sizeof(address.sun_path))
    return zl_fail(err, ZL_E_INVALID, 0, "linux.seccomp.listenerPath: '%.120s' is too long", path);
  (void)stpcpy(address.sun_path, path);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
      connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(
        err, "linux.seccomp.listenerPath: failed to connect with seccomp agent '%s'", path);
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int zl_listener_open(const struct zl_seccomp_profile *profile,
                     const struct zl_seccomp_filter *filter, const char *state,
                     struct zl_listener *ret, struct zl_error *err)
{
  *ret = (struct zl_listener)ZL_LISTENER_INIT;
  if (profile == NULL || !(filter->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
    return 0;
  /* Without such an action it is a courtesy, and nobody need be there. */
  if (!zl_seccomp_notifies(profile)) {
    if (state != NULL)
      (void)connect_to(profile->listener_path, &ret->sock, NULL);
    return 0;
  }
  if (profile->listener_path == NULL || *profile->listener_path == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
  if (state == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "linux.seccomp.listenerPath: not in this container");
  return connect_to(profile->listener_path, &ret->sock, err);
}

/* As the host's /proc names us: getpid(2) has the number of our own namespace. */
static int own_pid(pid_t *ret, struct zl_error *err)
{
  char text[24];
  ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

  if (n <= 0)
    return zl_fail_errno(err, "/proc/self");
  text[n] = '\0';
  *ret = (pid_t)strtol(text, NULL, 10);
  return 0;
}

int zl_listener_describe(struct zl_listener *listener, const struct zl_seccomp_profile *profile,
                         const char *state, pid_t pid, pid_t init_pid, struct zl_error *err)
{
  zl_autojson *doc = NULL, *message = NULL;
  const char *version = NULL;
  int r = 0;

  if (listener->sock < 0)
    return 0;
  if (pid == 0)
    r = own_pid(&pid, err);
  if (r == 0)
    r = zl_state_parse(state, init_pid > 0 ? "running" : "creating", init_pid > 0 ? init_pid : pid,
                       &doc, err);
  if (r == 0)
    r = zl_json_get_string(doc, "state", "ociVersion", &version, err);
  if (r < 0)
    return r;
  message =
      json_pack("{s:s, s:[s], s:i, s:s, s:O}", "ociVersion", version != NULL ? version : "1.2.0",
                "fds", "seccompFd", "pid", (int)pid, "metadata",
                profile->listener_metadata != NULL ? profile->listener_metadata : "", "state", doc);
  return message == NULL ? zl_fail_nomem(err, "state")
                         : zl_json_render(message, &listener->message, err);
}

void zl_listener_done(struct zl_listener *listener)
{
  zl_fd_closep(&listener->sock);
  free(listener->message);
  listener->message = NULL;
}

/* ---- Sending ------------------------------------------------------------------------------- */

static int send_all(const struct zl_listener *listener, int fd)
{
  size_t len = strlen(listener->message);
  ssize_t n = zl_fd_send(listener->sock, listener->message, len, &fd, 1);

  if (n < 0)
    return (int)n;
  return (size_t)n < len ? zl_fd_write_full(listener->sock, listener->message + n, len - (size_t)n)
                         : 0;
}

/* Was born before the filter and so is free of it. Both descriptors go from the shared table: with
 * the last notify descriptor closed, calls fail instead of waiting for nobody. */
_Noreturn static void helper_main(const struct zl_listener *listener, struct shared *shared)
{
  const struct timespec pause = { .tv_nsec = POLL_NS };
  int fd, r;

  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  while ((fd = atomic_load(&shared->fd)) == NOT_YET)
    (void)nanosleep(&pause, NULL);
  if (fd == NEVER)
    _exit(0);
  r = send_all(listener, fd);
  (void)close(fd);
  atomic_store(&shared->result, r < 0 ? r : 1);
  _exit(0);
}

static pid_t start_helper(void)
{
  /* It must leave no zombie to a program that does not know of it, nor be waited for with a call
   * that the filter may stop. The flag is gone with the exec. */
  const struct sigaction no_zombies = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

  if (sigaction(SIGCHLD, &no_zombies, NULL) < 0)
    return -1;
  return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

/* Without a system call: the clock is read from the vDSO. (Where it is not, the filter may answer
 * with an error, and the time stands still: the helper is bound by its socket's timeout.) It gets a
 * moment more to end, while its end still leaves nothing behind. */
static int spin(const struct shared *shared)
{
  const uint64_t deadline = zl_time_boot() + 2 * ZL_NS_PER_S * SEND_TIMEOUT_S;
  int result;

  while ((result = atomic_load(&shared->result)) == 0)
    if (zl_time_boot() > deadline)
      return -ETIMEDOUT;
  for (volatile unsigned turns = 0; turns < MOMENT; turns++)
    continue;
  return result < 0 ? result : 0;
}

int zl_listener_install(const struct zl_listener *listener, const struct zl_seccomp_filter *filter,
                        struct zl_error *err)
{
  struct shared *shared =
      mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t helper;
  int fd = -1, r;

  if (shared == MAP_FAILED)
    return zl_fail_errno(err, "memory of the listener's helper");
  atomic_init(&shared->fd, NOT_YET);
  helper = start_helper();
  if (helper < 0)
    return zl_fail_errno(err, "starting the listener's helper");
  if (helper == 0)
    helper_main(listener, shared);
  r = zl_seccomp_install(filter, &fd, err);
  atomic_store(&shared->fd, r < 0 ? NEVER : fd);
  if (r < 0)
    return r;
  r = spin(shared);
  return r < 0 ? zl_fail(err, ZL_E_REMOTE, -r, "linux.seccomp.listenerPath: sending") : 0;
}
