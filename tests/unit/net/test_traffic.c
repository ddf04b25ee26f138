/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets between namespaces: what must get through does, what must not does not.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "box.h"
#include "net/linux/netlink.h"
#include "net/orphans.h"
#include "net/rules.h"

#include <linux/rtnetlink.h>

static void publish(struct box *box, const char *id, struct zl_net_port port)
{
  struct zl_error err = { 0 };

  assert_int_equal(zl_store_begin(box->store, &err), 0);
  assert_int_equal(zl_ports_reserve(box->net, id, &port, 1, &err), 0);
  assert_int_equal(zl_store_commit(box->store, &err), 0);
  if (zl_ports_apply(box->net, id, &err) < 0)
    fail_msg("%s", err.msg);
}

static void containers_reach_each_other_and_the_host(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a"), b = box_container(box, "b");
  zl_autofd in_b = box_listen(b.ns, SOCK_STREAM, "0.0.0.0", 80);
  zl_autofd in_host = box_listen(box->host_ns, SOCK_STREAM, "0.0.0.0", 81);
  uint32_t peer = 0;

  assert_true(box_talk(a.ns, SOCK_STREAM, "10.200.0.3", 80, in_b, &peer));
  assert_int_equal(peer, a.lease.address);
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "10.200.0.3", 80, in_b, &peer));
  assert_int_equal(peer, box_ip("10.200.0.1"));
  assert_true(box_talk(a.ns, SOCK_STREAM, "10.200.0.1", 81, in_host, &peer));
  assert_int_equal(peer, a.lease.address);
  box_remove(box, &a);
  box_remove(box, &b);
}

/* The next container gets the address at once, while the old link may still exist. */
static void an_address_is_used_again_at_once(void **state)
{
  struct box *box = *state;

  for (int i = 0; i < 4; i++) {
    struct container a = box_container(box, "a");
    zl_autofd in_a = box_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);

    assert_int_equal(a.lease.address, box_ip("10.200.0.2"));
    assert_true(box_talk(box->host_ns, SOCK_STREAM, "10.200.0.2", 80, in_a, NULL));
    box_remove(box, &a);
  }
}

static void what_leaves_the_slice_is_masqueraded(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a");
  zl_autofd world = box_outside(box);
  zl_autofd tcp = box_listen(world, SOCK_STREAM, "0.0.0.0", 80);
  zl_autofd udp = box_listen(world, SOCK_DGRAM, "0.0.0.0", 53);
  uint32_t peer = 0;

  assert_true(box_talk(a.ns, SOCK_STREAM, "192.0.2.2", 80, tcp, &peer));
  assert_int_equal(peer, box_ip("192.0.2.1"));
  assert_true(box_talk(a.ns, SOCK_DGRAM, "192.0.2.2", 53, udp, &peer));
  assert_int_equal(peer, box_ip("192.0.2.1"));
  box_remove(box, &a);
}

static void check_published(struct box *box, int type)
{
  struct container a = box_container(box, "a"), b = box_container(box, "b");
  uint8_t protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  zl_autofd world = box_outside(box);
  zl_autofd in_b = box_listen(b.ns, type, "0.0.0.0", 80);
  uint32_t peer = 0;

  assert_false(box_talk(world, type, "192.0.2.1", 8080, in_b, NULL));
  publish(box, "b", (struct zl_net_port){ 0, 8080, 80, protocol });
  assert_true(box_talk(world, type, "192.0.2.1", 8080, in_b, &peer));
  assert_int_equal(peer, box_ip("192.0.2.2"));
  assert_true(box_talk(box->host_ns, type, "127.0.0.1", 8080, in_b, &peer));
  assert_int_equal(peer, box_ip("10.200.0.1"));
  assert_true(box_talk(box->host_ns, type, "192.0.2.1", 8080, in_b, NULL));
  assert_true(box_talk(box->host_ns, type, "10.200.0.1", 8080, in_b, NULL));
  /* Through the host and back to the same bridge, even to itself. */
  assert_true(box_talk(a.ns, type, "192.0.2.1", 8080, in_b, &peer));
  assert_int_equal(peer, box_ip("10.200.0.1"));
  assert_true(box_talk(b.ns, type, "192.0.2.1", 8080, in_b, NULL));
  assert_int_equal(zl_ports_withdraw(box->net, "b", NULL), 0);
  assert_false(box_talk(world, type, "192.0.2.1", 8080, in_b, NULL));
  assert_false(box_talk(box->host_ns, type, "127.0.0.1", 8080, in_b, NULL));
  box_remove(box, &a);
  box_remove(box, &b);
}

