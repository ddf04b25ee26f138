/* SPDX-License-Identifier: Apache-2.0 */
#include "base/win32/pipe.h"

#include <sddl.h>

#include "base/cleanup.h"
#include "base/rand.h"
#include "base/time.h"
#include "base/win32/handle.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"

enum {
  BUFFER = 64 << 10,
  TOKEN = 32, /* hexadecimal digits */
  BUSY_MS = 2000
};

#define PRIVATE L"D:P(A;;GA;;;SY)(A;;GA;;;BA)"

int zl_pipe_name(char name[ZL_PIPE_NAME], struct zl_error *err)
{
  char token[TOKEN + 1];
  int r = zl_rand_hex(token, sizeof(token), err);

  if (r == 0)
    (void)snprintf(name, ZL_PIPE_NAME, ZL_PIPE_PREFIX "%s", token);
  return r;
}

static HANDLE make(const wchar_t *name, bool first)
{
  SECURITY_ATTRIBUTES security = { .nLength = sizeof(security) };
  HANDLE pipe = INVALID_HANDLE_VALUE;

  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(PRIVATE, SDDL_REVISION_1,
                                                           &security.lpSecurityDescriptor, NULL)) {
    pipe = CreateNamedPipeW(name,
                            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED |
                                (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS,
                            PIPE_UNLIMITED_INSTANCES, BUFFER, BUFFER, 0, &security);
    (void)LocalFree(security.lpSecurityDescriptor);
  }
  return pipe;
}

int zl_pipe_make(const char *name, bool first, HANDLE *ret, struct zl_error *err)
{
  zl_autofree wchar_t *wide = zl_wide_of(name);
  HANDLE pipe = wide != NULL ? make(wide, first) : INVALID_HANDLE_VALUE;

  if (pipe == INVALID_HANDLE_VALUE)
    return zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "making a pipe for clients");
  *ret = pipe;
  return 0;
}

/* ---- Operations that end ---- */

struct turn {
  OVERLAPPED io;
  HANDLE pipe;
};

static bool begin(struct turn *t, HANDLE pipe)
{
  *t = (struct turn){ .pipe = pipe };
  t->io.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  return t->io.hEvent != NULL;
}

static void turn_done(struct turn *t)
{
  if (t->io.hEvent != NULL)
    (void)CloseHandle(t->io.hEvent);
}

static DWORD time_left(uint64_t deadline_ns)
{
  uint64_t now = zl_time_boot(), left;

  if (deadline_ns == UINT64_MAX)
    return INFINITE;
  left = deadline_ns > now ? (deadline_ns - now + ZL_NS_PER_MS - 1) / ZL_NS_PER_MS : 0;
  return left < INT32_MAX ? (DWORD)left : INT32_MAX;
}

/* After an operation was begun; `ok` is what the call said. 0, or the error of Windows;
 * WAIT_TIMEOUT and ERROR_CANCELLED are ours. One that ends while it is called off has ended. */
static DWORD finish(struct turn *t, bool ok, uint64_t deadline_ns, HANDLE cancel, DWORD *ret_bytes)
{
  HANDLE wait[] = { t->io.hEvent, cancel };
  DWORD code = ok ? ERROR_SUCCESS : GetLastError(), why = ERROR_SUCCESS;

  if (code != ERROR_SUCCESS && code != ERROR_IO_PENDING)
    return code;
  if (code == ERROR_IO_PENDING) {
    DWORD got = WaitForMultipleObjects(cancel != NULL ? 2 : 1, wait, FALSE, time_left(deadline_ns));

    if (got != WAIT_OBJECT_0) {
      why = got == WAIT_TIMEOUT ? WAIT_TIMEOUT : ERROR_CANCELLED;
      (void)CancelIoEx(t->pipe, &t->io);
    }
  }
  if (GetOverlappedResult(t->pipe, &t->io, ret_bytes, TRUE))
    return ERROR_SUCCESS;
  return GetLastError() == ERROR_OPERATION_ABORTED && why != ERROR_SUCCESS ? why : GetLastError();
}

static bool is_gone(DWORD code)
{
  return code == ERROR_BROKEN_PIPE || code == ERROR_PIPE_NOT_CONNECTED || code == ERROR_NO_DATA;
}

