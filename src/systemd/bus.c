/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/bus.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/time.h"

#define ADDRESS_VARIABLE "DBUS_SYSTEM_BUS_ADDRESS"
#define BUS_SOCKET       "/run/dbus/system_bus_socket"
#define PRIVATE_SOCKET   "/run/systemd/private"
#define BUS_NAME         "org.freedesktop.DBus"

enum {
  GREETING_LINE = 512 /* of the conversation before the messages */
};

void zl_bus_close(struct zl_bus *bus)
{
  zl_fd_closep(&bus->fd);
  zl_buf_done(&bus->in);
}

/* ---- Bytes --------------------------------------------------------------------------------- */

static int wait_for(const struct zl_bus *bus, short events, uint64_t deadline, struct zl_error *err)
{
  struct pollfd p = { .fd = bus->fd, .events = events };

  for (;;) {
    const uint64_t now = zl_time_boot();
    int n;

    if (now >= deadline)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "systemd does not answer");
    n = poll(&p, 1, (int)((deadline - now) / ZL_NS_PER_MS) + 1);
    if (n > 0)
      return 0;
    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for systemd");
  }
}

static int send_all(const struct zl_bus *bus, const void *data, size_t len, uint64_t deadline,
                    struct zl_error *err)
{
  const char *at = data;

  while (len > 0) {
    const ssize_t n = send(bus->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n >= 0) {
      at += n;
      len -= (size_t)n;
      continue;
    }
    if (errno == EAGAIN && wait_for(bus, POLLOUT, deadline, err) < 0)
      return -ZL_E_TIMEOUT;
    if (errno != EAGAIN && errno != EINTR)
      return zl_fail_errno(err, "sending to systemd");
  }
  return 0;
}

/* At least one byte, at most `max`; returns how many. */
static ssize_t receive_some(const struct zl_bus *bus, void *data, size_t max, uint64_t deadline,
                            struct zl_error *err)
{
  for (;;) {
    /* Also for one that sends without an end. */
    int r = wait_for(bus, POLLIN, deadline, err);
    ssize_t n;

    if (r < 0)
      return r;
    n = recv(bus->fd, data, max, MSG_DONTWAIT);
    if (n > 0)
      return n;
    if (n == 0)
      return zl_fail(err, ZL_E_REMOTE, 0, "the message bus has closed the connection");
    if (errno != EAGAIN && errno != EINTR)
      return zl_fail_errno(err, "receiving from systemd");
  }
}

static int receive(struct zl_bus *bus, size_t len, uint64_t deadline, struct zl_error *err)
{
  int r = zl_buf_reserve(&bus->in, len, err);

  while (r == 0 && len > 0) {
    const ssize_t n = receive_some(bus, bus->in.data + bus->in.len, len, deadline, err);

    if (n < 0)
      return (int)n;
    bus->in.len += (size_t)n;
    len -= (size_t)n;
  }
  return r;
}

/* ---- The connection ------------------------------------------------------------------------ */

static int connect_to(struct zl_bus *bus, const char *path, struct zl_error *err)
{
  const struct timeval limit = { .tv_sec = (time_t)(bus->patience_ns / ZL_NS_PER_S) };
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  if (strlen(path) >= sizeof(address.sun_path))
    return zl_fail(err, ZL_E_INVALID, 0, "the bus socket '%.200s' has too long a path", path);
  (void)stpcpy(address.sun_path, path);
  zl_fd_closep(&bus->fd);
  bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bus->fd < 0)
    return zl_fail_errno(err, "a socket for the message bus");
  (void)setsockopt(bus->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(bus->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(err, "connecting to systemd at '%s'", path);
  return 0;
}

static int hex_digit(char c)
{
  const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);

  return c != '\0' && at != NULL && *at != '\0' ? (int)(at - digits) : -1;
}

/* An address escapes bytes as %2f. */
static void unescape(char *text)
{
  char *to = text;

  for (const char *from = text; *from != '\0'; to++) {
    if (from[0] == '%' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
      *to = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
      from += 3;
    } else {
      *to = *from++;
    }
  }
  *to = '\0';
}

/* "unix:path=/run/x,guid=…;…": the first that can be connected to. */
static int connect_to_address(struct zl_bus *bus, const char *text, struct zl_error *err)
{
  static const char kind[] = "unix:path=";
  zl_autofree char *copy = strdup(text);
  char *rest = copy, *one;
  int r = -ZL_E_UNSUPPORTED;

  if (copy == NULL)
    return zl_fail_nomem(err, ADDRESS_VARIABLE);
  while (r < 0 && (one = strsep(&rest, ";")) != NULL)
    if (zl_has_prefix(one, kind)) {
      one += strlen(kind);
      one[strcspn(one, ",")] = '\0';
      unescape(one);
      r = connect_to(bus, one, err);
    }
  return r == -ZL_E_UNSUPPORTED
             ? zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s '%.100s': only unix:path=/… is supported",
                       ADDRESS_VARIABLE, text)
             : r;
}

static int connect_somewhere(struct zl_bus *bus, struct zl_error *err)
{
  const char *address = getenv(ADDRESS_VARIABLE);
  int r;

  bus->has_broker = true;
  if (address != NULL && *address != '\0')
    return connect_to_address(bus, address, err);
  r = connect_to(bus, BUS_SOCKET, err);
  if (r == 0 || geteuid() != 0 || connect_to(bus, PRIVATE_SOCKET, NULL) < 0)
    return r;
  bus->has_broker = false;
  return 0;
}

