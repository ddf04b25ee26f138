/* SPDX-License-Identifier: Apache-2.0
 *
 * Two links as the two ends of one wire: what either receives is sent by the other, before the
 * network stack sees it. Classifier u32 and action mirred, which most kernels have.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "net/linux/link_private.h"

enum {
  PRIORITY = 1,
  FIRST_ACTION = 1,
  INGRESS = 0xffff0000 /* of the queueing discipline "ingress" */
};

static struct tcmsg *ask(struct zl_nl *nl, uint16_t type, uint16_t flags, int index,
                         const char *what)
{
  struct tcmsg *tc = zl_nl_request(nl, type, flags, sizeof(*tc), what);

  tc->tcm_family = AF_UNSPEC;
  tc->tcm_ifindex = index;
  return tc;
}

static struct tcmsg *ask_filter(struct zl_nl *nl, uint16_t type, uint16_t flags, int index,
                                const char *what)
{
  struct tcmsg *tc = ask(nl, type, flags, index, what);

  tc->tcm_parent = INGRESS;
  tc->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
  zl_nl_put_text(nl, TCA_KIND, "u32");
  return tc;
}

/* One that a machine before has left is as good. */
static int add_discipline(struct zl_nl *nl, int index, struct zl_error *err)
{
  struct zl_error own = { 0 };
  struct tcmsg *tc = ask(nl, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index,
                         "adding a queueing discipline (CONFIG_NET_SCH_INGRESS)");
  int r;

  tc->tcm_handle = INGRESS;
  tc->tcm_parent = TC_H_INGRESS;
  zl_nl_put_text(nl, TCA_KIND, "ingress");
  r = zl_nl_exchange(nl, &own);
  if (r == 0 || own.os_error == EEXIST)
    return 0;
  *err = own;
  return r;
}

/* It sends to a link that is gone. */
static void remove_old_filter(struct zl_nl *nl, int index)
{
  (void)ask_filter(nl, RTM_DELTFILTER, 0, index, "removing the filter of a machine before");
  (void)zl_nl_exchange(nl, NULL);
}

static void put_action(struct zl_nl *nl, int to)
{
  const struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
                                    .eaction = TCA_EGRESS_REDIR,
                                    .ifindex = (uint32_t)to };
  size_t actions = zl_nl_nest(nl, TCA_U32_ACT), action = zl_nl_nest(nl, FIRST_ACTION), options;

  zl_nl_put_text(nl, TCA_ACT_KIND, "mirred");
  options = zl_nl_nest(nl, TCA_ACT_OPTIONS);
  zl_nl_put(nl, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
  zl_nl_nest_end(nl, options);
  zl_nl_nest_end(nl, action);
  zl_nl_nest_end(nl, actions);
}

/* Every frame: a key whose mask is empty. */
static int add_filter(struct zl_nl *nl, int from, int to, struct zl_error *err)
{
  struct {
    struct tc_u32_sel selector;
    struct tc_u32_key key;
  } all = { .selector = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
  size_t options;

  (void)ask_filter(nl, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, from,
                   "adding a filter (CONFIG_NET_CLS_U32, CONFIG_NET_ACT_MIRRED)");
  options = zl_nl_nest(nl, TCA_OPTIONS);
  zl_nl_put(nl, TCA_U32_SEL, &all, sizeof(all));
  put_action(nl, to);
  zl_nl_nest_end(nl, options);
  return zl_nl_exchange(nl, err);
}

static int redirect(struct zl_nl *nl, int from, int to, struct zl_error *err)
{
  int r = add_discipline(nl, from, err);

  if (r < 0)
    return r;
  remove_old_filter(nl, from);
  return add_filter(nl, from, to, err);
}

int zl_link_redirect(const char *one, const char *other, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error own = { 0 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, &own), first, second;

  if (r < 0)
    return zl__link_explain(err, &own, one);
  first = zl__link_index(nl.fd, one);
  second = zl__link_index(nl.fd, other);
  if (first < 0 || second < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, first < 0 ? -first : -second, "link '%s'",
                   first < 0 ? one : other);
  r = redirect(&nl, first, second, &own);
  if (r == 0)
    r = redirect(&nl, second, first, &own);
  return r == 0 ? 0 : zl__link_explain(err, &own, one);
}
