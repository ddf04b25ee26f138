/* SPDX-License-Identifier: Apache-2.0
 *
 * The library says "create" on the pipe that the shim was started with. A lock cannot be handed
 * over here; in its place it counts who holds the operation lock: once our own is held, the library
 * has to live still, else the container may have been cleared away already and nothing is made.
 */
#include "shim/handover.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/time.h"
#include "base/win32/handle.h"
#include "base/win32/pipe.h"
#include "shim/shim.h"

enum {
  LOCK_PATIENCE_MS = 1000 /* whoever looks whether it is held holds it for a moment */
};

int handover_await(struct shim *shim, int control_fd, struct zl_error *err)
{
  static const char request[] = "{\"op\":\"create\"}";
  char text[sizeof(request)];
  int n = zl_pipe_recv(zl_handle_of(control_fd), text, sizeof(text), UINT64_MAX, NULL);
  int fd;

  if (n == 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "the container is not wanted any more");
  if (n != (int)strlen(request) || memcmp(text, request, (size_t)n) != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the first message is %s", request);
  fd = zl_fd_open(AT_FDCWD, shim->dir, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening the container's directory");
  shim->control_fd = control_fd;
  shim->dir_fd = fd;
  return 0;
}

static bool is_alive(int control_fd)
{
  return PeekNamedPipe(zl_handle_of(control_fd), NULL, 0, NULL, NULL, NULL) ||
         GetLastError() != ERROR_BROKEN_PIPE;
}

/* By which one that does not answer is found (runtime/shim/win32/process.c). */
static int leave_name(const struct shim *shim, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  uint64_t start = 0;
  int r = zl_proc_start_time((pid_t)GetCurrentProcessId(), &start, err);

  if (r < 0)
    return r;
  json = json_pack("{s:I, s:I}", "pid", (json_int_t)GetCurrentProcessId(), "start_time",
                   (json_int_t)start);
  r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, "shim.json");
  return r < 0 ? r
               : zl_file_replace(shim->dir_fd, "shim.json", text, strlen(text), 0600, false, err);
}

int handover_lock(struct shim *shim, struct zl_error *err)
{
  int r =
      zl_lock_acquire(shim->dir_fd, "lock", LOCK_PATIENCE_MS * ZL_NS_PER_MS, &shim->lock_fd, err);

  if (r == 0 && !is_alive(shim->control_fd))
    r = zl_fail(err, ZL_E_CANCELLED, 0, "whoever wanted the container has gone");
  return r < 0 ? r : leave_name(shim, err);
}