/* Bridged packets pass the IP hooks or they do not: a setting of the host that is not ours. */
static void set_bridge_netfilter(const char *value)
{
  int r = zl_file_poke(AT_FDCWD, "/proc/sys/net/bridge/bridge-nf-call-iptables", value, NULL);

  if (r < 0)
    print_message("this kernel has no br_netfilter\n");
}

static void ports_work_without_bridge_netfilter(void **state)
{
  set_bridge_netfilter("0");
  check_published(*state, SOCK_STREAM);
}

static void ports_work_with_bridge_netfilter(void **state)
{
  set_bridge_netfilter("1");
  check_published(*state, SOCK_STREAM);
}

static void published_udp_ports_work(void **state)
{
  check_published(*state, SOCK_DGRAM);
}

static void a_port_on_one_address_is_only_there(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a"), b = box_container(box, "b");
  zl_autofd world = box_outside(box);
  zl_autofd in_a = box_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);
  zl_autofd in_b = box_listen(b.ns, SOCK_STREAM, "0.0.0.0", 80);

  publish(box, "a", (struct zl_net_port){ INADDR_LOOPBACK, 8080, 80, IPPROTO_TCP });
  publish(box, "b", (struct zl_net_port){ box_ip("192.0.2.1"), 8080, 80, IPPROTO_TCP });
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 8080, in_a, NULL));
  assert_true(box_talk(world, SOCK_STREAM, "192.0.2.1", 8080, in_b, NULL));
  assert_false(box_talk(box->host_ns, SOCK_STREAM, "10.200.0.1", 8080, in_a, NULL));
  box_remove(box, &b);
  assert_false(box_talk(world, SOCK_STREAM, "192.0.2.1", 8080, in_a, NULL));
  box_remove(box, &a);
}

static void lost_rules_are_put_back_with_their_ports(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a");
  struct zl_rules rules = { .table = zl_net_table(box->net) };
  zl_autofd in_a = box_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);
  const struct zl_rules_port stale[] = {
    { .host_port = 9999,
      .protocol = IPPROTO_TCP,
      .address = a.lease.address,
      .container_port = 80 },
    { .host_port = 8080, .protocol = IPPROTO_TCP, .address = 1, .container_port = 1 },
  };

  publish(box, "a", (struct zl_net_port){ 0, 8080, 80, IPPROTO_TCP });
  assert_int_equal(zl_rules_remove(&rules, NULL), 0);
  assert_false(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 8080, in_a, NULL));
  assert_int_equal(zl_net_ensure(box->net, NULL), 0);
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 8080, in_a, NULL));
  assert_int_equal(zl_rules_add_ports(&rules, stale, 2, NULL), 0);
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 9999, in_a, NULL));
  assert_false(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 8080, in_a, NULL));
  assert_int_equal(zl_ports_rebuild(box->net, NULL), 0);
  assert_false(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 9999, in_a, NULL));
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", 8080, in_a, NULL));
  box_remove(box, &a);
}

static void many_ports_of_one_container(void **state)
{
  enum {
    MANY = 300
  };
  struct box *box = *state;
  struct container a = box_container(box, "a");
  zl_autofd in_a = box_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);
  struct zl_net_port ports[MANY];
  struct zl_error err = { 0 };

  for (int i = 0; i < MANY; i++)
    ports[i] = (struct zl_net_port){ 0, (uint16_t)(20000 + i), 80, IPPROTO_TCP };
  assert_int_equal(zl_store_begin(box->store, &err), 0);
  assert_int_equal(zl_ports_reserve(box->net, "a", ports, MANY, &err), 0);
  assert_int_equal(zl_store_commit(box->store, &err), 0);
  assert_int_equal(zl_ports_apply(box->net, "a", &err), 0);
  for (int i = 0; i < MANY; i += 37)
    assert_true(box_talk(box->host_ns, SOCK_STREAM, "127.0.0.1", ports[i].host_port, in_a, NULL));
  box_remove(box, &a);
}

