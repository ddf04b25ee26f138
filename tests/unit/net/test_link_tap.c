/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "box.h"
#include "net/bridge.h"
#include "net/orphans.h"

#define ADDRESS UINT32_C(0x0ac80002)

enum {
  TRIES = 100,
  TRY_MS = 50
};

static const struct zl_slice slice = { .network = 0x0ac80000, .prefix = 28 };

/* What a guest writes into the tap: virtio-net's header, then the frame. */
struct frame {
  uint8_t virtio[10];
  struct ether_header ether;
  struct ether_arp arp;
} __attribute__((packed));

static int new_world(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  assert_int_equal(zl_bridge_create("br", &slice, &err), 0);
  assert_int_equal(zl_bridge_configure("br", &slice, &err), 0);
  return 0;
}

static int make_tap(const char *name, const char *bridge)
{
  const struct zl_tap tap = { .name = name, .bridge = bridge, .address = ADDRESS, .mtu = 1400 };
  struct zl_error err = { 0 };
  int fd = -1;

  if (zl_link_create_tap(&tap, &fd, &err) < 0)
    fail_msg("%s", err.msg);
  assert_true(fd >= 0);
  return fd;
}

/* Who is 10.200.0.1? asks the guest of that MAC. */
static void ask(int tap, const uint8_t mac[ZL_MAC])
{
  struct frame frame = { .ether.ether_type = htons(ETHERTYPE_ARP) };
  const uint32_t own = htonl(ADDRESS), gateway = htonl(ADDRESS - 1);

  memset(frame.ether.ether_dhost, 0xff, ETH_ALEN);
  memcpy(frame.ether.ether_shost, mac, ETH_ALEN);
  frame.arp.arp_hrd = htons(ARPHRD_ETHER);
  frame.arp.arp_pro = htons(ETHERTYPE_IP);
  frame.arp.arp_hln = ETH_ALEN;
  frame.arp.arp_pln = sizeof(own);
  frame.arp.arp_op = htons(ARPOP_REQUEST);
  memcpy(frame.arp.arp_sha, mac, ETH_ALEN);
  memcpy(frame.arp.arp_spa, &own, sizeof(own));
  memcpy(frame.arp.arp_tpa, &gateway, sizeof(gateway));
  assert_int_equal(write(tap, &frame, sizeof(frame)), sizeof(frame));
}

/* True when an answer is there; *ret_mac is whom it is for. */
static bool hear(int tap, uint8_t ret_mac[ZL_MAC])
{
  struct pollfd poll_fd = { .fd = tap, .events = POLLIN };
  struct frame frame;
  uint8_t data[2048];

  while (poll(&poll_fd, 1, TRY_MS) == 1) {
    ssize_t n = read(tap, data, sizeof(data));

    if (n < (ssize_t)sizeof(frame))
      continue;
    memcpy(&frame, data, sizeof(frame));
    if (frame.ether.ether_type != htons(ETHERTYPE_ARP) || frame.arp.arp_op != htons(ARPOP_REPLY))
      continue;
    memcpy(ret_mac, frame.arp.arp_tha, ZL_MAC);
    return true;
  }
  return false;
}

static void only_the_guests_own_mac_is_heard(void **state)
{
  static const uint8_t foreign[ZL_MAC] = { 0x02, 0, 1, 2, 3, 4 };
  uint8_t own[ZL_MAC], got[ZL_MAC] = { 0 };
  zl_autofd tap = make_tap("zltest1", "br");
  int i;

  (void)state;
  zl_link_mac(ADDRESS, own);
  /* The first frames may be lost: the kernel puts the bridge into service a moment later. The
   * foreign one is always sent first, so its answer would be heard first. */
  for (i = 0; i < TRIES; i++) {
    ask(tap, foreign);
    ask(tap, own);
    if (hear(tap, got))
      break;
  }
  assert_true(i < TRIES);
  assert_memory_equal(got, own, ZL_MAC);
}

static void it_has_what_was_asked_for(void **state)
{
  zl_autofd tap = make_tap("zltest1", "br"),
            mtu = zl_fd_open(AT_FDCWD, "/proc/thread-self/net/if_inet6", O_RDONLY, 0);
  char text[4096] = "";

  (void)state;
  assert_true(zl_fd_read_full(mtu, text, sizeof(text) - 1) >= 0);
  assert_null(strstr(text, "zltest1"));
  assert_int_equal(fcntl(tap, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  assert_int_equal(fcntl(tap, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static int see_up(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  (void)err;
  *(bool *)ctx = (link->flags & 1) != 0;
  return 0;
}

static void it_is_gone_with_its_descriptor(void **state)
{
  int tap = make_tap("zltest1", NULL);
  struct zl_error err = { 0 };
  bool up = false;

  (void)state;
  assert_int_equal(zl_link_exists("zltest1", &err), 1);
  assert_int_equal(zl_link_list("zltest1", see_up, &up, &err), 0);
  assert_true(up);
  (void)close(tap);
  assert_int_equal(zl_link_exists("zltest1", &err), 0);
  tap = make_tap("zltest1", "br");
  (void)close(tap);
}

static void failures_name_the_tap_and_leave_none(void **state)
{
  struct zl_tap tap = { .name = "zltest1", .bridge = "nobr" };
  struct zl_error err = { 0 };
  int fd = -1;

  (void)state;
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "'nobr'"));
  tap.bridge = "lo"; /* no bridge */
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_SYSTEM);
  assert_non_null(strstr(err.msg, "'zltest1'"));
  tap.bridge = "br";
  tap.mtu = 1 << 20;
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_SYSTEM);
  tap.mtu = 0;
  tap.name = "sixteen-letters-";
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_INVALID);
  tap.name = "br"; /* taken, by another kind */
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_CONFLICT);
  assert_int_equal(fd, -1);
  assert_int_equal(zl_link_exists("zltest1", &err), 0);

  tap.name = "zltest1";
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), 0);
  assert_int_equal(zl_link_create_tap(&tap, &fd, &err), -ZL_E_CONFLICT);
  (void)close(fd);
}

