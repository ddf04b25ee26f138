/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/netlink.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void empty(struct zl_nl *nl)
{
  nl->n_requests = 0;
  nl->expected = 0;
  nl->full = false;
  nl->len = nl->request = 0;
}

void zl_nl_use_buffer(struct zl_nl *nl, char *buffer, size_t size)
{
  nl->data = buffer;
  nl->size = size;
  empty(nl);
}

int zl_nl_open(struct zl_nl *nl, int protocol, struct zl_error *err)
{
  const int on = 1;

  nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (nl->fd < 0)
    return zl_fail_errno(err, "opening a netlink socket");
  nl->seq = 1;
  zl_nl_use_buffer(nl, nl->own, sizeof(nl->own));
  /* Only the texts are lost without these (kernel before 4.12). */
  (void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  (void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  return 0;
}

void zl_nl_close(struct zl_nl *nl)
{
  zl_fd_closep(&nl->fd);
}

/* Zeroed room at the end of the batch. Past the maximum everything is written to the start, and
 * the exchange will refuse it. */
static void *take(struct zl_nl *nl, size_t len)
{
  char *at;

  if (nl->full || len > ZL_NL_SPACE / 2 || nl->len + NLMSG_ALIGN(len) > nl->size) {
    nl->full = true;
    nl->len = 0;
    len = ZL_NL_SPACE / 2;
  }
  at = nl->data + nl->len;
  memset(at, 0, NLMSG_ALIGN(len));
  nl->len += NLMSG_ALIGN(len);
  return at;
}

static void grow_request(struct zl_nl *nl)
{
  struct nlmsghdr *header = (struct nlmsghdr *)(void *)(nl->data + nl->request);

  header->nlmsg_len = (uint32_t)(nl->len - nl->request);
}

void *zl_nl_request_quiet(struct zl_nl *nl, uint16_t type, uint16_t flags, size_t len,
                          const char *what)
{
  size_t begin = nl->len;
  struct nlmsghdr *header;

  if (nl->n_requests == ZL_NL_REQUESTS)
    nl->full = true;
  header = take(nl, NLMSG_HDRLEN + len);
  nl->request = nl->full ? 0 : begin;
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | flags;
  header->nlmsg_seq = nl->seq + nl->n_requests;
  if (!nl->full)
    nl->what[nl->n_requests++] = what;
  grow_request(nl);
  return (char *)header + NLMSG_HDRLEN;
}

void zl_nl_want_answer(struct zl_nl *nl)
{
  struct nlmsghdr *header = (struct nlmsghdr *)(void *)(nl->data + nl->request);

  if (nl->full || nl->n_requests == 0)
    return;
  /* A dump ends with NLMSG_DONE instead. */
  if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
    header->nlmsg_flags |= NLM_F_ACK;
  nl->expected |= UINT64_C(1) << (nl->n_requests - 1);
}

void *zl_nl_request(struct zl_nl *nl, uint16_t type, uint16_t flags, size_t len, const char *what)
{
  void *payload = zl_nl_request_quiet(nl, type, flags, len, what);

  zl_nl_want_answer(nl);
  return payload;
}

void *zl_nl_raw(struct zl_nl *nl, size_t len)
{
  void *at = take(nl, len);

  grow_request(nl);
  return at;
}

void zl_nl_put(struct zl_nl *nl, uint16_t type, const void *data, size_t len)
{
  struct nlattr *attr = take(nl, NLA_HDRLEN + len);

  if (!nl->full) {
    attr->nla_type = type;
    attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
    if (len > 0)
      memcpy((char *)attr + NLA_HDRLEN, data, len);
  }
  grow_request(nl);
}

void zl_nl_put_u8(struct zl_nl *nl, uint16_t type, uint8_t value)
{
  zl_nl_put(nl, type, &value, sizeof(value));
}

void zl_nl_put_u32(struct zl_nl *nl, uint16_t type, uint32_t value)
{
  zl_nl_put(nl, type, &value, sizeof(value));
}

void zl_nl_put_be32(struct zl_nl *nl, uint16_t type, uint32_t value)
{
  zl_nl_put_u32(nl, type, htonl(value));
}

void zl_nl_put_text(struct zl_nl *nl, uint16_t type, const char *text)
{
  zl_nl_put(nl, type, text, strlen(text) + 1);
}

size_t zl_nl_nest(struct zl_nl *nl, uint16_t type)
{
  size_t position = nl->len;

  zl_nl_put(nl, type | NLA_F_NESTED, NULL, 0);
  return position;
}

void zl_nl_nest_end(struct zl_nl *nl, size_t position)
{
  struct nlattr *attr = (struct nlattr *)(void *)(nl->data + position);

  if (!nl->full)
    attr->nla_len = (uint16_t)(nl->len - position);
}

static int send_batch(struct zl_nl *nl, struct zl_error *err)
{
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  ssize_t n;

  if (nl->full)
    return zl_fail(err, ZL_E_LIMIT, 0, "a netlink request is larger than %zu bytes", nl->size);
  do
    n = sendto(nl->fd, nl->data, nl->len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
  while (n < 0 && errno == EINTR);
  return n < 0 ? zl_fail_errno(err, "%s", nl->what[0]) : 0;
}

/* One datagram from the kernel; those of other senders are not for us. */
static int receive(struct zl_nl *nl, char *reply, size_t *ret_len, struct zl_error *err)
{
  for (;;) {
    struct sockaddr_nl from = { 0 };
    struct iovec iov = { .iov_base = reply, .iov_len = ZL_NL_REPLY };
    struct msghdr msg = {
      .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
    };
    ssize_t n = recvmsg(nl->fd, &msg, MSG_DONTWAIT);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "reading the kernel's answer to '%s'", nl->what[0]);
    if (msg.msg_flags & MSG_TRUNC)
      return zl_fail(err, ZL_E_LIMIT, 0, "the kernel's answer to '%s' is over %d bytes",
                     nl->what[0], ZL_NL_REPLY);
    if (from.nl_pid == 0) {
      *ret_len = (size_t)n;
      return 0;
    }
  }
}

/* The kernel's own words in an error message, or "". */
static const char *explanation(const struct nlmsghdr *message)
{
  const struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];

  /* With NETLINK_CAP_ACK only the header of the request is repeated. */
  if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) || !(message->nlmsg_flags & NLM_F_CAPPED))
    return "";
  zl_nl_parse(message, sizeof(struct nlmsgerr), attrs, NLMSGERR_ATTR_MAX);
  return zl_nl_text(attrs[NLMSGERR_ATTR_MSG]);
}

