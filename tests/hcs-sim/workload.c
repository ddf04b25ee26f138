/* SPDX-License-Identifier: Apache-2.0
 *
 * Workloads: real processes in a system's job, with pipes for what they read and write.
 */
#include "machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  EVENT_PROCESS_EXITED = 0x00010000,
  PIPE_SIZE = 1 << 16
};

#define CONSOLE_EXIT UINT32_C(0xc000013a) /* STATUS_CONTROL_C_EXIT */

/* ---- Names inside ---------------------------------------------------------------------------- */

static char *under_root(const struct system *system, const char *inside)
{
  const char *rest = strlen(inside) > 3 ? inside + 3 : "";
  const json_t *root;
  size_t i;

  if (tolower((unsigned char)inside[0]) != 'c' || strncmp(inside + 1, ":\\", 2) != 0)
    return NULL;
  json_array_foreach (system->root, i, root) {
    char *path = sim_join(json_string_value(root), rest);

    if (sim_exists(path))
      return path;
    free(path);
  }
  return NULL;
}

/* What a container's path is on the host, or NULL. */
static char *outside(const struct system *system, const char *inside)
{
  char *key = sim_path_key(inside), *found = NULL;
  const json_t *bind;
  size_t i;

  json_array_foreach (system->binds, i, bind) {
    char *at = sim_path_key(sim_text(bind, "inside"));

    if (found == NULL && sim_path_under(key, at))
      found = sim_format("%s%s", sim_text(bind, "outside"), inside + strlen(at));
    free(at);
  }
  if (found == NULL)
    found = under_root(system, inside);
  free(key);
  return found;
}

/* The program of a command line when it has a path of the container's own: its host path. */
static char *own_program(const struct system *system, const char *command)
{
  bool quoted = command[0] == '"';
  const char *start = command + quoted;
  size_t len = strcspn(start, quoted ? "\"" : " ");
  char *word = sim_alloc(len + 1), *found = NULL;

  memcpy(word, start, len);
  if (len > 2 && word[1] == ':' && !sim_exists(word))
    found = outside(system, word);
  free(word);
  return found;
}

/* ---- Environment ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
  return _wcsicmp(*(wchar_t *const *)a, *(wchar_t *const *)b);
}

static const char path[] = "C:\\windows\\system32;C:\\windows";

static bool is_set(const json_t *own, const char *entry)
{
  size_t len = strcspn(entry + 1, "=") + 1;
  const char *key;
  const json_t *value;

  if (strncmp(entry, "HCS_SIM_", 8) == 0 || strncmp(entry, "WINEPATH=", 9) == 0)
    return true;
  json_object_foreach ((json_t *)(uintptr_t)own, key, value)
    if (strlen(key) == len && _strnicmp(key, entry, len) == 0)
      return true;
  return false;
}

/* Ours, which Wine needs, over it what the workload is given, and a PATH as in a container. `own`
 * is what it sees (sight.c). */
static wchar_t *environment(const json_t *given, json_t *own)
{
  wchar_t *mine = GetEnvironmentStringsW(), *block, *at, **entries = NULL;
  size_t count = 0, size = 1;
  const char *key;
  const json_t *value;

  (void)json_object_update_missing(own, (json_t *)(uintptr_t)given);
  if (!is_set(own, "PATH="))
    (void)json_object_set_new(own, "PATH", json_string(path));
  for (wchar_t *e = mine; *e != L'\0'; e += wcslen(e) + 1)
    count++;
  entries = sim_alloc((count + json_object_size(own) + 1) * sizeof(*entries));
  count = 0;
  for (wchar_t *e = mine; *e != L'\0'; e += wcslen(e) + 1) {
    char *text = sim_narrow(e);

    if (!is_set(own, text))
      entries[count++] = sim_wide(text);
    free(text);
  }
  json_object_foreach ((json_t *)(uintptr_t)own, key, value) {
    char *text = sim_format("%s=%s", key, json_string_value(value));

    if (json_string_length(value) > 0)
      entries[count++] = sim_wide(text);
    free(text);
  }
  (void)FreeEnvironmentStringsW(mine);
  qsort(entries, count, sizeof(*entries), compare);
  for (size_t i = 0; i < count; i++)
    size += wcslen(entries[i]) + 1;
  at = block = sim_alloc((size + 1) * sizeof(*block));
  for (size_t i = 0; i < count; i++) {
    wcscpy(at, entries[i]);
    at += wcslen(at) + 1;
    free(entries[i]);
  }
  free(entries);
  json_decref(own);
  return block;
}

/* ---- Pipes ----------------------------------------------------------------------------------- */

