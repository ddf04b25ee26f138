/* SPDX-License-Identifier: Apache-2.0
 *
 * Over a named pipe, whose name is in the container's file `control`. Descriptors are passed as
 * numbers of handles: the shim takes the client's out of the client, and gives its own into it.
 */
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "base/win32/handle.h"
#include "base/win32/pipe.h"
#include "runtime/shim/control_reply.h"

enum {
  SEND_MS = 30000
};

int zl_control_connect(int dir_fd, int *ret_fd, struct zl_error *err)
{
  zl_autobuf name = ZL_BUF_INIT(ZL_PIPE_NAME);
  HANDLE pipe;
  int r = zl_file_read(dir_fd, "control", &name, err);

  if (r == 0 && !zl_has_prefix(name.data != NULL ? name.data : "", ZL_PIPE_PREFIX))
    return zl_fail(err, ZL_E_CORRUPT, 0, "file 'control' names no pipe of a shim");
  if (r == 0)
    r = zl_pipe_connect(name.data, &pipe, err);
  if (r == -ZL_E_NOT_FOUND)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "its shim does not answer");
  if (r < 0)
    return r;
  *ret_fd = zl_handle_to_fd(pipe, O_RDWR);
  return *ret_fd < 0 ? zl_fail_errno(err, "connecting to the shim") : 0;
}

static int add_handles(json_t *request, const int *fds, size_t n_fds)
{
  json_t *handles = json_array();

  for (size_t i = 0; i < n_fds; i++)
    if (json_array_append_new(handles, json_integer((json_int_t)(intptr_t)zl_handle_of(fds[i]))) <
        0) {
      json_decref(handles);
      return -1;
    }
  return json_object_set_new(request, "handles", handles);
}

int zl_control_send(int fd, json_t *request, const int *fds, size_t n_fds, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r;

  if (n_fds > 0 && (request == NULL || add_handles(request, fds, n_fds) < 0)) {
    json_decref(request);
    request = NULL;
  }
  r = zl__control_render(request, &text, err);
  if (r < 0)
    return r;
  r = zl_pipe_send(zl_handle_of(fd), text, strlen(text), SEND_MS);
  if (r == -EPIPE)
    return zl__control_gone(err);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "asking the shim") : 0;
}

/* The shim has put them into this process. */
static int take_handles(json_t *reply, int *ret_fd, struct zl_error *err)
{
  const json_t *handles = json_object_get(reply, "handles");
  int fd = -1;

  for (size_t i = 0; i < json_array_size(handles); i++) {
    HANDLE handle = (HANDLE)(intptr_t)json_integer_value(json_array_get(handles, i));

    if (i > 0 || ret_fd == NULL)
      (void)CloseHandle(handle);
    else if ((fd = zl_handle_to_fd(handle, O_RDWR)) < 0)
      return zl_fail_errno(err, "a handle of the shim");
  }
  if (ret_fd != NULL)
    *ret_fd = fd;
  return 0;
}

static int fail_receive(int n, struct zl_error *err)
{
  if (n == 0)
    return zl__control_gone(err);
  if (n == -ECANCELED)
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  if (n == -ETIMEDOUT)
    return zl_fail(err, ZL_E_TIMEOUT, 0, "the shim has not answered in time");
  return zl_fail(err, ZL_E_SYSTEM, -n, "listening to the shim");
}

int zl_control_receive(int fd, uint64_t deadline_ns, int cancel_fd, json_t **ret, int *ret_fd,
                       struct zl_error *err)
{
  zl_autofree char *text = malloc(ZL_MAX_CONTROL_MSG);
  zl_autojson *reply = NULL;
  int n, r;

  if (text == NULL)
    return zl_fail_nomem(err, "reply of the shim");
  n = zl_pipe_recv(zl_handle_of(fd), text, ZL_MAX_CONTROL_MSG, deadline_ns,
                   cancel_fd >= 0 ? zl_handle_of(cancel_fd) : NULL);
  if (n <= 0)
    return fail_receive(n, err);
  r = zl__control_understand(text, (size_t)n, &reply, err);
  if (r == 0)
    r = take_handles(reply, ret_fd, err);
  if (r == 0)
    *ret = zl_steal_ptr(&reply);
  return r;
}