/* One byte at a time: what follows the line are messages, which are not ours to take here. */
static int read_line(const struct zl_bus *bus, char line[GREETING_LINE], uint64_t deadline,
                     struct zl_error *err)
{
  for (size_t len = 0; len < GREETING_LINE; len++) {
    const ssize_t n = receive_some(bus, line + len, 1, deadline, err);

    if (n < 0)
      return (int)n;
    if (line[len] == '\n') {
      line[len] = '\0';
      return 0;
    }
  }
  return zl_fail(err, ZL_E_REMOTE, 0, "the message bus answers with too long a line");
}

/* BEGIN goes with the first line: systemd's own socket does not look at a message that comes
 * together with it until another one follows. */
static int authenticate(const struct zl_bus *bus, uint64_t deadline, struct zl_error *err)
{
  char uid[16], text[80] = "_AUTH EXTERNAL ", line[GREETING_LINE];
  size_t len = strlen(text);
  int r;

  (void)snprintf(uid, sizeof(uid), "%u", geteuid());
  for (const char *c = uid; *c != '\0'; c++, len += 2)
    (void)snprintf(text + len, sizeof(text) - len, "%02x", (unsigned char)*c);
  len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\nBEGIN\r\n");
  text[0] = '\0'; /* the byte that credentials come with */
  r = send_all(bus, text, len, deadline, err);
  if (r == 0)
    r = read_line(bus, line, deadline, err);
  if (r < 0)
    return r;
  return zl_has_prefix(line, "OK ")
             ? 0
             : zl_fail(err, ZL_E_AUTH, 0, "the message bus does not let us in: '%.60s'", line);
}

int zl_bus_open(struct zl_bus *bus, struct zl_error *err)
{
  static const struct zl_dbus_call hello = { .destination = BUS_NAME,
                                             .path = "/org/freedesktop/DBus",
                                             .interface = BUS_NAME,
                                             .member = "Hello" };
  struct zl_dbus_message reply;
  int r = connect_somewhere(bus, err);

  if (r == 0)
    r = authenticate(bus, zl_time_boot() + bus->patience_ns, err);
  return r == 0 && bus->has_broker ? zl_bus_call(bus, &hello, NULL, &reply, err) : r;
}

/* ---- Messages ------------------------------------------------------------------------------ */

static int read_message(struct zl_bus *bus, uint64_t deadline, struct zl_dbus_message *ret,
                        struct zl_error *err)
{
  size_t len = 0;
  int r;

  zl_buf_clear(&bus->in);
  r = receive(bus, ZL_DBUS_FIXED, deadline, err);
  if (r == 0)
    r = zl_dbus_size((const uint8_t *)bus->in.data, &len, err);
  if (r == 0)
    r = receive(bus, len - ZL_DBUS_FIXED, deadline, err);
  return r == 0 ? zl_dbus_parse((const uint8_t *)bus->in.data, len, ret, err) : r;
}

static void pass_on(const struct zl_bus *bus, const struct zl_dbus_message *message)
{
  if (message->type == ZL_DBUS_SIGNAL && bus->on_signal != NULL)
    bus->on_signal(bus->ctx, message);
}

int zl_bus_wait(struct zl_bus *bus, uint64_t deadline, struct zl_error *err)
{
  struct zl_dbus_message message;
  int r = read_message(bus, deadline, &message, err);

  if (r == 0)
    pass_on(bus, &message);
  return r;
}

static int send_call(struct zl_bus *bus, const struct zl_dbus_call *call, const struct zl_buf *body,
                     uint64_t deadline, struct zl_error *err)
{
  zl_autodbusout out = ZL_DBUS_OUT_INIT(err);
  const size_t len = body != NULL ? body->len : 0;

  zl_dbus_put_head(&out, call, ++bus->serial, len);
  if (len > 0)
    zl_dbus_put_bytes(&out, body->data, len);
  return out.r < 0 ? out.r : send_all(bus, out.buf.data, out.buf.len, deadline, err);
}

/* An error has a name, and usually a text. */
static int fail_reply(const struct zl_dbus_call *call, const struct zl_dbus_message *reply,
                      struct zl_error *err)
{
  struct zl_dbus_in body = reply->body;
  const char *text = *reply->signature == 's' ? zl_dbus_get_string(&body) : "";

  return zl_fail(err, ZL_E_REMOTE, 0, "systemd: %s: %.200s (%.100s)", call->member, text,
                 reply->error_name);
}

int zl_bus_call(struct zl_bus *bus, const struct zl_dbus_call *call, const struct zl_buf *body,
                struct zl_dbus_message *ret, struct zl_error *err)
{
  const uint64_t deadline = zl_time_boot() + bus->patience_ns;
  int r;

  *ret = (struct zl_dbus_message){ .error_name = "" };
  r = send_call(bus, call, body, deadline, err);
  while (r == 0) {
    struct zl_dbus_message message;

    r = read_message(bus, deadline, &message, err);
    if (r < 0)
      break;
    if ((message.type == ZL_DBUS_REPLY || message.type == ZL_DBUS_ERROR) &&
        message.reply_serial == bus->serial) {
      *ret = message;
      return message.type == ZL_DBUS_ERROR ? fail_reply(call, ret, err) : 0;
    }
    pass_on(bus, &message);
  }
  return zl_wrap(err, "%s", call->member);
}