/* `theirs` stays NULL when the pipe is not wanted. */
static bool make_pipe(bool wanted, bool they_read, bool overlapped, HANDLE *ours, HANDLE *theirs)
{
  static unsigned count;
  SECURITY_ATTRIBUTES inherit = { .nLength = sizeof(inherit), .bInheritHandle = TRUE };
  char name[96];

  if (!wanted)
    return true;
  (void)snprintf(name, sizeof(name), "\\\\.\\pipe\\hcs-sim-io-%lu-%u", GetCurrentProcessId(),
                 ++count);
  *ours = CreateNamedPipeA(name,
                           (they_read ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND) |
                               (overlapped ? FILE_FLAG_OVERLAPPED : 0),
                           PIPE_TYPE_BYTE | PIPE_WAIT, 1, PIPE_SIZE, PIPE_SIZE, 0, NULL);
  if (*ours == INVALID_HANDLE_VALUE)
    return false;
  *theirs = CreateFileA(name, they_read ? GENERIC_READ : GENERIC_WRITE, 0, &inherit, OPEN_EXISTING,
                        0, NULL);
  return *theirs != INVALID_HANDLE_VALUE;
}

static HANDLE nothing(bool they_read)
{
  SECURITY_ATTRIBUTES inherit = { .nLength = sizeof(inherit), .bInheritHandle = TRUE };

  return CreateFileA("NUL", they_read ? GENERIC_READ : GENERIC_WRITE,
                     FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit, OPEN_EXISTING, 0, NULL);
}

static bool make_pipes(struct process *process, const json_t *parameters, bool overlapped,
                       STARTUPINFOW *startup)
{
  bool in = json_is_true(json_object_get(parameters, "CreateStdInPipe"));
  bool out = json_is_true(json_object_get(parameters, "CreateStdOutPipe"));
  bool err = json_is_true(json_object_get(parameters, "CreateStdErrPipe"));
  bool good = make_pipe(in, true, overlapped, &process->in, &startup->hStdInput) &&
              make_pipe(out, false, overlapped, &process->out, &startup->hStdOutput) &&
              make_pipe(err, false, overlapped, &process->err, &startup->hStdError);

  if (!in)
    startup->hStdInput = nothing(true);
  if (!out)
    startup->hStdOutput = nothing(false);
  if (!err && process->console && out)
    (void)DuplicateHandle(GetCurrentProcess(), startup->hStdOutput, GetCurrentProcess(),
                          &startup->hStdError, 0, TRUE, DUPLICATE_SAME_ACCESS);
  else if (!err)
    startup->hStdError = nothing(false);
  return good;
}

/* ---- The process ----------------------------------------------------------------------------- */

json_t *sim_process_status(const struct process *process)
{
  return json_pack("{s:I,s:b,s:I,s:i}", "ProcessId", (json_int_t)process->pid, "Exited",
                   (int)process->exited, "ExitCode", (json_int_t)process->exit_code,
                   "LastWaitResult", 0);
}

static DWORD WINAPI watch(void *ctx)
{
  struct process *process = ctx;
  DWORD code = 0;

  (void)WaitForSingleObject(process->handle, INFINITE);
  (void)GetExitCodeProcess(process->handle, &code);
  sim_lock();
  process->exit_code = code;
  process->exited = true;
  for (struct handle *h = machine.handles; h != NULL; h = h->next)
    if (h->kind == PROCESS && h->process == process && !h->dead && !process->lost)
      sim_event(h, EVENT_PROCESS_EXITED, sim_process_status(process));
  sim_changed();
  sim_unlock();
  return 0;
}

static BOOL create(const struct system *system, const json_t *parameters, const char *directory,
                   STARTUPINFOW *startup, PROCESS_INFORMATION *info)
{
  const char *command = sim_text(parameters, "CommandLine");
  char *program = own_program(system, command);
  wchar_t *wide_program = sim_wide(program), *wide_command = sim_wide(command);
  wchar_t *wide_directory = sim_wide(directory);
  wchar_t *block =
      environment(json_object_get(parameters, "Environment"), sim_sight(system, parameters));
  BOOL good = CreateProcessW(wide_program, wide_command, NULL, NULL, TRUE,
                             CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT, block, wide_directory,
                             startup, info);
  DWORD code = GetLastError();

  free(block);
  free(wide_directory);
  free(wide_command);
  free(wide_program);
  free(program);
  SetLastError(code);
  return good;
}

