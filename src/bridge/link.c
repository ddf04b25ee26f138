/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/link.h"
#include "base/compiler.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct zl_link_ops {
  const char *what;
  size_t backlog; /* nothing is read while more than this is pending */
  int (*feed)(void *object, const void *data, size_t len, struct zl_error *err);
  const void *(*pending)(const void *object, size_t *ret_len);
  void (*sent)(void *object, size_t len);
  void (*hangup)(void *object); /* may be NULL */
};

static int feed_client(void *object, const void *data, size_t len, struct zl_error *err)
{
  return zl_bridge_client_feed(object, data, len, err);
}

static const void *client_pending(const void *object, size_t *ret_len)
{
  return zl_bridge_client_pending(object, ret_len);
}

static void client_sent(void *object, size_t len)
{
  zl_bridge_client_sent(object, len);
}

static void hang_up_client(void *object)
{
  zl_bridge_client_hangup(object);
}

static const struct zl_link_ops client_ops = { "guest bridge", SIZE_MAX,    feed_client,
                                               client_pending, client_sent, hang_up_client };

static int feed_server(void *object, const void *data, size_t len, struct zl_error *err)
{
  return zl_bridge_server_feed(object, data, len, err);
}

static const void *server_pending(const void *object, size_t *ret_len)
{
  return zl_bridge_server_pending(object, ret_len);
}

static void server_sent(void *object, size_t len)
{
  zl_bridge_server_sent(object, len);
}

static const struct zl_link_ops server_ops = { "guest bridge", ZL_LINK_BACKLOG, feed_server,
                                               server_pending, server_sent,     NULL };

static int feed_mux(void *object, const void *data, size_t len, struct zl_error *err)
{
  return zl_mux_feed(object, data, len, err);
}

static const void *mux_pending(const void *object, size_t *ret_len)
{
  return zl_mux_pending(object, ret_len);
}

static void mux_sent(void *object, size_t len)
{
  zl_mux_sent(object, len);
}

static const struct zl_link_ops mux_ops = {
  "streams of the guest", SIZE_MAX, feed_mux, mux_pending, mux_sent, NULL
};

static void init(struct zl_link *link, int fd, void *object, const struct zl_link_ops *ops)
{
  struct stat st;

  *link = (struct zl_link){ .fd = fd, .object = object, .ops = ops };
  link->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void zl_link_client(struct zl_link *link, int fd, struct zl_bridge_client *client)
{
  init(link, fd, client, &client_ops);
}

void zl_link_server(struct zl_link *link, int fd, struct zl_bridge_server *server)
{
  init(link, fd, server, &server_ops);
}

void zl_link_mux(struct zl_link *link, int fd, struct zl_mux *mux)
{
  init(link, fd, mux, &mux_ops);
}

static size_t backlog(const struct zl_link *link)
{
  size_t len;

  (void)link->ops->pending(link->object, &len);
  return len;
}

static bool may_read(const struct zl_link *link)
{
  return backlog(link) <= link->ops->backlog;
}

short zl_link_events(const struct zl_link *link)
{
  int events = may_read(link) ? POLLIN : 0;

  if (!link->deaf && backlog(link) > 0)
    events |= POLLOUT;
  return (short)events;
}

static bool is_gone(int os_error)
{
  return os_error == EPIPE || os_error == ECONNRESET || os_error == EIO || os_error == ENODEV ||
         os_error == ENXIO;
}

static void hang_up(struct zl_link *link)
{
  link->hung_up = true;
  if (link->ops->hangup != NULL)
    link->ops->hangup(link->object);
}

static int pump_in(struct zl_link *link, struct zl_error *err)
{
  ZL_UNCLEARED char chunk[ZL_LINK_CHUNK];

  for (size_t moved = 0; moved < ZL_LINK_TURN && may_read(link);) {
    ssize_t n = read(link->fd, chunk, sizeof(chunk));
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return 0;
    if (n < 0 && !is_gone(errno))
      return zl_fail_errno(err, "reading the %s", link->ops->what);
    if (n <= 0) {
      hang_up(link);
      return 0;
    }
    link->hung_up = link->deaf = false;
    r = link->ops->feed(link->object, chunk, (size_t)n, err);
    if (r < 0)
      return r;
    moved += (size_t)n;
  }
  return 0;
}

static int pump_out(struct zl_link *link, struct zl_error *err)
{
  for (size_t moved = 0; moved < ZL_LINK_TURN;) {
    size_t len;
    const void *data = link->ops->pending(link->object, &len);
    ssize_t n;

    if (len == 0)
      return 0;
    n = link->is_socket ? send(link->fd, data, len, MSG_NOSIGNAL) : write(link->fd, data, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return 0;
    if (n < 0 && !is_gone(errno))
      return zl_fail_errno(err, "writing the %s", link->ops->what);
    if (n <= 0) {
      link->deaf = true;
      return 0;
    }
    link->ops->sent(link->object, (size_t)n);
    moved += (size_t)n;
  }
  return 0;
}

int zl_link_pump(struct zl_link *link, short revents, struct zl_error *err)
{
  int r = 0;

  if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0)
    r = pump_in(link, err);
  /* What the callbacks have just queued goes out in the same turn. */
  if (r == 0 && !link->deaf)
    r = pump_out(link, err);
  return r;
}