static void add_route(int ns, const char *network, unsigned prefix, const char *gateway)
{
  struct zl_error err = { 0 };
  zl_autonl nl = { .fd = -1 };
  struct rtmsg *info;

  box_enter(ns);
  assert_int_equal(zl_nl_open(&nl, NETLINK_ROUTE, &err), 0);
  info = zl_nl_request(&nl, RTM_NEWROUTE, NLM_F_CREATE, sizeof(*info), "adding a route");
  info->rtm_family = AF_INET;
  info->rtm_dst_len = (uint8_t)prefix;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = RTPROT_STATIC;
  info->rtm_type = RTN_UNICAST;
  zl_nl_put_be32(&nl, RTA_DST, box_ip(network));
  zl_nl_put_be32(&nl, RTA_GATEWAY, box_ip(gateway));
  assert_int_equal(zl_nl_exchange(&nl, &err), 0);
}

static void unpublished_ports_are_closed_to_the_outside(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a");
  zl_autofd world = box_outside(box);
  zl_autofd in_a = box_listen(a.ns, SOCK_STREAM, "0.0.0.0", 80);

  add_route(world, "10.200.0.0", 28, "192.0.2.1");
  box_enter(box->host_ns);
  assert_true(box_talk(box->host_ns, SOCK_STREAM, "10.200.0.2", 80, in_a, NULL));
  assert_false(box_talk(world, SOCK_STREAM, "10.200.0.2", 80, in_a, NULL));
  publish(box, "a", (struct zl_net_port){ 0, 8080, 80, IPPROTO_TCP });
  assert_true(box_talk(world, SOCK_STREAM, "192.0.2.1", 8080, in_a, NULL));
  assert_false(box_talk(world, SOCK_STREAM, "10.200.0.2", 80, in_a, NULL));
  box_remove(box, &a);
}

/* ---- Frames made by hand, as a container with CAP_NET_RAW could ---------------------------- */

struct forged {
  uint32_t mac_of, to_mac_of; /* whose MACs */
  uint32_t from, to;
  uint16_t source_port, port;
};

