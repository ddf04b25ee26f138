/* SPDX-License-Identifier: Apache-2.0
 *
 * Child processes by CreateProcess. A child inherits the three handles that it is given and no
 * other; its command line is made for the C runtime's rules.
 */
#include "base/proc.h"

#include <windows.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/win32/handle.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"

enum {
  STREAMS = 3,
  MAX_COMMAND = 32767, /* characters, of CreateProcess */
  KILLED = 137         /* what a child has as its code that we have ended */
};

/* ---- The command line ------------------------------------------------------------------------ */

static int add_backslashes(struct zl_buf *line, size_t n, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < n && r == 0; i++)
    r = zl_buf_append(line, "\\", 1, err);
  return r;
}

/* Between quotes; backslashes count only before one, and then twice. */
static int add_quoted(struct zl_buf *line, const char *word, struct zl_error *err)
{
  int r = zl_buf_append(line, "\"", 1, err);

  while (r == 0 && *word != '\0') {
    const size_t slashes = strspn(word, "\\");

    word += slashes;
    r = add_backslashes(line, *word == '\0' || *word == '"' ? 2 * slashes : slashes, err);
    if (r == 0 && *word == '"')
      r = zl_buf_append(line, "\\", 1, err);
    if (r == 0 && *word != '\0')
      r = zl_buf_append(line, word++, 1, err);
  }
  return r < 0 ? r : zl_buf_append(line, "\"", 1, err);
}

static int command_line(const char *const *argv, wchar_t **ret, struct zl_error *err)
{
  zl_autobuf line = ZL_BUF_INIT(MAX_COMMAND);
  int r = 0;

  for (size_t i = 0; argv[i] != NULL && r == 0; i++) {
    if (i > 0)
      r = zl_buf_append(&line, " ", 1, err);
    if (r == 0)
      r = add_quoted(&line, argv[i], err);
  }
  if (r < 0)
    return zl_wrap(err, "command line");
  *ret = zl_wide_of(line.data);
  return *ret != NULL ? 0 : zl_fail_errno(err, "command line");
}

/* ---- The environment ------------------------------------------------------------------------- */

static bool has_name(const char *const *envp, const char *name)
{
  const size_t len = strlen(name);

  for (size_t i = 0; envp != NULL && envp[i] != NULL; i++)
    if (_strnicmp(envp[i], name, len) == 0 && envp[i][len] == '=')
      return true;
  return false;
}

static int add_variable(struct zl_buf *block, const char *text, struct zl_error *err)
{
  return zl_buf_append(block, text, strlen(text) + 1, err);
}

/* Each text with its NUL, and one NUL more. Programs do not start without SystemRoot. */
static int environment(const char *const *envp, wchar_t **ret, struct zl_error *err)
{
  zl_autobuf block = ZL_BUF_INIT((size_t)1 << 20);
  const char *root = getenv("SystemRoot");
  char text[300];
  int r = 0, n;

  for (size_t i = 0; envp != NULL && envp[i] != NULL && r == 0; i++)
    r = add_variable(&block, envp[i], err);
  if (r == 0 && root != NULL && !has_name(envp, "SystemRoot")) {
    (void)snprintf(text, sizeof(text), "SystemRoot=%s", root);
    r = add_variable(&block, text, err);
  }
  if (r == 0)
    r = zl_buf_append(&block, "", 1, err);
  if (r < 0)
    return zl_wrap(err, "environment");
  *ret = calloc(block.len + 1, sizeof(**ret));
  if (*ret == NULL)
    return zl_fail_nomem(err, "environment");
  n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, block.data, (int)block.len, *ret,
                          (int)block.len);
  return n > 0 ? 0 : zl_fail(err, ZL_E_INVALID, EILSEQ, "environment");
}

/* ---- Handles --------------------------------------------------------------------------------- */

struct launch {
  wchar_t *path, *line, *env;
  HANDLE streams[STREAMS]; /* inheritable copies */
  LPPROC_THREAD_ATTRIBUTE_LIST attributes;
};

static void launch_done(struct launch *l)
{
  free(l->path);
  free(l->line);
  free(l->env);
  for (int i = 0; i < STREAMS; i++)
    zl_nt_closep(&l->streams[i]);
  if (l->attributes != NULL)
    DeleteProcThreadAttributeList(l->attributes);
  free(l->attributes);
}

static int inherit(struct launch *l, int to, int from, struct zl_error *err)
{
  HANDLE handle = zl_handle_of(from);

  if (to < 0 || to >= STREAMS)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "a child on Windows has no descriptor %d", to);
  if (handle == INVALID_HANDLE_VALUE ||
      !DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &l->streams[to], 0, TRUE,
                       DUPLICATE_SAME_ACCESS)) {
    l->streams[to] = NULL;
    return zl_fail(err, ZL_E_SYSTEM, EBADF, "descriptor %d for a child", from);
  }
  return 0;
}

static int take_streams(struct launch *l, const struct zl_proc_options *opt, struct zl_error *err)
{
  zl_autofd null_fd = zl_fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
  int r = null_fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -null_fd, "opening NUL") : 0;

  for (size_t i = 0; i < opt->n_fds && r == 0; i++)
    r = inherit(l, opt->fds[i].to, opt->fds[i].from, err);
  for (int i = 0; i < STREAMS && r == 0; i++)
    if (l->streams[i] == NULL)
      r = inherit(l, i, null_fd, err);
  return r;
}

/* The child inherits these handles, whatever other threads have made inheritable. */
static int only_these(struct launch *l, struct zl_error *err)
{
  SIZE_T size = 0;

  (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  l->attributes = calloc(1, size);
  if (l->attributes == NULL)
    return zl_fail_nomem(err, "starting a process");
  if (InitializeProcThreadAttributeList(l->attributes, 1, 0, &size) &&
      UpdateProcThreadAttribute(l->attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, l->streams,
                                sizeof(l->streams), NULL, NULL))
    return 0;
  return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "handles of a child");
}