/* ---- A machine in the place of a link -------------------------------------------------------- */

/* Into a namespace whose eth0 leads to the bridge, as a CNI plugin leaves it. Returns that of the
 * bridge, which goes with its last descriptor. */
static int enter_pod(void)
{
  const struct zl_link_self self = {
    .address = ADDRESS, .prefix = 28, .gateway = ADDRESS - 1, .mtu = 1400, .proc_fd = -1
  };
  struct zl_veth veth = { .link = "zltest2", .bridge = "br", .address = ADDRESS, .mtu = 1400 };
  zl_autofd host = zl_fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0), pod = -1;
  struct zl_error err = { 0 };

  assert_int_equal(unshare(CLONE_NEWNET), 0);
  pod = zl_fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0);
  assert_int_equal(setns(host, CLONE_NEWNET), 0);
  veth.netns_fd = pod;
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  assert_int_equal(setns(pod, CLONE_NEWNET), 0);
  assert_int_equal(zl_link_configure_self(&self, &err), 0);
  return zl_steal_fd(&host);
}

static void a_link_is_found_with_all_that_it_has(void **state)
{
  zl_autofd host = -1;
  struct zl_link_pod pod;
  uint8_t mac[ZL_MAC];
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  assert_int_equal(zl_link_find_pod(&pod, &err), 0);
  assert_int_equal(zl_link_lo_up(&err), 0);
  assert_int_equal(zl_link_find_pod(&pod, &err), 0);
  new_world(NULL);
  host = enter_pod();
  assert_int_equal(zl_link_find_pod(&pod, &err), 1);
  zl_link_mac(ADDRESS, mac);
  assert_string_equal(pod.name, "eth0");
  assert_memory_equal(pod.mac, mac, ZL_MAC);
  assert_int_equal(pod.address, ADDRESS);
  assert_int_equal(pod.prefix, 28);
  assert_int_equal(pod.gateway, ADDRESS - 1);
  assert_int_equal(pod.mtu, 1400);
}

/* The second time for a tap that is new, while the filter of the first is still there. */
static void a_tap_takes_its_place(void **state)
{
  zl_autofd host = enter_pod();
  struct zl_error err = { 0 };
  uint8_t own[ZL_MAC], got[ZL_MAC];

  (void)state;
  assert_true(host >= 0);
  zl_link_mac(ADDRESS, own);
  assert_int_equal(zl_link_redirect("eth0", "zltest1", &err), -ZL_E_NOT_FOUND);
  for (int round = 0; round < 2; round++) {
    zl_autofd tap = make_tap("zltest1", NULL);
    int i;

    assert_int_equal(zl_link_redirect("eth0", "zltest1", &err), 0);
    memset(got, 0, sizeof(got));
    for (i = 0; i < TRIES; i++) {
      ask(tap, own);
      if (hear(tap, got))
        break;
    }
    assert_true(i < TRIES);
    assert_memory_equal(got, own, ZL_MAC);
  }
}

static void macs_are_parsed_strictly(void **state)
{
  static const char *const wrong[] = { "",
                                       "02:00:0a:c8:00",
                                       "02:00:0a:c8:00:02:",
                                       "02:00:0a:c8:00:0g",
                                       "2:0:a:c8:0:2",
                                       "02-00-0a-c8-00-02" };
  static const uint8_t right[ZL_MAC] = { 0x02, 0x00, 0x0a, 0xc8, 0x00, 0x02 };
  uint8_t mac[ZL_MAC];

  (void)state;
  assert_true(zl_link_mac_parse("02:00:0A:c8:00:02", mac));
  assert_memory_equal(mac, right, ZL_MAC);
  for (size_t i = 0; i < ZL_COUNT(wrong); i++)
    assert_false(zl_link_mac_parse(wrong[i], mac));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(only_the_guests_own_mac_is_heard, new_world),
    cmocka_unit_test_setup(it_has_what_was_asked_for, new_world),
    cmocka_unit_test_setup(it_is_gone_with_its_descriptor, new_world),
    cmocka_unit_test_setup(failures_name_the_tap_and_leave_none, new_world),
    cmocka_unit_test(a_link_is_found_with_all_that_it_has),
    cmocka_unit_test_setup(a_tap_takes_its_place, new_world),
    cmocka_unit_test(macs_are_parsed_strictly),
  };

  return cmocka_run_group_tests_name("link_tap", tests, NULL, NULL);
}