static uint16_t checksum(const uint8_t *data, size_t len)
{
  uint32_t sum = 0;

  for (size_t i = 0; i < len; i += 2)
    sum += (uint32_t)(data[i] << 8 | data[i + 1]);
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

static void put16(uint8_t *at, uint16_t value)
{
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
  put16(at, (uint16_t)(value >> 16));
  put16(at + 2, (uint16_t)value);
}

static void send_frame(int ns, const uint8_t *frame, size_t len)
{
  struct sockaddr_ll to = { .sll_family = AF_PACKET };
  zl_autofd sock = -1;

  box_enter(ns);
  sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  assert_true(sock >= 0);
  to.sll_ifindex = (int)if_nametoindex("eth0");
  assert_int_equal(sendto(sock, frame, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

static void send_udp(struct box *box, int ns, const struct forged *forged)
{
  uint8_t frame[64] = { 0 }, *ip = frame + 14, *udp = ip + 20;
  uint16_t sum;

  zl_link_mac(forged->to_mac_of, frame);
  zl_link_mac(forged->mac_of, frame + 6);
  put16(frame + 12, ETH_P_IP);
  ip[0] = 0x45;
  put16(ip + 2, 20 + 8 + 4);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  put32(ip + 12, forged->from);
  put32(ip + 16, forged->to);
  sum = checksum(ip, 20);
  memcpy(ip + 10, &sum, 2);
  put16(udp, forged->source_port);
  put16(udp + 2, forged->port);
  put16(udp + 4, 8 + 4); /* checksum 0: none */
  send_frame(ns, frame, 14 + 20 + 8 + 4);
  box_enter(box->host_ns);
}

static void drain(int sock)
{
  char bytes[64];

  while (recv(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
    continue;
}

static void a_container_cannot_use_another_address(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a"), b = box_container(box, "b"),
                   c = box_container(box, "c");
  zl_autofd in_a = box_listen(a.ns, SOCK_DGRAM, "0.0.0.0", 7);
  zl_autofd in_host = box_listen(box->host_ns, SOCK_DGRAM, "10.200.0.1", 7);
  const uint32_t gateway = box_ip("10.200.0.1");
  struct forged own = { b.lease.address, a.lease.address, b.lease.address, a.lease.address, 5, 7 };
  struct forged forged = own;

  send_udp(box, b.ns, &own);
  assert_true(box_gets(in_a));
  drain(in_a);
  forged.from = c.lease.address; /* its MAC, another's address */
  send_udp(box, b.ns, &forged);
  assert_false(box_gets(in_a));
  forged.mac_of = c.lease.address; /* another's MAC and address */
  send_udp(box, b.ns, &forged);
  assert_false(box_gets(in_a));
  forged = own;
  forged.mac_of = c.lease.address; /* another's MAC, its address */
  send_udp(box, b.ns, &forged);
  assert_false(box_gets(in_a));
  forged = own;
  forged.source_port = 67; /* a DHCP server */
  send_udp(box, b.ns, &forged);
  assert_false(box_gets(in_a));

  own.to_mac_of = own.to = gateway;
  send_udp(box, b.ns, &own);
  assert_true(box_gets(in_host));
  drain(in_host);
  own.from = box_ip("192.0.2.77");
  send_udp(box, b.ns, &own);
  assert_false(box_gets(in_host));
  box_remove(box, &a);
  box_remove(box, &b);
  box_remove(box, &c);
}

/* CVE-2020-8558 */
static void a_container_cannot_reach_the_hosts_loopback(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a");
  zl_autofd in_host = box_listen(box->host_ns, SOCK_DGRAM, "127.0.0.1", 7);
  zl_autofd anywhere = box_listen(box->host_ns, SOCK_DGRAM, "0.0.0.0", 8);
  const uint32_t gateway = box_ip("10.200.0.1");
  struct forged forged = { a.lease.address, gateway, a.lease.address, INADDR_LOOPBACK, 5, 7 };

  send_udp(box, a.ns, &forged);
  assert_false(box_gets(in_host));
  forged.to = gateway;
  forged.port = 8;
  send_udp(box, a.ns, &forged);
  assert_true(box_gets(anywhere));
  box_remove(box, &a);
}

static int open_tap(int ns, uint16_t protocol)
{
  struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
  int sock;

  box_enter(ns);
  sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(protocol));
  assert_true(sock >= 0);
  at.sll_ifindex = (int)if_nametoindex("eth0");
  assert_int_equal(bind(sock, (struct sockaddr *)&at, sizeof(at)), 0);
  return sock;
}

static void forge_arp(uint8_t frame[64], uint32_t mac_of, uint32_t address, uint32_t target)
{
  memset(frame, 0, 64);
  memset(frame, 0xff, 6);
  zl_link_mac(mac_of, frame + 6);
  put16(frame + 12, ETH_P_ARP);
  put16(frame + 14, 1);
  put16(frame + 16, ETH_P_IP);
  frame[18] = 6;
  frame[19] = 4;
  put16(frame + 20, 2);
  zl_link_mac(mac_of, frame + 22);
  put32(frame + 28, address);
  put32(frame + 38, target);
}

static void neither_forged_arp_nor_ipv6_gets_through(void **state)
{
  struct box *box = *state;
  struct container a = box_container(box, "a"), b = box_container(box, "b");
  zl_autofd arp = open_tap(a.ns, ETH_P_ARP), ipv6 = open_tap(a.ns, ETH_P_IPV6);
  uint8_t frame[64];

  forge_arp(frame, b.lease.address, b.lease.address, a.lease.address);
  send_frame(b.ns, frame, 60);
  assert_true(box_gets(arp));
  drain(arp);
  forge_arp(frame, b.lease.address, box_ip("10.200.0.1"), a.lease.address);
  send_frame(b.ns, frame, 60);
  assert_false(box_gets(arp));

  /* CVE-2020-13401: a router advertisement, of which the bridge looks at the type only. */
  memset(frame, 0, sizeof(frame));
  frame[0] = frame[1] = 0x33; /* all nodes */
  frame[5] = 1;
  zl_link_mac(b.lease.address, frame + 6);
  put16(frame + 12, ETH_P_IPV6);
  frame[14] = 0x60;
  send_frame(b.ns, frame, 60);
  assert_false(box_gets(ipv6));
  box_enter(box->host_ns);
  box_remove(box, &a);
  box_remove(box, &b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, box_new, box_free)

int main(void)
{
  const struct CMUnitTest tests[] = {
    CASE(containers_reach_each_other_and_the_host),
    CASE(an_address_is_used_again_at_once),
    CASE(what_leaves_the_slice_is_masqueraded),
    CASE(ports_work_without_bridge_netfilter),
    CASE(ports_work_with_bridge_netfilter),
    CASE(published_udp_ports_work),
    CASE(a_port_on_one_address_is_only_there),
    CASE(lost_rules_are_put_back_with_their_ports),
    CASE(many_ports_of_one_container),
    CASE(unpublished_ports_are_closed_to_the_outside),
    CASE(a_container_cannot_use_another_address),
    CASE(a_container_cannot_reach_the_hosts_loopback),
    CASE(neither_forged_arp_nor_ipv6_gets_through),
  };

  return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