/* ---- Bound children -------------------------------------------------------------------------- */

static HANDLE bound_job;
static pthread_once_t job_once = PTHREAD_ONCE_INIT;

/* Its last handle is ours: what is in it ends with us. */
static void make_job(void)
{
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
    .BasicLimitInformation = { .LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE }
  };
  HANDLE job = CreateJobObjectW(NULL, NULL);

  if (job != NULL &&
      SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits)))
    bound_job = job;
}

static int bind_child(HANDLE process, struct zl_error *err)
{
  (void)pthread_once(&job_once, make_job);
  if (bound_job != NULL && AssignProcessToJobObject(bound_job, process))
    return 0;
  return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "binding a child to this process");
}

/* ---- Starting -------------------------------------------------------------------------------- */

static int start_failure(const char *path, struct zl_error *err)
{
  const int os_error = zl_errno_of_last();

  if (os_error == ENOENT)
    return zl_fail(err, ZL_E_NO_COMMAND, os_error, "starting '%s'", path);
  if (os_error == EACCES || os_error == ENOEXEC)
    return zl_fail(err, ZL_E_NOT_EXECUTABLE, os_error, "starting '%s'", path);
  return zl_fail(err, ZL_E_SYSTEM, os_error, "starting '%s'", path);
}

static int start(struct launch *l, const struct zl_proc_options *opt, PROCESS_INFORMATION *ret,
                 struct zl_error *err)
{
  STARTUPINFOEXW info = { .StartupInfo = { .cb = sizeof(info),
                                           .dwFlags = STARTF_USESTDHANDLES,
                                           .hStdInput = l->streams[0],
                                           .hStdOutput = l->streams[1],
                                           .hStdError = l->streams[2] },
                          .lpAttributeList = l->attributes };
  DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_SUSPENDED;

  if (opt->new_session || opt->detached)
    flags |= CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW;
  if (!CreateProcessW(l->path, l->line, NULL, NULL, TRUE, flags, l->env, NULL, &info.StartupInfo,
                      ret))
    return start_failure(opt->path, err);
  return 0;
}

static int let_go(const struct zl_proc_options *opt, PROCESS_INFORMATION *p, struct zl_proc *ret,
                  struct zl_error *err)
{
  int r = opt->bound ? bind_child(p->hProcess, err) : 0;

  if (r == 0 && ResumeThread(p->hThread) == (DWORD)-1)
    r = zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "starting '%s'", opt->path);
  (void)CloseHandle(p->hThread);
  if (r < 0) {
    (void)TerminateProcess(p->hProcess, KILLED);
    (void)CloseHandle(p->hProcess);
    return r;
  }
  ret->pidfd = zl_handle_to_object_fd(p->hProcess);
  ret->pid = (pid_t)p->dwProcessId;
  return ret->pidfd < 0 ? zl_fail_errno(err, "starting '%s'", opt->path) : 0;
}

int zl_proc_spawn(const struct zl_proc_options *opt, struct zl_proc *ret, struct zl_error *err)
{
  ZL_CLEANUP(launch_done) struct launch l = { 0 };
  PROCESS_INFORMATION process;
  int r;

  if (opt->exec_fd >= 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Windows executes no descriptors");
  l.path = zl_wide_of(opt->path);
  if (l.path == NULL)
    return zl_fail_errno(err, "starting '%s'", opt->path);
  r = command_line(opt->argv, &l.line, err);
  if (r == 0)
    r = environment(opt->envp, &l.env, err);
  if (r == 0)
    r = take_streams(&l, opt, err);
  if (r == 0)
    r = only_these(&l, err);
  if (r == 0)
    r = start(&l, opt, &process, err);
  return r < 0 ? r : let_go(opt, &process, ret, err);
}

/* What whoever started us said about Ctrl-C is forgotten. */
void zl_proc_default_signals(void)
{
  (void)SetConsoleCtrlHandler(NULL, FALSE);
}

int zl_proc_wait(struct zl_proc *proc, int *ret_status, struct zl_error *err)
{
  HANDLE handle = zl_handle_of(proc->pidfd);
  DWORD code = 0;
  bool ok = handle != INVALID_HANDLE_VALUE &&
            WaitForSingleObject(handle, INFINITE) == WAIT_OBJECT_0 &&
            GetExitCodeProcess(handle, &code);
  int os_error = ok ? 0 : zl_errno_of_last();

  zl_fd_closep(&proc->pidfd);
  if (!ok)
    return zl_fail(err, ZL_E_SYSTEM, os_error, "waiting for process %d", (int)proc->pid);
  *ret_status = (int)code;
  return 0;
}

void zl_proc_kill(struct zl_proc *proc)
{
  int status;

  if (proc->pidfd < 0)
    return;
  (void)TerminateProcess(zl_handle_of(proc->pidfd), KILLED);
  (void)zl_proc_wait(proc, &status, NULL);
}

_Noreturn void zl_proc_die(void)
{
  (void)TerminateProcess(GetCurrentProcess(), KILLED);
  _exit(KILLED);
}

int zl_proc_start_time(pid_t pid, uint64_t *ret_ticks, struct zl_error *err)
{
  zl_autohandle process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
  FILETIME start, end, kernel, user;

  if (process == NULL && GetLastError() == ERROR_INVALID_PARAMETER)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no process %d", (int)pid);
  if (process == NULL || !GetProcessTimes(process, &start, &end, &kernel, &user))
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "process %d", (int)pid);
  *ret_ticks = ((uint64_t)start.dwHighDateTime << 32) | start.dwLowDateTime;
  return 0;
}
