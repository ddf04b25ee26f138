/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/json.h"
#include "guest/bundle.h"
#include "guest/settings.h"
#include "net/linux/link.h"
#include "net/linux/netlink.h"

static int own_world(void **state)
{
  (void)state;
  assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS), 0);
  assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
  assert_int_equal(mount("tmpfs", "/etc", "tmpfs", 0, NULL), 0);
  return 0;
}

static int parsed(int (*fn)(const json_t *, struct zl_error *), const char *text,
                  struct zl_error *err)
{
  zl_autojson *json = json_loads(text, 0, NULL);

  assert_non_null(json);
  return fn(json, err);
}

/* ---- Network ------------------------------------------------------------------------------- */

/* A link that has the machine's name, as virtio-net would. */
static void make_link(void)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error err = { 0 };
  struct ifinfomsg *info;
  size_t nest;

  assert_int_equal(zl_nl_open(&nl, NETLINK_ROUTE, &err), 0);
  info = zl_nl_request(&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info), "link");
  info->ifi_family = AF_UNSPEC;
  zl_nl_put_text(&nl, IFLA_IFNAME, ZL_LINK_SELF);
  nest = zl_nl_nest(&nl, IFLA_LINKINFO);
  zl_nl_put_text(&nl, IFLA_INFO_KIND, "veth");
  zl_nl_nest_end(&nl, nest);
  if (zl_nl_exchange(&nl, &err) < 0)
    fail_msg("%s", err.msg);
}

static struct ifreq ask_link(unsigned long what)
{
  struct ifreq request = { .ifr_name = ZL_LINK_SELF };
  zl_autofd sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  assert_int_equal(ioctl(sock, what, &request), 0);
  return request;
}

