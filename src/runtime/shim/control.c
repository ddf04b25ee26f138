/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"

int zl_control_connect(int dir_fd, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un addr = { .sun_family = AF_UNIX };
  zl_autofd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return zl_fail_errno(err, "making a socket");
  /* An address has room for 107 bytes only, our directories may have longer paths. */
  (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control", dir_fd);
  if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
    *ret_fd = zl_steal_fd(&fd);
    return 0;
  }
  if (errno == ENOENT || errno == ECONNREFUSED)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "its shim does not answer");
  return zl_fail_errno(err, "connecting to the shim");
}

static int gone(struct zl_error *err)
{
  return zl_fail(err, ZL_E_REMOTE, 0, "its shim has ended");
}

int zl_control_send(int fd, json_t *request, const int *fds, size_t n_fds, struct zl_error *err)
{
  zl_autojson *owned = request;
  zl_autofree char *text = NULL;
  ssize_t n;
  int r = owned != NULL ? zl_json_render(owned, &text, err) : zl_fail_nomem(err, "request");

  if (r < 0)
    return r;
  if (strlen(text) > ZL_MAX_CONTROL_MSG)
    return zl_fail(err, ZL_E_LIMIT, 0, "the request has %zu bytes, the limit is %d", strlen(text),
                   ZL_MAX_CONTROL_MSG);
  n = zl_fd_send(fd, text, strlen(text), fds, n_fds);
  if (n == -EPIPE || n == -ECONNRESET)
    return gone(err);
  return n < 0 ? zl_fail(err, ZL_E_SYSTEM, (int)-n, "asking the shim") : 0;
}

/* Milliseconds for poll(2), rounded up so that a deadline is never missed by polling too early. */
static int time_left(uint64_t deadline_ns)
{
  uint64_t now = zl_time_boot(), left;

  if (deadline_ns == UINT64_MAX)
    return -1;
  left = deadline_ns > now ? (deadline_ns - now + ZL_NS_PER_MS - 1) / ZL_NS_PER_MS : 0;
  return left > INT32_MAX ? INT32_MAX : (int)left;
}

static int await(int fd, uint64_t deadline_ns, int cancel_fd, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };

  for (;;) {
    int n = poll(fds, 2, time_left(deadline_ns));

    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for the shim");
    if (n > 0 && fds[0].revents != 0)
      return 0;
    if (n > 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
    if (n == 0 && zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "the shim has not answered in time");
  }
}

static enum zl_code code_named(const char *name)
{
  for (enum zl_code code = ZL_OK + 1; name != NULL && code < ZL_E_MAX_; code++)
    if (strcmp(zl_code_name(code), name) == 0)
      return code;
  return ZL_E_REMOTE;
}

/* The shim's error becomes ours, word for word: its text already has that of os_error. That a
 * machine has failed (REMOTE for the shim) must not be taken for the end of the shim. */
static int refuse(const json_t *reply, struct zl_error *err)
{
  const char *name = NULL, *message = NULL;
  enum zl_code code;
  int64_t os_error = 0;
  int r;

  (void)zl_json_get_string(reply, "reply", "code", &name, NULL);
  (void)zl_json_get_string(reply, "reply", "message", &message, NULL);
  (void)zl_json_get_int(reply, "reply", "os_error", 0, INT32_MAX, 0, &os_error, NULL);
  code = code_named(name);
  r = zl_fail(err, code == ZL_E_REMOTE ? ZL_E_INTERNAL : code, 0, "%s",
              message != NULL ? message : "the shim refused");
  if (err != NULL)
    err->os_error = (int)os_error;
  return r;
}

static int understand(const char *text, size_t len, json_t **ret, struct zl_error *err)
{
  zl_autojson *json = NULL;
  int r = zl_json_parse(text, len, "reply of the shim", &json, err);

  if (r < 0)
    return r;
  if (json_is_false(json_object_get(json, "ok")))
    return refuse(json, err);
  *ret = zl_steal_ptr(&json);
  return 0;
}

int zl_control_receive(int fd, uint64_t deadline_ns, int cancel_fd, json_t **ret, int *ret_fd,
                       struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autofd got = -1;
  size_t n_fds = 1;
  ssize_t n;
  int r = await(fd, deadline_ns, cancel_fd, err);

  if (r < 0)
    return r;
  text = malloc(ZL_MAX_CONTROL_MSG);
  if (text == NULL)
    return zl_fail_nomem(err, "reply of the shim");
  n = zl_fd_recv(fd, text, ZL_MAX_CONTROL_MSG, &got, &n_fds);
  if (n == 0 || n == -ECONNRESET)
    return gone(err);
  if (n < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)-n, "listening to the shim");
  r = understand(text, (size_t)n, ret, err);
  if (r == 0 && ret_fd != NULL)
    *ret_fd = n_fds > 0 ? zl_steal_fd(&got) : -1;
  return r;
}

int zl_control_call(int fd, json_t *request, json_t **ret, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_send(fd, request, NULL, 0, err);

  if (r == 0)
    r = zl_control_receive(fd, zl_time_boot() + ZL_CONTROL_PATIENCE, -1, &reply, NULL, err);
  if (r == 0 && ret != NULL)
    *ret = zl_steal_ptr(&reply);
  return r;
}
