/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/limits.h"
#include "box.h"
#include "net/bridge.h"
#include "net/linux/netlink.h"
#include "net/orphans.h"

#define ADDRESS UINT32_C(0x0ac80002)

static const struct zl_slice slice = { .network = 0x0ac80000, .prefix = 28 };

static int new_world(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(unshare(CLONE_NEWNET), 0);
  assert_int_equal(zl_bridge_create("br", &slice, &err), 0);
  assert_int_equal(zl_bridge_configure("br", &slice, &err), 0);
  return 0;
}

static void a_pair_joins_a_namespace_to_the_bridge(void **state)
{
  zl_autofd ns = box_namespace();
  struct zl_veth veth = {
    .link = "zltest1", .bridge = "br", .netns_fd = ns, .address = ADDRESS, .mtu = 1400
  };
  struct zl_link_self self = {
    .address = ADDRESS, .prefix = 28, .gateway = ADDRESS - 1, .mtu = 1300, .proc_fd = -1
  };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  assert_int_equal(zl_link_exists("zltest1", &err), 1);
  assert_int_equal(zl_link_exists("eth0", &err), 0);
  box_enter(ns);
  assert_int_equal(zl_link_exists("eth0", &err), 1);
  assert_int_equal(zl_link_configure_self(&self, &err), 0);
}

static void read_text(const char *path, char *text, size_t size)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  ssize_t n = zl_fd_read_full(fd, text, size - 1);

  assert_true(n >= 0);
  text[n] = '\0';
}

static void the_mac_is_set_before_the_link_is_up(void **state)
{
  static const uint8_t mac[ZL_MAC] = { 0x02, 0x00, 0x12, 0x34, 0x56, 0x78 };
  zl_autofd ns = box_namespace();
  struct zl_veth veth = { .link = "zltest1", .bridge = "br", .netns_fd = ns, .address = ADDRESS };
  struct zl_link_self self = { .address = ADDRESS, .prefix = 28, .mac = mac, .proc_fd = -1 };
  struct ifreq request = { .ifr_name = ZL_LINK_SELF };
  struct zl_error err = { 0 };
  zl_autofd sock = -1;

  (void)state;
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  box_enter(ns);
  assert_int_equal(zl_link_configure_self(&self, &err), 0);
  sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  assert_int_equal(ioctl(sock, SIOCGIFHWADDR, &request), 0);
  assert_memory_equal(request.ifr_hwaddr.sa_data, mac, sizeof(mac));
}

static void ipv6_is_off_in_the_container(void **state)
{
  zl_autofd ns = box_namespace(), proc = zl_fd_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
  struct zl_veth veth = { .link = "zltest1", .bridge = "br", .netns_fd = ns, .address = ADDRESS };
  struct zl_link_self self = {
    .address = ADDRESS, .prefix = 28, .gateway = ADDRESS - 1, .proc_fd = proc
  };
  struct zl_error err = { 0 };
  char text[4096];

  (void)state;
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  box_enter(ns);
  assert_int_equal(zl_link_configure_self(&self, &err), 0);
  read_text("/proc/thread-self/net/if_inet6", text, sizeof(text));
  assert_null(strstr(text, "eth0"));
  read_text("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", text, sizeof(text));
  assert_string_equal(text, "1\n");
}

static void no_ipv6_address_is_made_without_procfs(void **state)
{
  char text[4096];

  a_pair_joins_a_namespace_to_the_bridge(state);
  read_text("/proc/thread-self/net/if_inet6", text, sizeof(text));
  assert_null(strstr(text, "eth0"));
}

static void failures_name_the_link_and_leave_none(void **state)
{
  zl_autofd ns = box_namespace(), file = zl_fd_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);
  struct zl_veth veth = { .link = "zltest1", .bridge = "nobr", .netns_fd = ns, .address = ADDRESS };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_link_create_veth(&veth, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "'nobr'"));
  veth.bridge = "br";
  veth.netns_fd = file;
  assert_int_equal(zl_link_create_veth(&veth, &err), -ZL_E_SYSTEM);
  assert_non_null(strstr(err.msg, "'zltest1'"));
  veth.netns_fd = ns;
  veth.link = "sixteen-letters-";
  assert_int_equal(zl_link_create_veth(&veth, &err), -ZL_E_INVALID);
  veth.link = "zltest1";
  assert_int_equal(zl_link_exists("zltest1", &err), 0);

  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  assert_int_equal(zl_link_create_veth(&veth, &err), -ZL_E_CONFLICT);
  assert_int_equal(zl_link_exists("zltest1", &err), 1);
}

static void down_and_remove_are_idempotent(void **state)
{
  zl_autofd ns = box_namespace();
  struct zl_veth veth = { .link = "zltest1", .bridge = "br", .netns_fd = ns, .address = ADDRESS };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_link_set_down("zltest1", &err), 0);
  assert_int_equal(zl_link_remove("zltest1", &err), 0);
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  assert_int_equal(zl_link_set_down("zltest1", &err), 0);
  assert_int_equal(zl_link_set_down("zltest1", &err), 0);
  assert_int_equal(zl_link_remove("zltest1", &err), 0);
  assert_int_equal(zl_link_remove("zltest1", &err), 0);
  assert_int_equal(zl_link_exists("zltest1", &err), 0);
}

