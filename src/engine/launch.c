/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "engine/console.h"
#include "engine/execve.h"
#include "engine/hooks.h"

enum {
  DEFAULT_UMASK = 0022,
  NULL_MAJOR = 1,
  NULL_MINOR = 3
};

/* ---- Preparation --------------------------------------------------------------------------- */

static int take_ids(struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_process *p = launch->process;
  struct zl_user *user = &launch->user;

  user->uid = p->uid;
  user->gid = p->gid;
  if (p->n_gids > 0) {
    user->gids = calloc(p->n_gids, sizeof(*user->gids));
    if (user->gids == NULL)
      return zl_fail_nomem(err, "groups");
    memcpy(user->gids, p->gids, p->n_gids * sizeof(*user->gids));
    user->n_gids = p->n_gids;
  }
  return zl_user_home(launch->root_fd, p->uid, &user->home, err);
}

static int find_user(struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_process *p = launch->process;

  if (p->user == NULL)
    return take_ids(launch, err);
  return zl_user_resolve(launch->root_fd, p->user, (const char *const *)p->extra_groups,
                         &launch->user, err);
}

/* A WORKDIR that no layer has is made, as everybody expects by now. */
static int open_cwd(struct zl_launch *launch, struct zl_error *err)
{
  const char *cwd = launch->process->cwd;

  launch->cwd_fd = zl_path_mkdirs_in_root(launch->root_fd, cwd, 0755);
  if (launch->cwd_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -launch->cwd_fd, "working directory '%s'", cwd);
  return 0;
}

