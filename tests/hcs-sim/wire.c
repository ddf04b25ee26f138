/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
  START_MS = 60000
};

char *sim_object_name(const char *prefix, const char *suffix)
{
  char *dir = sim_env("HCS_SIM_DIR"), *key, *name;

  if (dir == NULL) {
    (void)fprintf(stderr, "hcs-sim: HCS_SIM_DIR is not set\n");
    abort();
  }
  key = sim_path_key(dir);
  name = sim_format("%shcs-sim-%016llx%s", prefix, (unsigned long long)sim_hash(key), suffix);
  free(dir);
  free(key);
  return name;
}

static bool put(HANDLE pipe, const void *data, size_t size)
{
  const char *at = data;

  while (size > 0) {
    DWORD done = 0;

    if (!WriteFile(pipe, at, (DWORD)size, &done, NULL) || done == 0)
      return false;
    at += done;
    size -= done;
  }
  return true;
}

static bool get(HANDLE pipe, void *data, size_t size)
{
  char *at = data;

  while (size > 0) {
    DWORD done = 0;

    if (!ReadFile(pipe, at, (DWORD)size, &done, NULL) || done == 0)
      return false;
    at += done;
    size -= done;
  }
  return true;
}

bool sim_send(HANDLE pipe, const json_t *message)
{
  char *text = json_dumps(message, JSON_COMPACT);
  uint32_t size = text == NULL ? 0 : (uint32_t)strlen(text);
  bool good = size > 0 && size <= SIM_MAX_MESSAGE && put(pipe, &size, sizeof(size)) &&
              put(pipe, text, size);

  free(text);
  return good;
}

json_t *sim_receive(HANDLE pipe)
{
  json_t *message = NULL;
  uint32_t size;
  char *text;

  if (!get(pipe, &size, sizeof(size)) || size > SIM_MAX_MESSAGE)
    return NULL;
  text = sim_alloc((size_t)size + 1);
  if (get(pipe, text, size))
    message = json_loadb(text, size, 0, NULL);
  free(text);
  return message;
}

/* INVALID_HANDLE_VALUE: there is no server. */
static HANDLE dial(void)
{
  char *name = sim_object_name("\\\\.\\pipe\\", "");
  wchar_t *wide = sim_wide(name);
  HANDLE pipe;

  for (;;) {
    pipe = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY)
      break;
    (void)WaitNamedPipeW(wide, 1000);
  }
  free(wide);
  free(name);
  return pipe;
}

static wchar_t *server_path(HMODULE module)
{
  char *given = sim_env("HCS_SIM_SERVER"), *path;
  wchar_t place[1024], *wide;
  DWORD len;

  if (given != NULL) {
    wide = sim_wide(given);
    free(given);
    return wide;
  }
  len = GetModuleFileNameW(module, place, 1000);
  while (len > 0 && place[len - 1] != L'\\')
    len--;
  place[len] = L'\0';
  path = sim_narrow(place);
  given = sim_format("%shcs-sim.exe", path);
  wide = sim_wide(given);
  free(given);
  free(path);
  return wide;
}

/* Without any of our handles: what reads our output must not wait for the server's end. */
static bool launch(HMODULE module, HANDLE ready)
{
  STARTUPINFOW startup = { .cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES };
  wchar_t *path = server_path(module);
  PROCESS_INFORMATION process;
  HANDLE either[2] = { ready };
  bool good;

  startup.hStdInput = startup.hStdOutput = startup.hStdError = INVALID_HANDLE_VALUE;
  good = CreateProcessW(path, NULL, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, NULL, &startup,
                        &process);
  if (!good)
    (void)fprintf(stderr, "hcs-sim: starting %ls: error %lu\n", path, GetLastError());
  free(path);
  if (!good)
    return false;
  either[1] = process.hProcess;
  good = WaitForMultipleObjects(2, either, FALSE, START_MS) == WAIT_OBJECT_0;
  if (!good)
    (void)fprintf(stderr, "hcs-sim: the server did not start: see server.log in HCS_SIM_DIR\n");
  (void)CloseHandle(process.hThread);
  (void)CloseHandle(process.hProcess);
  return good;
}

static HANDLE dial_or_launch(HMODULE module)
{
  char *lock_name = sim_object_name("", "-start"), *ready_name = sim_object_name("", "-ready");
  HANDLE lock = CreateMutexA(NULL, FALSE, lock_name);
  HANDLE ready = CreateEventA(NULL, TRUE, FALSE, ready_name);
  HANDLE pipe = INVALID_HANDLE_VALUE;

  (void)WaitForSingleObject(lock, START_MS);
  pipe = dial();
  if (pipe == INVALID_HANDLE_VALUE) {
    (void)ResetEvent(ready);
    if (launch(module, ready))
      pipe = dial();
  }
  (void)ReleaseMutex(lock);
  (void)CloseHandle(lock);
  (void)CloseHandle(ready);
  free(lock_name);
  free(ready_name);
  return pipe;
}

static json_t *converse(HANDLE pipe, const json_t *request)
{
  json_t *answer = NULL;

  if (sim_send(pipe, request))
    answer = sim_receive(pipe);
  (void)CloseHandle(pipe);
  return answer;
}

json_t *sim_ask(HMODULE module, json_t *request)
{
  HANDLE pipe = dial();
  json_t *answer = NULL;

  if (pipe == INVALID_HANDLE_VALUE)
    pipe = dial_or_launch(module);
  if (pipe != INVALID_HANDLE_VALUE)
    answer = converse(pipe, request);
  if (answer == NULL)
    (void)fprintf(stderr, "hcs-sim: no answer to %s\n",
                  json_string_value(json_object_get(request, "call")));
  json_decref(request);
  return answer;
}

json_t *sim_ask_running(json_t *request)
{
  HANDLE pipe = dial();
  json_t *answer = pipe == INVALID_HANDLE_VALUE ? NULL : converse(pipe, request);

  json_decref(request);
  return answer;
}