static int see(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  unsigned *seen = ctx;

  (void)err;
  assert_true(strncmp(link->name, "zltest", 6) == 0);
  assert_true(link->index > 0);
  *seen |= 1U << (link->name[6] - '0');
  if ((link->flags & IFF_UP) != 0)
    *seen |= 0x100;
  return link->name[6] == '3';
}

static void links_are_listed_by_prefix(void **state)
{
  struct zl_error err = { 0 };
  unsigned seen = 0;

  (void)state;
  for (int i = 1; i <= 4; i++) {
    zl_autofd ns = box_namespace();
    char name[] = { 'z', 'l', 't', 'e', 's', 't', (char)('0' + i), 0 };
    struct zl_veth veth = { .link = name, .bridge = "br", .netns_fd = ns, .address = ADDRESS };

    assert_int_equal(zl_link_create_veth(&veth, &err), 0);
    assert_int_equal(zl_link_set_down(name, &err), 0);
    zl_fd_closep(&ns); /* the kernel may remove this one while we go on */
    seen = 0;
    assert_int_equal(zl_link_list("zltest", see, &seen, &err), 0);
    assert_int_equal(seen & 0x100, 0);
  }
  seen = 0;
  assert_int_equal(zl_link_list("other", see, &seen, &err), 0);
  assert_int_equal(seen, 0);
}

static void stats_are_those_of_the_container(void **state)
{
  zl_autofd host = zl_fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0);
  zl_autofd ns = box_namespace(), proc = zl_fd_open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
  struct zl_veth veth = { .link = "zltest1", .bridge = "br", .netns_fd = ns, .address = ADDRESS };
  struct zl_link_self self = { .address = ADDRESS, .prefix = 28, .proc_fd = proc };
  struct zl_error err = { 0 };
  uint64_t rx = 0, tx = 0, rx2 = 0, tx2 = 0;
  int listener;

  (void)state;
  assert_int_equal(zl_link_stats("zltest1", &rx, &tx, &err), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_link_create_veth(&veth, &err), 0);
  box_enter(ns);
  assert_int_equal(zl_link_configure_self(&self, &err), 0);
  box_enter(host);
  listener = box_listen(ns, SOCK_DGRAM, "10.200.0.2", 7);
  assert_int_equal(zl_link_stats("zltest1", &rx, &tx, &err), 0);
  for (int i = 0; i < 10; i++)
    assert_true(box_talk(host, SOCK_DGRAM, "10.200.0.2", 7, listener, NULL));
  assert_int_equal(zl_link_stats("zltest1", &rx2, &tx2, &err), 0);
  assert_true(rx2 - rx >= 290 && rx2 - rx < 2000);
  assert_true(tx2 - tx >= 290 && tx2 - tx < 2000);
  (void)close(listener);
}

static void a_batch_that_does_not_fit_is_refused(void **state)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error err = { 0 };
  char junk[512] = "";

  (void)state;
  assert_int_equal(zl_nl_open(&nl, NETLINK_ROUTE, &err), 0);
  (void)zl_nl_request(&nl, 18, 0, 16, "overflowing");
  for (int i = 0; i < 8; i++)
    zl_nl_put(&nl, 99, junk, sizeof(junk));
  assert_int_equal(zl_nl_exchange(&nl, &err), -ZL_E_LIMIT);
  for (int i = 0; i <= ZL_NL_REQUESTS; i++)
    (void)zl_nl_request(&nl, 18, 0, 4, "too many");
  assert_int_equal(zl_nl_exchange(&nl, &err), -ZL_E_LIMIT);
}

static void the_kernels_own_words_are_kept(void **state)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error err = { 0 };
  size_t info;

  (void)state;
  assert_int_equal(zl_nl_open(&nl, NETLINK_ROUTE, &err), 0);
  (void)zl_nl_request(&nl, 16, NLM_F_CREATE, 16, "making nonsense");
  info = zl_nl_nest(&nl, 18);
  zl_nl_put_text(&nl, 1, "no-such-kind");
  zl_nl_nest_end(&nl, info);
  assert_int_equal(zl_nl_exchange(&nl, &err), -ZL_E_SYSTEM);
  assert_int_equal(err.os_error, EOPNOTSUPP);
  assert_non_null(strstr(err.msg, "making nonsense ("));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_pair_joins_a_namespace_to_the_bridge, new_world),
    cmocka_unit_test_setup(the_mac_is_set_before_the_link_is_up, new_world),
    cmocka_unit_test_setup(ipv6_is_off_in_the_container, new_world),
    cmocka_unit_test_setup(no_ipv6_address_is_made_without_procfs, new_world),
    cmocka_unit_test_setup(failures_name_the_link_and_leave_none, new_world),
    cmocka_unit_test_setup(down_and_remove_are_idempotent, new_world),
    cmocka_unit_test_setup(links_are_listed_by_prefix, new_world),
    cmocka_unit_test_setup(stats_are_those_of_the_container, new_world),
    cmocka_unit_test_setup(a_batch_that_does_not_fit_is_refused, new_world),
    cmocka_unit_test_setup(the_kernels_own_words_are_kept, new_world),
  };

  return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
