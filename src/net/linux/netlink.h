/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded netlink exchange: several requests are written into one buffer, sent by one system
 * call, and the kernel's answer to each is checked. The kernel works them off in order while the
 * send call runs, and goes on after one that fails; so a batch must not hold a request that does
 * harm when an earlier one has failed.
 *
 * The kernel has queued its answers when the send call returns, so an exchange never waits.
 *
 * Building cannot fail: what does not fit is noticed by the exchange (ZL_E_LIMIT).
 */
#ifndef ZL_NET_LINUX_NETLINK_H
#define ZL_NET_LINUX_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

enum {
  ZL_NL_SPACE = 2048,     /* the built-in buffer; a batch about one link is under 600 bytes */
  ZL_NL_LARGE = 64 << 10, /* a given buffer: a set of firewall rules, one attribute at most */
  ZL_NL_REQUESTS = 64,    /* in one batch: the bits of `expected` */
  ZL_NL_REPLY = 32 << 10  /* one read: what the kernel fills for a dump at most */
};

struct zl_nl {
  int fd; /* -1: closed */
  uint32_t seq;
  unsigned n_requests;
  uint64_t expected; /* by request: its end will be told */
  bool full;
  size_t len, size;
  size_t request;                   /* where the request being built begins */
  char *data;                       /* `own`, or a larger buffer of the caller */
  const char *what[ZL_NL_REQUESTS]; /* borrowed; for errors: "adding the address" */
  _Alignas(8) char own[ZL_NL_SPACE];
};

/* A socket of a netlink protocol (NETLINK_ROUTE, …) in the calling thread's network namespace. The
 * object must not be moved while it is open. */
int zl_nl_open(struct zl_nl *nl, int protocol, struct zl_error *err);
/* Uses `size` bytes of the caller's, at most ZL_NL_LARGE and aligned to 8, from the next batch on.
 */
void zl_nl_use_buffer(struct zl_nl *nl, char *buffer, size_t size);
void zl_nl_close(struct zl_nl *nl);
#define zl_autonl ZL_CLEANUP(zl_nl_close) struct zl_nl

/* Begins a request; returns its zeroed payload of `len` bytes (ifinfomsg, …), never NULL. `flags`
 * beyond NLM_F_REQUEST | NLM_F_ACK. `what` is borrowed until the exchange. */
void *zl_nl_request(struct zl_nl *nl, uint16_t type, uint16_t flags, size_t len, const char *what);
/* As above without an acknowledgement: only its failure is told. */
void *zl_nl_request_quiet(struct zl_nl *nl, uint16_t type, uint16_t flags, size_t len,
                          const char *what);
/* Asks for the acknowledgement of the request begun last; a batch needs at least one. */
void zl_nl_want_answer(struct zl_nl *nl);
/* Attributes of the request begun last. */
void zl_nl_put(struct zl_nl *nl, uint16_t type, const void *data, size_t len);
void zl_nl_put_u8(struct zl_nl *nl, uint16_t type, uint8_t value);
void zl_nl_put_u32(struct zl_nl *nl, uint16_t type, uint32_t value);
void zl_nl_put_be32(struct zl_nl *nl, uint16_t type, uint32_t value);
void zl_nl_put_text(struct zl_nl *nl, uint16_t type, const char *text);
/* An attribute of attributes: nest returns the position that nest_end wants. */
size_t zl_nl_nest(struct zl_nl *nl, uint16_t type);
void zl_nl_nest_end(struct zl_nl *nl, size_t position);
/* `len` zeroed bytes in place, as IFLA_INFO_DATA of a veth has; never NULL. */
void *zl_nl_raw(struct zl_nl *nl, size_t len);

/* Sends the batch and waits for every answer it asked for; empties the batch. The first failure is
 * reported: ZL_E_SYSTEM with err->os_error. */
int zl_nl_exchange(struct zl_nl *nl, struct zl_error *err);

/* As above for a batch that is one query; fn sees each message of the answer and returns 0 to go
 * on, > 0 to hear no more (success), < 0 for an error that it has put into *err. fn must not use
 * nl. */
typedef int (*zl_nl_fn)(void *ctx, const struct nlmsghdr *message, struct zl_error *err);
int zl_nl_query(struct zl_nl *nl, zl_nl_fn fn, void *ctx, struct zl_error *err);

/* NLMSG_DATA without losing const. */
static inline const void *zl_nl_payload(const struct nlmsghdr *message)
{
  return (const char *)message + NLMSG_HDRLEN;
}

/* Fills attrs[0 .. max] from the attributes behind a payload of `skip` bytes; absent ones are NULL.
 * Malformed tails are ignored: the kernel does not send them. */
void zl_nl_parse(const struct nlmsghdr *message, size_t skip, const struct nlattr **attrs,
                 uint16_t max);
/* An attribute's content if it has at least `len` bytes, else NULL. */
const void *zl_nl_data(const struct nlattr *attr, size_t len);
/* An attribute's text, or "" when it is absent or not terminated. */
const char *zl_nl_text(const struct nlattr *attr);

#endif