static bool has_name(const char *variable, const char *name, size_t len)
{
  return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static bool is_given_again(char *const *rest, const char *variable)
{
  size_t len = strcspn(variable, "=");

  for (; *rest != NULL; rest++)
    if (has_name(*rest, variable, len))
      return true;
  return false;
}

/* The last one of a name counts, as in a shell; programs differ in which of two they would see. An
 * empty HOME means that nobody knew it. */
static int take_env(struct zl_launch *launch, struct zl_error *err)
{
  char *const *env = launch->process->env;
  size_t n = 0;

  launch->env = calloc(zl_strv_len((const char *const *)env) + 1, sizeof(*launch->env));
  if (launch->env == NULL)
    return zl_fail_nomem(err, "environment");
  for (; *env != NULL; env++) {
    if (is_given_again(env + 1, *env) || strcmp(*env, "HOME=") == 0)
      continue;
    launch->env[n] = strdup(*env);
    if (launch->env[n++] == NULL)
      return zl_fail_nomem(err, "environment");
  }
  return 0;
}

static int add_default(struct zl_launch *launch, const char *name, const char *value,
                       struct zl_error *err)
{
  zl_autofree char *text = NULL;

  if (zl_env_get(launch->env, name) != NULL)
    return 0;
  text = zl_asprintf("%s=%s", name, value);
  return text == NULL ? zl_fail_nomem(err, "environment") : zl_strv_push(&launch->env, text, err);
}

int zl_launch_prepare(struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_process *p = launch->process;
  int r;

  launch->cwd_fd = -1;
  r = find_user(launch, err);
  if (r == 0)
    r = open_cwd(launch, err);
  if (r == 0)
    r = take_env(launch, err);
  if (r == 0)
    r = add_default(launch, "HOME", launch->user.home, err);
  if (r == 0 && p->terminal)
    r = add_default(launch, "TERM", "xterm", err);
  return r;
}

void zl_launch_done(struct zl_launch *launch)
{
  zl_user_done(&launch->user);
  zl_fd_closep(&launch->cwd_fd);
  zl_strv_free(launch->env);
  launch->env = NULL;
}

/* ---- Streams ------------------------------------------------------------------------------- */

static int open_null(int root_fd, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = zl_path_open_in_root(root_fd, "/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
  struct stat st;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "the container's /dev/null");
  if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(NULL_MAJOR, NULL_MINOR))
    return zl_fail(err, ZL_E_INVALID, 0, "the container's /dev/null is not the null device");
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

/* A program that opens /dev/stdout anew needs to own the pipe behind it. Where the pipe's owner is
 * not mapped into the user namespace (EINVAL, EPERM) this cannot be had. */
static int give_pipe(int fd, uid_t uid, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "standard streams");
  if (!(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) || st.st_uid == uid)
    return 0;
  if (fchown(fd, uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
    return zl_fail_errno(err, "giving the standard streams to user %u", uid);
  return 0;
}

/* All sources are moved out of 0..2 first, so that no dup3 overwrites one that is still needed. */
static int place_stdio(struct zl_launch *launch, struct zl_error *err)
{
  zl_autofd null_fd = -1;
  int from[3];

  for (int i = 0; i < 3; i++) {
    int fd = launch->stdio[i];

    if (fd < 0 && null_fd < 0 && open_null(launch->root_fd, &null_fd, err) < 0)
      return zl_wrap(err, "standard streams");
    from[i] = fcntl(fd < 0 ? null_fd : fd, F_DUPFD_CLOEXEC, 3);
    if (from[i] < 0)
      return zl_fail_errno(err, "standard streams");
    if (!launch->process->terminal && give_pipe(from[i], launch->user.uid, err) < 0)
      return -(int)err->code;
  }
  for (int i = 0; i < 3; i++)
    if (dup3(from[i], i, 0) < 0)
      return zl_fail_errno(err, "standard streams");
  return launch->process->terminal ? zl_console_control(0, err) : 0;
}

/* ---- Privileges ---------------------------------------------------------------------------- */

/* Raw calls: glibc's would have to synchronise threads, and there is one only. */
static int change_user(const struct zl_user *user, struct zl_error *err)
{
  if (syscall(SYS_setgroups, user->n_gids, user->gids) < 0)
    return zl_fail_errno(err, "setting %zu supplementary groups", user->n_gids);
  if (syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0)
    return zl_fail_errno(err, "changing to group %u", user->gid);
  if (syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
    return zl_fail_errno(err, "changing to user %u", user->uid);
  return 0;
}

/* With our own privileges first: one that its user may not enter is as good as any. Where a file
 * system refuses its own root, the user's count. */
static bool enter_cwd_early(const struct zl_launch *launch)
{
  return fchdir(launch->cwd_fd) == 0;
}

/* CVE-2024-21626: a working directory outside the root gave the host away. The descriptor was found
 * inside the root, so this can only fail if the directory was moved since. */
static int enter_cwd(const struct zl_launch *launch, bool is_there, struct zl_error *err)
{
  ZL_UNCLEARED char text[4096];

  if (!is_there && fchdir(launch->cwd_fd) < 0)
    return zl_fail_errno(err, "working directory '%s'", launch->process->cwd);
  if (syscall(SYS_getcwd, text, sizeof(text)) < 0 || text[0] != '/')
    return zl_fail(err, ZL_E_INVALID, 0, "working directory '%s' is not inside the container",
                   launch->process->cwd);
  return 0;
}

static int install_filter(const struct zl_launch *launch, struct zl_error *err)
{
  int listener = -1, r;

  if (launch->filter == NULL)
    return 0;
  if (launch->listener != NULL && launch->listener->sock >= 0)
    return zl_listener_install(launch->listener, launch->filter, err);
  r = zl_seccomp_install(launch->filter, &listener, err);
  zl_fd_closep(&listener);
  return r;
}

/* Without no_new_privs a filter needs CAP_SYS_ADMIN, so it comes before the privileges go. */
static int drop_privileges(const struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_process *p = launch->process;
  bool is_there = enter_cwd_early(launch);
  int r = zl_caps_limit(&p->caps, err);

  if (r == 0 && !p->no_new_privileges)
    r = install_filter(launch, err);
  if (r == 0)
    r = change_user(&launch->user, err);
  if (r == 0)
    r = zl_caps_apply(&p->caps, err);
  if (r == 0)
    r = enter_cwd(launch, is_there, err);
  if (r == 0 && p->no_new_privileges) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
      return zl_fail_errno(err, "no_new_privs");
    r = install_filter(launch, err);
  }
  return r;
}

static void unblock_signals(void)
{
  sigset_t none;

  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int run_start_hooks(const struct zl_launch *launch, struct zl_error *err)
{
  const struct sigaction dfl = { .sa_handler = SIG_DFL };

  if (launch->config->hooks[ZL_HOOK_START_CONTAINER].n == 0)
    return 0;
  (void)sigaction(SIGCHLD, &dfl, NULL); /* zl_listener_install waits for nobody */
  return zl_hooks_run_phase(launch->config, ZL_HOOK_START_CONTAINER, launch->state_json, "created",
                            getpid(), err);
}

int zl_launch_exec(struct zl_launch *launch, struct zl_error *err)
{
  const struct zl_process *p = launch->process;
  int r;

  r = place_stdio(launch, err);
  if (r == 0 && launch->config->has_personality && personality(launch->config->personality) < 0)
    r = zl_fail_errno(err, "personality");
  if (r == 0)
    r = zl_schedule_apply(&p->scheduler, p->io_priority, err);
  if (r == 0)
    r = zl_memory_policy_apply(&launch->config->memory_policy, err);
  if (r == 0)
    r = zl_rlimits_apply(0, p->rlimits, p->n_rlimits, err);
  if (r < 0)
    return r;
  (void)umask(p->has_umask ? p->umask : DEFAULT_UMASK);
  unblock_signals();
  /* Whatever was missed above, by us or by who started us, does not reach the program. */
  if (close_range(3 + launch->preserved_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return zl_fail_errno(err, "marking descriptors");
  r = drop_privileges(launch, err);
  if (r < 0)
    return r;
  /* Both were reset by the kernel when the ids changed. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
      prctl(PR_SET_PDEATHSIG, launch->is_free ? 0 : SIGKILL, 0, 0, 0) < 0)
    return zl_fail_errno(err, "binding the process to its parent");
  if (launch->is_init)
    r = run_start_hooks(launch, err);
  return r < 0 ? r : zl_execve(p->args, launch->env, err);
}
