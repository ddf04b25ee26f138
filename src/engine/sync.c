/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sync.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"

struct message {
  int barrier;
  int value;
  struct zl_sync_failure failure; /* sent with ZL_BARRIER_FAILED only */
};

int zl_sync_pair(int ends[2], struct zl_error *err)
{
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return zl_fail_errno(err, "socket pair");
  return 0;
}

int zl_sync_send(int fd, enum zl_barrier barrier, int value, const int *fds, size_t n_fds,
                 struct zl_error *err)
{
  struct message m = { .barrier = (int)barrier, .value = value };
  ssize_t n = zl_fd_send(fd, &m, offsetof(struct message, failure), fds, n_fds);

  if (n < 0)
    return zl_fail(err, ZL_E_REMOTE, (int)-n, "the other side of the start-up has ended");
  return 0;
}

int zl_sync_send_text(int fd, enum zl_barrier barrier, const char *text, struct zl_error *err)
{
  size_t len = strlen(text);
  int r = len == 0 || len > ZL_MAX_AMENDMENT
              ? zl_fail(err, ZL_E_LIMIT, 0, "start-up text of %zu bytes", len)
              : zl_sync_send(fd, barrier, (int)len, NULL, 0, err);
  ssize_t n;

  if (r < 0)
    return r;
  n = zl_fd_send(fd, text, len, NULL, 0);
  return n < 0 ? zl_fail(err, ZL_E_REMOTE, (int)-n, "the other side of the start-up has ended") : 0;
}

int zl_sync_tell(int fd, enum zl_barrier barrier, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = zl_sync_send(fd, barrier, 0, NULL, 0, &why);

  if (r == 0 || why.os_error == EPIPE || why.os_error == ECONNRESET)
    return 0;
  return zl_fail(err, ZL_E_SYSTEM, why.os_error, "telling the container's first process to go on");
}

void zl_sync_failure_set(struct zl_sync_failure *record, const struct zl_error *failure)
{
  *record = (struct zl_sync_failure){ .code = (int)failure->code, .os_error = failure->os_error };
  memcpy(record->text, failure->msg, strnlen(failure->msg, sizeof(record->text) - 1));
}

int zl_sync_failure_get(const struct zl_sync_failure *record, struct zl_error *err)
{
  int code = record->code > 0 && record->code < ZL_E_MAX_ ? record->code : ZL_E_INTERNAL;

  if (err == NULL)
    return -code;
  err->code = (enum zl_code)code;
  err->os_error = record->os_error;
  memcpy(err->msg, record->text, sizeof(err->msg));
  err->msg[sizeof(err->msg) - 1] = '\0';
  return -code;
}

void zl_sync_send_error(int fd, const struct zl_error *failure)
{
  struct message m = { .barrier = ZL_BARRIER_FAILED };

  zl_sync_failure_set(&m.failure, failure);
  (void)zl_fd_send(fd, &m, sizeof(m), NULL, 0);
}

/* 1: a message; 0: the connection has ended. Where the other side has ended without reading all,
 * the kernel tells that first, once, and what it had written is still to come. */
static int receive(int fd, struct message *m, int *fds, size_t *n_fds, struct zl_error *err)
{
  size_t room = n_fds != NULL ? *n_fds : 0;
  ssize_t n;

  memset(m, 0, sizeof(*m));
  n = zl_fd_recv(fd, m, sizeof(*m), fds, n_fds);
  if (n == -ECONNRESET) {
    if (n_fds != NULL)
      *n_fds = room;
    n = zl_fd_recv(fd, m, sizeof(*m), fds, n_fds);
  }
  if (n == 0 || n == -ECONNRESET)
    return 0;
  if (n < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)-n, "waiting for the container's first process");
  if ((size_t)n < offsetof(struct message, failure))
    return zl_fail(err, ZL_E_INTERNAL, 0, "short start-up message");
  return m->barrier == ZL_BARRIER_FAILED ? zl_sync_failure_get(&m->failure, err) : 1;
}

int zl_sync_expect(int fd, enum zl_barrier expected, int *ret_value, int *fds, size_t *n_fds,
                   struct zl_error *err)
{
  struct message m;
  int r = receive(fd, &m, fds, n_fds, err);

  if (r < 0)
    return r;
  if (r == 0)
    return zl_fail(err, ZL_E_SYSTEM, 0, "the container's first process died during start-up");
  if (m.barrier != (int)expected)
    return zl_fail(err, ZL_E_REMOTE, 0, "start-up step %d came instead of %d", m.barrier,
                   (int)expected);
  if (ret_value != NULL)
    *ret_value = m.value;
  return 0;
}

int zl_sync_await_exec(int fd, struct zl_error *err)
{
  struct message m;
  int r = receive(fd, &m, NULL, NULL, err);

  if (r > 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "unexpected start-up step %d", m.barrier);
  return r;
}

int zl_sync_expect_text(int fd, enum zl_barrier expected, char **ret, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int len = 0, r = zl_sync_expect(fd, expected, &len, NULL, NULL, err);
  size_t none = 0;
  ssize_t n;

  if (r < 0)
    return r;
  if (len <= 0 || len > ZL_MAX_AMENDMENT)
    return zl_fail(err, ZL_E_INTERNAL, 0, "start-up text of %d bytes", len);
  text = malloc((size_t)len + 1);
  if (text == NULL)
    return zl_fail_nomem(err, "start-up text");
  n = zl_fd_recv(fd, text, (size_t)len, NULL, &none);
  if (n != len)
    return zl_fail(err, ZL_E_INTERNAL, n < 0 ? (int)-n : 0, "start-up text is cut off");
  text[len] = '\0';
  *ret = zl_steal_ptr(&text);
  return 0;
}
