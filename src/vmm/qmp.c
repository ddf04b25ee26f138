/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/time.h"

enum {
  CHUNK = 4 << 10 /* read at once: most lines are shorter */
};

static const char what[] = "QEMU's monitor";

/* ---- lines ---- */

static int take_apart(json_t *line, json_t **ret_event, json_t **ret_reply, struct zl_error *err)
{
  if (!json_is_object(line))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: a line is no object", what);
  if (json_is_string(json_object_get(line, "event"))) {
    *ret_event = json_incref(line);
    return 0;
  }
  if (json_object_get(line, "return") != NULL || json_is_object(json_object_get(line, "error"))) {
    *ret_reply = json_incref(line);
    return 0;
  }
  if (!json_is_object(json_object_get(line, "QMP")))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: a line is neither event, reply nor greeting", what);
  return 0;
}

int zl_qmp_parse(const char *line, size_t len, json_t **ret_event, json_t **ret_reply,
                 struct zl_error *err)
{
  zl_autojson *json = NULL;
  struct zl_error own = { 0 };

  *ret_event = *ret_reply = NULL;
  if (len > ZL_QMP_MAX_LINE)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: a line of %zu bytes", what, len);
  if (zl_json_parse(line, len, what, &json, &own) < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s", own.msg);
  return take_apart(json, ret_event, ret_reply, err);
}

/* ---- bytes ---- */

static int await(const struct zl_qmp *qmp, short events, uint64_t deadline_ns, struct zl_error *err)
{
  struct pollfd poll_fd = { .fd = qmp->fd, .events = events };

  for (;;) {
    uint64_t now = zl_time_boot(), left = deadline_ns > now ? deadline_ns - now : 0;
    /* Rounded up, or the last millisecond would be a busy loop. */
    uint64_t ms = left / ZL_NS_PER_MS + (left % ZL_NS_PER_MS != 0);
    int n = poll(&poll_fd, 1, ms > INT32_MAX ? -1 : (int)ms);

    if (n > 0)
      return 0;
    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for %s", what);
    if (n == 0 && zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "%s does not answer", what);
  }
}

/* 1: something came, 0: nothing is there, negative: error. */
static int receive(struct zl_qmp *qmp, struct zl_error *err)
{
  ssize_t n;
  int r = zl_buf_reserve(&qmp->in, CHUNK, err);

  if (r < 0)
    return r != -ZL_E_LIMIT ? r
                            : zl_fail(err, ZL_E_REMOTE, 0, "%s: a line is longer than %d bytes",
                                      what, ZL_QMP_MAX_LINE);
  do
    n = recv(qmp->fd, qmp->in.data + qmp->in.len, CHUNK, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return 0;
  if (n <= 0)
    return zl_fail(err, ZL_E_REMOTE, n < 0 ? errno : 0, "%s: QEMU has ended", what);
  qmp->in.len += (size_t)n;
  qmp->in.data[qmp->in.len] = '\0';
  return 1;
}

static int transmit(struct zl_qmp *qmp, const char *text, int fd, uint64_t deadline_ns,
                    struct zl_error *err)
{
  size_t len = strlen(text), done = 0;

  while (done < len) {
    /* The descriptor goes with the first byte. */
    size_t n_fds = done == 0 && fd >= 0 ? 1 : 0;
    ssize_t n = zl_fd_send(qmp->fd, text + done, len - done, &fd, n_fds);

    if (n >= 0) {
      done += (size_t)n;
    } else if (n == -EAGAIN) {
      int r = await(qmp, POLLOUT, deadline_ns, err);

      if (r < 0)
        return r;
    } else {
      return zl_fail(err, ZL_E_REMOTE, (int)-n, "%s: QEMU has ended", what);
    }
  }
  return 0;
}

/* ---- conversation ---- */

/* What one line was. */
enum line {
  LINE_NONE, /* there is no whole line yet */
  LINE_EVENT,
  LINE_REPLY,
  LINE_GREETING
};

static void report(const struct zl_qmp *qmp, const json_t *event)
{
  if (qmp->event != NULL)
    qmp->event(qmp->ctx, json_string_value(json_object_get(event, "event")),
               json_object_get(event, "data"));
}

/* The first line received but not looked at yet: an enum line, or a negative code. An event has
 * been reported; *ret_reply is the caller's. */
static int next_line(struct zl_qmp *qmp, json_t **ret_reply, struct zl_error *err)
{
  const char *end = qmp->in.len > 0 ? memchr(qmp->in.data, '\n', qmp->in.len) : NULL;
  zl_autojson *event = NULL;
  json_t *reply = NULL;
  struct zl_error own = { 0 };
  int r;

  if (end == NULL)
    return LINE_NONE;
  r = zl_qmp_parse(qmp->in.data, (size_t)(end - qmp->in.data), &event, &reply, &own);
  zl_buf_consume(&qmp->in, (size_t)(end - qmp->in.data) + 1);
  if (r < 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s", own.msg);
  if (event != NULL) {
    report(qmp, event);
    return LINE_EVENT;
  }
  if (reply == NULL)
    return LINE_GREETING;
  *ret_reply = reply;
  return LINE_REPLY;
}

static int too_many(struct zl_error *err)
{
  return zl_fail(err, ZL_E_REMOTE, 0, "%s: more than %d events at once", what, ZL_QMP_MAX_EVENTS);
}

/* As next_line, but waits for a line. */
static int await_line(struct zl_qmp *qmp, uint64_t deadline_ns, json_t **ret_reply,
                      struct zl_error *err)
{
  for (;;) {
    int r = next_line(qmp, ret_reply, err);

    if (r != LINE_NONE)
      return r;
    r = receive(qmp, err);
    if (r == 0)
      r = await(qmp, POLLIN, deadline_ns, err);
    if (r < 0)
      return r;
  }
}

/* The answer to a call that timed out may still come: it has another number. */
static bool is_late(const struct zl_qmp *qmp, const json_t *reply)
{
  const json_t *id = json_object_get(reply, "id");

  return json_is_integer(id) && (uint64_t)json_integer_value(id) != qmp->serial;
}

static int await_reply(struct zl_qmp *qmp, uint64_t deadline_ns, json_t **ret, struct zl_error *err)
{
  for (int i = 0; i <= ZL_QMP_MAX_EVENTS; i++) {
    json_t *reply = NULL;
    int r = await_line(qmp, deadline_ns, &reply, err);

    if (r < 0)
      return r;
    if (r == LINE_REPLY && !is_late(qmp, reply)) {
      *ret = reply;
      return 0;
    }
    json_decref(reply);
  }
  return too_many(err);
}

static int send_command(struct zl_qmp *qmp, const char *command, json_t *arguments, int fd,
                        uint64_t deadline_ns, struct zl_error *err)
{
  zl_autojson *message =
      json_pack("{s:s, s:I}", "execute", command, "id", (json_int_t)++qmp->serial);
  zl_autofree char *text = NULL, *line = NULL;
  int r;

  if (message == NULL ||
      (arguments != NULL && json_object_set(message, "arguments", arguments) < 0))
    return zl_fail_nomem(err, "a command for QEMU");
  r = zl_json_render(message, &text, err);
  if (r < 0)
    return r;
  line = zl_asprintf("%s\n", text);
  return line == NULL ? zl_fail_nomem(err, "a command for QEMU")
                      : transmit(qmp, line, fd, deadline_ns, err);
}

static int answer(const json_t *reply, json_t **ret, struct zl_error *err)
{
  const json_t *error = json_object_get(reply, "error");
  const char *text = json_string_value(json_object_get(error, "desc"));

  if (error != NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s", text != NULL ? text : "QEMU gives no reason");
  if (ret != NULL)
    *ret = json_incref(json_object_get(reply, "return"));
  return 0;
}

int zl_qmp_call_fd(struct zl_qmp *qmp, const char *command, json_t *arguments, int fd,
                   uint64_t deadline_ns, json_t **ret, struct zl_error *err)
{
  zl_autojson *owned = arguments, *reply = NULL;
  int r;

  if (qmp->fd < 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s is closed", what);
  r = send_command(qmp, command, owned, fd, deadline_ns, err);
  if (r == 0)
    r = await_reply(qmp, deadline_ns, &reply, err);
  if (r == 0)
    r = answer(reply, ret, err);
  return r < 0 ? zl_wrap(err, "%s", command) : 0;
}

int zl_qmp_call(struct zl_qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
                json_t **ret, struct zl_error *err)
{
  return zl_qmp_call_fd(qmp, command, arguments, -1, deadline_ns, ret, err);
}

int zl_qmp_wait(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  for (int i = 0; i <= ZL_QMP_MAX_EVENTS; i++) {
    zl_autojson *reply = NULL;
    int r = await_line(qmp, deadline_ns, &reply, err);

    if (r < 0)
      return r;
    if (r == LINE_EVENT)
      return 0;
  }
  return too_many(err);
}

/* A guest can cause as many events as it likes: after some of them others have their turn. No whole
 * line is left behind, for an event loop would not know of it. */
int zl_qmp_poll(struct zl_qmp *qmp, struct zl_error *err)
{
  for (int i = 0;; i++) {
    zl_autojson *reply = NULL;
    int r = next_line(qmp, &reply, err);

    if (r == LINE_NONE && i > ZL_QMP_MAX_EVENTS)
      return 0;
    if (r == LINE_NONE) {
      r = receive(qmp, err);
      if (r == 0)
        return 0;
    }
    if (r < 0)
      return r;
  }
}

/* ---- begin and end ---- */

static int greet(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = await_line(qmp, deadline_ns, &reply, err);

  if (r < 0)
    return r;
  if (r != LINE_GREETING)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s does not begin with a greeting", what);
  return zl_qmp_call(qmp, "qmp_capabilities", NULL, deadline_ns, NULL, err);
}

int zl_qmp_open(struct zl_qmp *qmp, int fd, zl_qmp_event_fn event, void *ctx, uint64_t deadline_ns,
                struct zl_error *err)
{
  int flags, r;

  *qmp = (struct zl_qmp){
    .fd = fd, .in = ZL_BUF_INIT(ZL_QMP_MAX_LINE + CHUNK), .event = event, .ctx = ctx
  };
  flags = fcntl(fd, F_GETFL);
  r = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0
          ? zl_fail_errno(err, "preparing %s", what)
          : greet(qmp, deadline_ns, err);
  if (r < 0)
    zl_qmp_close(qmp);
  return r;
}

void zl_qmp_close(struct zl_qmp *qmp)
{
  zl_fd_closep(&qmp->fd);
  zl_buf_done(&qmp->in);
}
