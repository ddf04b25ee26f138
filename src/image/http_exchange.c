/* SPDX-License-Identifier: Apache-2.0 */
#include "image/http_exchange.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/time.h"

enum {
  MIN_BYTES_PER_S = 1024
};

void zl_exchange_begin(struct zl_exchange *x)
{
  zl_buf_clear(&x->reply->head);
  x->reply->status = 0;
  x->reply->received = 0;
  x->reply->failure = ZL_HTTP_FINAL;
}

/* An informational reply (1xx) may come first: a new status line drops what came before. */
int zl_exchange_take_line(struct zl_exchange *x, const char *line, size_t len)
{
  struct zl_http_reply *reply = x->reply;

  while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
    len--;
  if (len > 5 && memcmp(line, "HTTP/", 5) == 0 && reply->received == 0) {
    const char *space = memchr(line, ' ', len);
    char digits[4] = { 0 };
    uint64_t status = 0;

    zl_buf_clear(&reply->head);
    if (space != NULL && (size_t)(line + len - space) >= 4)
      memcpy(digits, space + 1, 3);
    if (!zl_parse_u64(digits, 999, &status))
      return zl_fail(x->err, ZL_E_REMOTE, 0, "%s: malformed status line", x->req->url->host);
    reply->status = (int)status;
    return 0;
  }
  if (len == 0 || memchr(line, '\0', len) != NULL)
    return 0;
  if (zl_buf_append(&reply->head, line, len, x->err) < 0 ||
      zl_buf_append(&reply->head, "", 1, x->err) < 0)
    return zl_wrap(x->err, "%s: headers of the reply", x->req->url->host);
  return 0;
}

static bool is_success(const struct zl_http_reply *reply)
{
  return reply->status >= 200 && reply->status < 300;
}

static int check_length(struct zl_exchange *x)
{
  const char *text = zl_http_header(x->reply, "content-length");
  uint64_t length = 0;

  if (!is_success(x->reply) || text == NULL)
    return 0;
  if (!zl_parse_u64(text, UINT64_MAX, &length) || length > x->req->max_body)
    return zl_fail(x->err, ZL_E_LIMIT, 0, "%s announces %.40s bytes, at most %llu are expected",
                   x->req->url->host, text, (unsigned long long)x->req->max_body);
  return 0;
}

int zl_exchange_take_body(struct zl_exchange *x, const void *data, size_t len)
{
  int r = x->reply->received == 0 ? check_length(x) : 0;

  if (r != 0)
    return r;
  x->reply->received += len;
  if (is_success(x->reply) && x->reply->received > x->req->max_body)
    return zl_fail(x->err, ZL_E_LIMIT, 0, "%s sends more than the expected %llu bytes",
                   x->req->url->host, (unsigned long long)x->req->max_body);
  return x->req->body(x->req->ctx, x->reply, data, len, x->err);
}

int zl_exchange_send(struct zl_exchange *x, void *data, size_t max, size_t *ret)
{
  const struct zl_http_upload *up = x->req->upload;
  uint64_t left = up != NULL ? up->size - x->sent : 0;
  size_t len = max < left ? max : (size_t)left;
  ssize_t got = (ssize_t)len;
  int r = 0;

  *ret = 0;
  if (len == 0)
    return 0;
  if (up->data != NULL)
    memcpy(data, (const char *)up->data + x->sent, len);
  else
    got = pread(up->fd, data, len, (off_t)(up->offset + x->sent));
  if (got <= 0)
    return zl_fail(x->err, ZL_E_SYSTEM, got < 0 ? errno : EIO, "reading what is sent");
  if (up->sent != NULL)
    r = up->sent(up->ctx, x->sent + (uint64_t)got, x->err);
  if (r != 0)
    return r;
  x->sent += (uint64_t)got;
  *ret = (size_t)got;
  return 0;
}

/* A server that sends almost nothing would hold a connection, and the pull, for ever. Only time
 * spent waiting for it counts: a slow disk on our side is not its fault. */
int zl_exchange_waited(struct zl_exchange *x, uint64_t waited_ns)
{
  const struct zl_http_request *req = x->req;
  const uint64_t stall_ns = req->stall_ms * ZL_NS_PER_MS;
  uint64_t got = x->sent + x->reply->received - x->window_from;

  x->waited_ns += waited_ns;
  x->window_ns += waited_ns;
  if (req->total_ms > 0 && x->waited_ns > req->total_ms * ZL_NS_PER_MS) {
    x->reply->failure = ZL_HTTP_TRANSIENT;
    return zl_fail(x->err, ZL_E_TIMEOUT, 0, "%s did not finish its reply within %u ms",
                   req->url->host, req->total_ms);
  }
  if (x->window_ns < stall_ns)
    return 0;
  if (got < (uint64_t)MIN_BYTES_PER_S * req->stall_ms / 1000) {
    x->reply->failure = ZL_HTTP_TRANSIENT;
    return zl_fail(x->err, ZL_E_TIMEOUT, 0, "%s stalled: %llu bytes in %u ms", req->url->host,
                   (unsigned long long)got, req->stall_ms);
  }
  x->window_ns = 0;
  x->window_from = x->sent + x->reply->received;
  return 0;
}

void zl_http_reply_done(struct zl_http_reply *reply)
{
  zl_buf_done(&reply->head);
}

const char *zl_http_header(const struct zl_http_reply *reply, const char *name)
{
  const size_t len = strlen(name);

  for (size_t at = 0; at < reply->head.len; at += strlen(reply->head.data + at) + 1) {
    const char *line = reply->head.data + at;

    if (strncasecmp(line, name, len) == 0 && line[len] == ':')
      return line + len + 1 + strspn(line + len + 1, " \t");
  }
  return NULL;
}