static int errno_of(DWORD code)
{
  if (code == WAIT_TIMEOUT)
    return ETIMEDOUT;
  if (code == ERROR_CANCELLED)
    return ECANCELED;
  return is_gone(code) ? EPIPE : zl_errno_of_win32(code);
}

bool zl_pipe_accept(HANDLE pipe, HANDLE stop)
{
  ZL_CLEANUP(turn_done) struct turn t;
  DWORD n = 0, code;

  if (!begin(&t, pipe))
    return false;
  if (ConnectNamedPipe(pipe, &t.io))
    return true;
  if (GetLastError() == ERROR_PIPE_CONNECTED)
    return true;
  code = finish(&t, false, UINT64_MAX, stop, &n);
  return code == ERROR_SUCCESS;
}

int zl_pipe_connect(const char *name, HANDLE *ret, struct zl_error *err)
{
  zl_autofree wchar_t *wide = zl_wide_of(name);
  DWORD mode = PIPE_READMODE_MESSAGE;
  HANDLE pipe = INVALID_HANDLE_VALUE;

  if (wide == NULL)
    return zl_fail_errno(err, "name of a pipe");
  do
    pipe =
        CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
  while (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY &&
         WaitNamedPipeW(wide, BUSY_MS));
  if (pipe == INVALID_HANDLE_VALUE)
    return GetLastError() == ERROR_FILE_NOT_FOUND
               ? zl_fail(err, ZL_E_NOT_FOUND, 0, "nobody listens")
               : zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "connecting to a pipe");
  if (SetNamedPipeHandleState(pipe, &mode, NULL, NULL)) {
    *ret = pipe;
    return 0;
  }
  (void)zl_fail(err, ZL_E_SYSTEM, zl_errno_of_last(), "connecting to a pipe");
  (void)CloseHandle(pipe);
  return -ZL_E_SYSTEM;
}

int zl_pipe_pair(HANDLE ends[2], struct zl_error *err)
{
  char name[ZL_PIPE_NAME];
  zl_autohandle one = NULL;
  int r = zl_pipe_name(name, err);

  if (r == 0)
    r = zl_pipe_make(name, true, &one, err);
  if (r == 0)
    r = zl_pipe_connect(name, &ends[1], err);
  if (r < 0)
    return r;
  ends[0] = zl_steal_ptr(&one);
  return 0;
}

int zl_pipe_send(HANDLE pipe, const void *data, size_t len, DWORD timeout_ms)
{
  ZL_CLEANUP(turn_done) struct turn t;
  DWORD n = 0, code;

  if (!begin(&t, pipe))
    return -ENOMEM;
  code = finish(&t, WriteFile(pipe, data, (DWORD)len, NULL, &t.io),
                zl_time_boot() + timeout_ms * ZL_NS_PER_MS, NULL, &n);
  if (code != ERROR_SUCCESS)
    return -errno_of(code);
  return n == len ? 0 : -EIO;
}

/* What does not fit is read away: the next message begins where this one ends. */
static void drop_rest(HANDLE pipe)
{
  char sink[4096];
  DWORD n = 0, code;

  do {
    ZL_CLEANUP(turn_done) struct turn t;

    if (!begin(&t, pipe))
      return;
    code = finish(&t, ReadFile(pipe, sink, sizeof(sink), NULL, &t.io), UINT64_MAX, NULL, &n);
  } while (code == ERROR_MORE_DATA);
}

int zl_pipe_recv(HANDLE pipe, void *data, size_t size, uint64_t deadline_ns, HANDLE cancel)
{
  ZL_CLEANUP(turn_done) struct turn t;
  DWORD n = 0, code;

  if (!begin(&t, pipe))
    return -ENOMEM;
  code = finish(&t, ReadFile(pipe, data, (DWORD)size, NULL, &t.io), deadline_ns, cancel, &n);
  if (code == ERROR_SUCCESS)
    return (int)n;
  if (code == ERROR_MORE_DATA) {
    drop_rest(pipe);
    return -EMSGSIZE;
  }
  return is_gone(code) ? 0 : -errno_of(code);
}
