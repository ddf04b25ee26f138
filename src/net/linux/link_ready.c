/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/link_ready.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

enum {
  TRIES = 200,
  PAUSE_NS = 1000000
};

struct end {
  int32_t peer;      /* index of the other end */
  int32_t namespace; /* of the other end, as numbered in this one; -1: unknown */
  int32_t bridge;    /* whose port it is; 0: none */
  bool up;
};

static int32_t read_i32(const struct nlattr *attr, int32_t fallback)
{
  const void *data = zl_nl_data(attr, sizeof(fallback));

  if (data != NULL)
    memcpy(&fallback, data, sizeof(fallback));
  return fallback;
}

static int take_end(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct nlattr *attrs[IFLA_LINK_NETNSID + 1];
  struct end *end = ctx;
  const uint8_t *state;

  (void)err;
  if (message->nlmsg_type != RTM_NEWLINK)
    return 0;
  zl_nl_parse(message, sizeof(struct ifinfomsg), attrs, IFLA_LINK_NETNSID);
  end->peer = read_i32(attrs[IFLA_LINK], 0);
  end->bridge = read_i32(attrs[IFLA_MASTER], 0);
  end->namespace = read_i32(attrs[IFLA_LINK_NETNSID], -1);
  state = zl_nl_data(attrs[IFLA_OPERSTATE], sizeof(*state));
  end->up = state != NULL && *state == IF_OPER_UP;
  return 0;
}

/* From 6.8 on this query itself makes the kernel finish what is pending for the link. */
static bool ask(struct zl_nl *nl, int index, int32_t namespace, struct end *ret)
{
  struct ifinfomsg *info = zl_nl_request(nl, RTM_GETLINK, 0, sizeof(*info), "looking at the pair");

  info->ifi_index = index;
  if (namespace >= 0)
    zl_nl_put(nl, IFLA_TARGET_NETNSID, &namespace, sizeof(namespace));
  zl_nl_put_u32(nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return zl_nl_query(nl, take_end, ret, NULL) == 0;
}

static bool await_up(struct zl_nl *nl, int32_t index, int32_t namespace, struct end *ret)
{
  const struct timespec pause = { .tv_nsec = PAUSE_NS };

  for (int i = 0; i < TRIES; i++) {
    *ret = (struct end){ .up = false };
    if (!ask(nl, index, namespace, ret))
      return false;
    if (ret->up)
      return true;
    /* An older kernel gives no event for a link of another namespace. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
  }
  return false;
}

/* The first port to forward puts the bridge itself into service, again from the work queue. */
void zl__link_await_peer(struct zl_nl *nl, int index)
{
  struct end own = { .namespace = -1 }, other, bridge;

  if (ask(nl, index, -1, &own) && own.namespace >= 0 &&
      await_up(nl, own.peer, own.namespace, &other) && other.bridge != 0)
    (void)await_up(nl, other.bridge, own.namespace, &bridge);
}