static uint32_t launch(struct call *call, struct process *process, const char *directory,
                       bool overlapped)
{
  STARTUPINFOW startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
  PROCESS_INFORMATION info;
  bool good = make_pipes(process, process->parameters, overlapped, &startup);
  DWORD code = GetLastError();

  if (good) {
    good = create(process->system, process->parameters, directory, &startup, &info);
    code = GetLastError();
  }
  (void)CloseHandle(startup.hStdInput);
  (void)CloseHandle(startup.hStdOutput);
  (void)CloseHandle(startup.hStdError);
  if (!good) {
    sim_process_close(process, "All");
    return sim_refuse(call, UINT32_C(0x80070000) | code, "CreateProcess", "'%s': error %lu",
                      process->command, code);
  }
  process->pid = info.dwProcessId;
  process->handle = info.hProcess;
  (void)AssignProcessToJobObject(process->system->job, info.hProcess);
  (void)ResumeThread(info.hThread);
  (void)CloseHandle(info.hThread);
  return 0;
}

/* Accounts that every image has. */
static bool knows_user(const char *user)
{
  return user[0] == '\0' || _stricmp(user, "ContainerUser") == 0 ||
         _stricmp(user, "ContainerAdministrator") == 0;
}

static uint32_t check(struct call *call, const json_t *parameters)
{
  char why[512];

  if (!sim_strict(parameters, "ProcessParameters", why, sizeof(why)))
    return sim_refuse(call, HCS_JSON, "CreateProcess", "%s", why);
  if (sim_text(parameters, "CommandLine")[0] == '\0')
    return sim_refuse(call, HR_CONSTRUCT, "CreateProcess", "$.CommandLine: missing");
  if (json_object_get(parameters, "CommandArgs") != NULL)
    return sim_refuse(call, HR_CONSTRUCT, "CreateProcess", "$.CommandArgs: not on Windows");
  if (json_is_true(json_object_get(parameters, "EmulateConsole")) &&
      json_is_true(json_object_get(parameters, "CreateStdErrPipe")))
    return sim_refuse(call, HR_CONSTRUCT, "CreateProcess", "$.CreateStdErrPipe: with a console");
  if (!knows_user(sim_text(parameters, "User")))
    return sim_refuse(call, HR_LOGON, "CreateProcess", "$.User: no '%s'",
                      sim_text(parameters, "User"));
  return 0;
}

uint32_t sim_spawn(struct call *call, struct system *system, json_t *parameters, bool overlapped,
                   struct process **ret)
{
  const char *given = sim_text(parameters, "WorkingDirectory");
  uint32_t hr = check(call, parameters);
  struct process *process;
  char *directory = NULL;

  if (hr != 0)
    return hr;
  if (given[0] != '\0' && (directory = outside(system, given)) == NULL)
    return sim_refuse(call, HR_DIRECTORY, "CreateProcess", "$.WorkingDirectory: no '%s'", given);
  process = sim_alloc(sizeof(*process));
  process->system = system;
  process->parameters = json_incref(parameters);
  process->command = sim_copy(sim_text(parameters, "CommandLine"));
  process->console = json_is_true(json_object_get(parameters, "EmulateConsole"));
  process->ignores =
      sim_host_number("ignore") != 0 ||
      json_object_get(json_object_get(parameters, "Environment"), "IGNORE_CONSOLE_EVENTS") != NULL;
  process->created = sim_filetime();
  hr = launch(call, process, directory, overlapped);
  free(directory);
  if (hr != 0)
    return hr;
  process->next = system->processes;
  system->processes = process;
  sim_start_thread(watch, process);
  *ret = process;
  return 0;
}

void sim_signal(struct process *process, const char *name)
{
  sim_log("%s to %lu%s", name, process->pid, process->ignores ? ", which ignores it" : "");
  if (!process->ignores && !process->exited)
    (void)TerminateProcess(process->handle, CONSOLE_EXIT);
}

struct process *sim_process_find(const struct system *system, DWORD pid)
{
  for (struct process *p = system->processes; p != NULL; p = p->next)
    if (p->pid == pid)
      return p;
  return NULL;
}

/* What was written is read first: only then does the reader see the end. */
static DWORD WINAPI close_input(void *ctx)
{
  HANDLE pipe = ctx;

  (void)FlushFileBuffers(pipe);
  (void)DisconnectNamedPipe(pipe);
  (void)CloseHandle(pipe);
  return 0;
}

void sim_process_close(struct process *process, const char *which)
{
  bool all = strcmp(which, "All") == 0;

  if ((all || strcmp(which, "StdIn") == 0) && process->in != NULL) {
    sim_start_thread(close_input, process->in);
    process->in = NULL;
  }
  if ((all || strcmp(which, "StdOut") == 0) && process->out != NULL) {
    (void)CloseHandle(process->out);
    process->out = NULL;
  }
  if ((all || strcmp(which, "StdErr") == 0) && process->err != NULL) {
    (void)CloseHandle(process->err);
    process->err = NULL;
  }
}