static void the_link_gets_what_was_said(void **state)
{
  static const uint8_t mac[] = { 0x02, 0x00, 0x0a, 0xc8, 0x00, 0x02 };
  static const uint8_t address[] = { 10, 200, 0, 2 };
  zl_autobuf routes = ZL_BUF_INIT(65536);
  struct zl_error err = { 0 };
  struct ifreq request;

  (void)state;
  make_link();
  /* Without an address it stays down. */
  assert_int_equal(parsed(settings_network, "{\"ID\":\"eth0\"}", &err), 0);
  assert_int_equal(ask_link(SIOCGIFFLAGS).ifr_flags & IFF_UP, 0);
  if (parsed(settings_network,
             "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:0A:c8:00:02\",\"Mtu\":1400,"
             "\"IPConfigs\":[{\"IPAddress\":\"10.200.0.2\",\"PrefixLength\":28}],"
             "\"Routes\":[{\"NextHop\":\"10.200.0.1\",\"DestinationPrefix\":\"0.0.0.0/0\"}]}",
             &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(ask_link(SIOCGIFFLAGS).ifr_flags & IFF_UP, IFF_UP);
  assert_int_equal(ask_link(SIOCGIFMTU).ifr_mtu, 1400);
  request = ask_link(SIOCGIFHWADDR);
  assert_memory_equal(request.ifr_hwaddr.sa_data, mac, sizeof(mac));
  request = ask_link(SIOCGIFADDR);
  assert_memory_equal(request.ifr_addr.sa_data + 2, address, sizeof(address));
  assert_int_equal(zl_file_read(AT_FDCWD, "/proc/thread-self/net/route", &routes, &err), 0);
  assert_non_null(strstr(routes.data, "eth0\t00000000\t0100C80A")); /* default, via 10.200.0.1 */
}

static void odd_networks_are_refused(void **state)
{
  static const char *const texts[] = {
    "{}",
    "{\"ID\":\"eth1\"}",
    "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:0a:c8:00\"}",
    "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:0a:c8:00:2\"}",
    "{\"ID\":\"eth0\",\"MacAddress\":\"02:00:0a:c8:00:02:03\"}",
    "{\"ID\":\"eth0\",\"MacAddress\":\"02-00-0a-c8-00-02\"}",
    "{\"ID\":\"eth0\",\"MacAddress\":\"\"}",
    "{\"ID\":\"eth0\",\"Mtu\":100}",
    "{\"ID\":\"eth0\",\"IPConfigs\":[{}]}",
    "{\"ID\":\"eth0\",\"IPConfigs\":[{\"IPAddress\":\"::1\"}]}",
    "{\"ID\":\"eth0\",\"IPConfigs\":[{\"IPAddress\":\"10.0.0.1\",\"PrefixLength\":33}]}",
  };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    if (parsed(settings_network, texts[i], &err) != -ZL_E_INVALID)
      fail_msg("%s", texts[i]);
  assert_int_equal(parsed(settings_network,
                          "{\"ID\":\"eth0\",\"Routes\":[{\"NextHop\":\"10.0.0.1\","
                          "\"DestinationPrefix\":\"10.0.0.0/8\"}]}",
                          &err),
                   -ZL_E_UNSUPPORTED);
}

/* ---- Identity ------------------------------------------------------------------------------ */

static void a_machine_gets_its_own_identity(void **state)
{
  static const char id[] = "0123456789abcdef0123456789abcdef";
  zl_autobuf text = ZL_BUF_INIT(64);
  struct zl_error err = { 0 };
  char name[65] = "";

  (void)state;
  assert_int_equal(parsed(settings_identity,
                          "{\"Hostname\":\"clone-7\",\"MachineId\":"
                          "\"0123456789abcdef0123456789abcdef\",\"Entropy\":"
                          "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}",
                          &err),
                   0);
  assert_int_equal(gethostname(name, sizeof(name)), 0);
  assert_string_equal(name, "clone-7");
  assert_int_equal(zl_file_read(AT_FDCWD, "/etc/machine-id", &text, &err), 0);
  assert_int_equal(text.len, sizeof(id));
  assert_memory_equal(text.data, id, sizeof(id) - 1);
}

static void odd_identities_change_nothing(void **state)
{
  static const char *const texts[] = {
    "{\"Entropy\":\"AAEC\",\"Hostname\":\"other\"}", /* too little */
    "{\"Entropy\":\"!\",\"Hostname\":\"other\"}",
    "{\"Entropy\":7,\"Hostname\":\"other\"}",
    "{\"WallClockNs\":-1,\"Hostname\":\"other\"}",
    "{\"Hostname\":\"\"}",
    "{\"MachineId\":\"0123\"}",
    "{\"MachineId\":\"0123456789abcdef0123456789ABCDEF\"}",
  };
  struct zl_error err = { 0 };
  char name[65] = "";

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    if (parsed(settings_identity, texts[i], &err) != -ZL_E_INVALID)
      fail_msg("%s", texts[i]);
  assert_int_equal(gethostname(name, sizeof(name)), 0);
  assert_string_not_equal(name, "other");
  assert_true(access("/etc/machine-id", F_OK) < 0);
}

/* ---- Disks and directories ----------------------------------------------------------------- */

static int add_disk(const json_t *settings, struct zl_error *err)
{
  return settings_disk(settings, false, err);
}

static int remove_disk(const json_t *settings, struct zl_error *err)
{
  return settings_disk(settings, true, err);
}

static void odd_mounts_are_refused(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(parsed(add_disk, "{}", &err), -ZL_E_INVALID);
  assert_int_equal(parsed(add_disk, "{\"Lun\":26,\"MountPath\":\"/etc/x\"}", &err), -ZL_E_INVALID);
  assert_int_equal(parsed(add_disk, "{\"Lun\":25,\"MountPath\":\"etc/x\"}", &err), -ZL_E_INVALID);
  assert_int_equal(
      parsed(add_disk, "{\"Lun\":25,\"MountPath\":\"/etc/x\",\"Filesystem\":\"vfat\"}", &err),
      -ZL_E_UNSUPPORTED);
  assert_true(
      parsed(add_disk, "{\"Lun\":25,\"MountPath\":\"/etc/x\",\"Filesystem\":\"ext4\"}", &err) < 0);
  assert_non_null(strstr(err.msg, "/dev/vdz"));
  assert_true(parsed(settings_directory, "{\"ShareName\":\"a,b\",\"MountPath\":\"/etc/x\"}", &err) <
              0);
  assert_true(parsed(settings_directory, "{\"MountPath\":\"/etc/x\"}", &err) < 0);
}

static void a_mount_can_be_removed(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(parsed(remove_disk, "{\"Lun\":0,\"MountPath\":\"/etc\"}", &err), 0);
  assert_int_equal(mount("tmpfs", "/etc", "tmpfs", 0, NULL), 0);
  assert_true(parsed(remove_disk, "{\"Lun\":0,\"MountPath\":\"/etc/none\"}", &err) < 0);
}

/* ---- Bundles ------------------------------------------------------------------------------- */

static json_t *bundle_of(const char *text)
{
  json_t *json = json_loads(text, 0, NULL);

  assert_non_null(json);
  return json;
}

static void expect_ttl(const char *wanted)
{
  zl_autobuf text = ZL_BUF_INIT(16);

  assert_int_equal(zl_file_read(AT_FDCWD, "/proc/sys/net/ipv4/ip_default_ttl", &text, NULL), 0);
  assert_memory_equal(text.data, wanted, strlen(wanted));
}

static void network_settings_are_the_machines(void **state)
{
  zl_autojson *json =
      bundle_of("{\"zlayer\":{\"network\":{\"mode\":\"host\"}},\"linux\":{\"sysctl\":"
                "{\"net.ipv4.ip_default_ttl\":\"77\",\"kernel.shmmni\":\"7\"}}}");
  json_t *settings = json_object_get(json_object_get(json, "linux"), "sysctl");
  struct zl_error err = { 0 };

  (void)state;
  expect_ttl("64");
  assert_int_equal(bundle_set_network(json, &err), 0);
  expect_ttl("77");
  assert_int_equal(json_object_size(settings), 1);
  assert_non_null(json_object_get(settings, "kernel.shmmni"));
  (void)json_object_set_new(settings, "net/../kernel/panic", json_string("1"));
  assert_int_equal(bundle_set_network(json, &err), -ZL_E_INVALID);
}

static void a_network_of_its_own_is_left_to_the_engine(void **state)
{
  zl_autojson *json = bundle_of("{\"zlayer\":{\"network\":{\"mode\":\"none\"}},"
                                "\"linux\":{\"sysctl\":{\"net.ipv4.ip_default_ttl\":\"77\"}}}");

  (void)state;
  assert_int_equal(bundle_set_network(json, NULL), 0);
  expect_ttl("64");
  assert_int_equal(json_object_size(json_object_get(json_object_get(json, "linux"), "sysctl")), 1);
}

static bool has_device(const json_t *json, const char *path)
{
  const json_t *devices = json_object_get(json_object_get(json, "linux"), "devices");
  bool found = false;

  for (size_t i = 0; i < json_array_size(devices); i++)
    found |=
        strcmp(json_string_value(json_object_get(json_array_get(devices, i), "path")), path) == 0;
  return found;
}

static void all_devices_are_those_of_the_machine(void **state)
{
  zl_autojson *json = bundle_of("{\"zlayer\":{\"allDevices\":true},\"linux\":{\"devices\":[]}}");
  zl_autojson *none = bundle_of("{\"zlayer\":{},\"linux\":{\"devices\":[]}}");

  (void)state;
  assert_int_equal(bundle_add_devices(json, NULL), 0);
  assert_true(has_device(json, "/dev/null"));
  assert_null(json_object_get(json_object_get(json, "zlayer"), "allDevices"));
  assert_int_equal(bundle_add_devices(none, NULL), 0);
  assert_false(has_device(none, "/dev/null"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(the_link_gets_what_was_said, own_world),
    cmocka_unit_test_setup(odd_networks_are_refused, own_world),
    cmocka_unit_test_setup(a_machine_gets_its_own_identity, own_world),
    cmocka_unit_test_setup(odd_identities_change_nothing, own_world),
    cmocka_unit_test_setup(odd_mounts_are_refused, own_world),
    cmocka_unit_test_setup(a_mount_can_be_removed, own_world),
    cmocka_unit_test_setup(network_settings_are_the_machines, own_world),
    cmocka_unit_test_setup(a_network_of_its_own_is_left_to_the_engine, own_world),
    cmocka_unit_test(all_devices_are_those_of_the_machine),
  };

  return cmocka_run_group_tests_name("guest settings", tests, NULL, NULL);
}