static int check_ack(struct zl_nl *nl, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct nlmsgerr *ack = zl_nl_payload(message);
  const char *text = explanation(message), *what;

  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*ack)))
    return zl_fail(err, ZL_E_SYSTEM, EBADMSG, "%s", nl->what[0]);
  if (ack->error == 0)
    return 0;
  what = nl->what[message->nlmsg_seq - nl->seq];
  return text[0] != '\0' ? zl_fail(err, ZL_E_SYSTEM, -ack->error, "%s (%s)", what, text)
                         : zl_fail(err, ZL_E_SYSTEM, -ack->error, "%s", what);
}

struct answer {
  zl_nl_fn fn; /* NULL: only acknowledgements are of interest */
  void *ctx;
  int result; /* first failure, or > 0: fn wants no more */
};

static void take_message(struct zl_nl *nl, struct answer *answer, const struct nlmsghdr *message,
                         struct zl_error *err)
{
  int r = 0;

  if (message->nlmsg_seq - nl->seq >= nl->n_requests)
    return; /* left over from an exchange that was given up */
  if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
    nl->expected &= ~(UINT64_C(1) << (message->nlmsg_seq - nl->seq));
    if (message->nlmsg_type == NLMSG_ERROR)
      r = check_ack(nl, message, answer->result < 0 ? NULL : err);
  } else if (answer->fn != NULL && answer->result == 0) {
    r = answer->fn(answer->ctx, message, err);
  }
  if (r < 0 ? answer->result >= 0 : answer->result == 0)
    answer->result = r;
}

static int run(struct zl_nl *nl, struct answer *answer, struct zl_error *err)
{
  _Alignas(8) char reply[ZL_NL_REPLY];
  int r = send_batch(nl, err);

  while (r == 0 && nl->expected != 0) {
    size_t len = 0;

    r = receive(nl, reply, &len, answer->result < 0 ? NULL : err);
    for (struct nlmsghdr *message = (void *)reply; r == 0 && NLMSG_OK(message, len);
         message = NLMSG_NEXT(message, len))
      take_message(nl, answer, message, err);
  }
  nl->seq += nl->n_requests;
  empty(nl);
  /* The first failure tells most: nftables may end a batch without an answer to its last part. */
  if (answer->result < 0)
    return answer->result;
  return r;
}

int zl_nl_exchange(struct zl_nl *nl, struct zl_error *err)
{
  struct answer answer = { .fn = NULL };

  return run(nl, &answer, err);
}

int zl_nl_query(struct zl_nl *nl, zl_nl_fn fn, void *ctx, struct zl_error *err)
{
  struct answer answer = { .fn = fn, .ctx = ctx };

  return run(nl, &answer, err);
}

void zl_nl_parse(const struct nlmsghdr *message, size_t skip, const struct nlattr **attrs,
                 uint16_t max)
{
  const char *at = (const char *)message + NLMSG_HDRLEN + NLMSG_ALIGN(skip);
  const char *end = (const char *)message + message->nlmsg_len;

  for (uint16_t type = 0; type <= max; type++)
    attrs[type] = NULL;
  while (end - at >= NLA_HDRLEN) {
    const struct nlattr *attr = (const void *)at;
    uint16_t type = attr->nla_type & NLA_TYPE_MASK;

    if (attr->nla_len < NLA_HDRLEN || attr->nla_len > end - at)
      return;
    if (type <= max)
      attrs[type] = attr;
    at += NLA_ALIGN(attr->nla_len);
  }
}

const void *zl_nl_data(const struct nlattr *attr, size_t len)
{
  return attr != NULL && attr->nla_len >= NLA_HDRLEN + len ? (const char *)attr + NLA_HDRLEN : NULL;
}

const char *zl_nl_text(const struct nlattr *attr)
{
  const char *text = zl_nl_data(attr, 1);

  if (attr == NULL || text == NULL)
    return "";
  return memchr(text, '\0', attr->nla_len - NLA_HDRLEN) != NULL ? text : "";
}
