/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BRIDGE  "zltbr0"
#define GATEWAY "10.213.7.1"

static void set_address(int fd, unsigned long request, const char *text)
{
  struct ifreq req = { .ifr_name = BRIDGE };
  struct sockaddr_in address = { .sin_family = AF_INET };

  assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
  memcpy(&req.ifr_addr, &address, sizeof(address));
  assert_int_equal(ioctl(fd, request, &req), 0);
}

static void make_bridge(void)
{
  struct ifreq req = { .ifr_name = BRIDGE };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  assert_true(fd >= 0);
  if (ioctl(fd, SIOCBRADDBR, BRIDGE) == 0) {
    set_address(fd, SIOCSIFADDR, GATEWAY);
    set_address(fd, SIOCSIFNETMASK, "255.255.255.240");
    req.ifr_flags = IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
  }
  (void)close(fd);
}

static void use_bridge(struct box *box, const char *link, const char *address)
{
  box_set(box, "zlayer.network",
          json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i}", "mode", "bridge", "bridge", BRIDGE,
                    "link", link, "address", address, "prefix", 28, "gateway", GATEWAY, "mtu",
                    1400));
}

static void stop_box(struct box *box)
{
  box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
  box_end(box);
  box_free(box);
}

static void bridge_mode(void **state)
{
  struct box *box =
      BOX_SH("ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4; ip route | head -n 1;"
             "cat /sys/class/net/eth0/mtu; ping -c 1 -W 2 " GATEWAY
             " >/dev/null && echo reached; sleep 100");
  json_t *reply, *stats;

  (void)state;
  make_bridge();
  use_bridge(box, "zltlink1", "10.213.7.2");
  box_run(box);
  box_await_output(box);
  for (int i = 0; i < 200; i++) {
    char *out = box_log(box, "stdout");
    bool done = strstr(out, "reached") != NULL;

    free(out);
    if (done)
      break;
    (void)usleep(10000);
  }
  box_assert_output(box, "10.213.7.2/28\ndefault via 10.213.7.1 dev eth0 \n1400\nreached\n");
  reply = box_ask(box, "{s:s}", "op", "stats");
  stats = json_object_get(reply, "stats");
  assert_true(json_integer_value(json_object_get(stats, "net_tx_bytes")) > 0);
  json_decref(reply);
  stop_box(box);
}

static void wait_until_gone(const char *link)
{
  for (int i = 0; i < 500 && if_nametoindex(link) != 0; i++)
    (void)usleep(10000);
  assert_int_equal(if_nametoindex(link), 0);
}

static void a_missing_bridge_leaves_nothing(void **state)
{
  struct box *box = BOX("true");
  json_t *reply;
  int status;

  (void)state;
  use_bridge(box, "zltlink2", "10.213.7.3");
  box_set(box, "zlayer.network.bridge", json_string("zltnone"));
  reply = box_launch(box);
  assert_string_equal(json_string_value(json_object_get(reply, "code")), "NOT_FOUND");
  json_decref(reply);
  assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
  wait_until_gone("zltlink2");
  box_free(box);
}

/* The link is made before the container's first process fails on its own account. */
static void a_late_failure_takes_the_link_away(void **state)
{
  struct box *box = BOX("true");
  json_t *reply;
  int status;

  (void)state;
  make_bridge();
  use_bridge(box, "zltlink3", "10.213.7.4");
  box_set(box, "zlayer.user", json_string("nobodyhere"));
  reply = box_launch(box);
  assert_true(json_is_false(json_object_get(reply, "ok")));
  json_decref(reply);
  assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
  wait_until_gone("zltlink3");
  box_free(box);
}

static void links_go_with_the_container(void **state)
{
  (void)state;
  make_bridge();
  for (int i = 0; i < 10; i++) {
    struct box *box = BOX("true");
    char link[16];

    (void)snprintf(link, sizeof(link), "zltloop%d", i);
    use_bridge(box, link, "10.213.7.5");
    box_expect(box, 0);
    box_free(box);
  }
  for (int i = 0; i < 10; i++) {
    char link[16];

    (void)snprintf(link, sizeof(link), "zltloop%d", i);
    wait_until_gone(link);
  }
}

static json_t *namespaces_without(const char *type)
{
  static const char *const types[] = { "pid", "network", "ipc", "uts", "mount", "cgroup" };
  json_t *list = json_array();

  for (size_t i = 0; i < ZL_COUNT(types); i++)
    if (strcmp(types[i], type) != 0)
      (void)json_array_append_new(list, json_pack("{s:s}", "type", types[i]));
  return list;
}

static char *own_namespace(const char *name)
{
  char path[64], target[64];
  ssize_t n;

  (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
  n = readlink(path, target, sizeof(target) - 2);
  assert_true(n > 0);
  target[n] = '\n';
  target[n + 1] = '\0';
  return strdup(target);
}

static void host_mode(void **state)
{
  struct box *box = BOX_SH("readlink /proc/self/ns/net; ls /sys/class/net | grep -c " BRIDGE);
  char *own = own_namespace("net"), wanted[80];

  (void)state;
  make_bridge();
  box_set(box, "linux.namespaces", namespaces_without("network"));
  box_set(box, "zlayer.network", json_pack("{s:s}", "mode", "host"));
  box_expect(box, 0);
  (void)snprintf(wanted, sizeof(wanted), "%s1\n", own);
  box_assert_output(box, wanted);
  free(own);
  box_free(box);
}

static void host_pid_namespace(void **state)
{
  struct box *box = BOX_SH("readlink /proc/self/ns/pid; sleep 100 & sleep 100");
  char *own = own_namespace("pid"), *out;

  (void)state;
  box_set(box, "linux.namespaces", namespaces_without("pid"));
  box_run(box);
  box_await_output(box);
  box_assert_output(box, own);
  out = box_exec(box, "readlink /proc/self/ns/pid", NULL, 0);
  assert_string_equal(out, own);
  free(out);
  free(own);
  stop_box(box); /* without a pid namespace only the cgroup finds them all */
}

static void namespace_of_another_container(void **state)
{
  struct box *first = BOX("sleep", "100"), *second = BOX_SH("readlink /proc/self/ns/net");
  char path[64], target[64], *out;
  ssize_t n;
  json_t *list = namespaces_without("network");

  (void)state;
  box_run(first);
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", first->pid);
  n = readlink(path, target, sizeof(target) - 2);
  assert_true(n > 0);
  target[n] = '\n';
  target[n + 1] = '\0';
  (void)json_array_append_new(list, json_pack("{s:s, s:s}", "type", "network", "path", path));
  box_set(second, "linux.namespaces", list);
  box_set(second, "zlayer.network", json_pack("{s:s}", "mode", "path"));
  box_run(second);
  box_end(second);
  out = box_log(second, "stdout");
  assert_string_equal(out, target);
  free(out);
  box_free(second);
  stop_box(first);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bridge_mode),
    cmocka_unit_test(a_missing_bridge_leaves_nothing),
    cmocka_unit_test(a_late_failure_takes_the_link_away),
    cmocka_unit_test(links_go_with_the_container),
    cmocka_unit_test(host_mode),
    cmocka_unit_test(host_pid_namespace),
    cmocka_unit_test(namespace_of_another_container),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
