/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses, network modes, published ports: all traffic stays in the namespace of the test.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"

enum {
  CAPACITY = 13 /* of BOX_SLICE, without network, broadcast and gateway */
};

static void exec_ok(const char *name, const char *script, const char *wanted)
{
  struct zl_exec_result result = { 0 };

  assert_int_equal(box_exec(name, SH(script), &result), 0);
  if (strcmp(result.out, wanted) != 0)
    fail_msg("%s: '%s' instead of '%s' (%s)", script, result.out, wanted, result.err);
  zl_exec_result_done(&result);
}

static void a_full_slice_refuses_and_leaves_nothing(void **state)
{
  struct zl_service *service = box_service("late", ARGV(BIN "true"));
  char name[16];

  (void)state;
  for (int i = 0; i < CAPACITY; i++) {
    (void)snprintf(name, sizeof(name), "full-%d", i);
    box_create(name, ARGV(BIN "true"));
  }
  FAILS(box_create_service(service, &err), ZL_E_NO_ADDRESS);
  assert_int_equal(box_count("SELECT count(*) FROM containers WHERE id = 'late-rep-1'"), 0);
  assert_int_equal(box_count("SELECT count(*) FROM journal WHERE container = 'late-rep-1'"), 0);
  OK(zl_remove(box.rt, box_id("full-3"), true, &err));
  OK(box_create_service(service, &err));
  zl_service_free(service);
}

static void addresses_are_the_lowest_free(void **state)
{
  struct zl_container_info *list = NULL;
  size_t n = 0;

  (void)state;
  box_create("first", ARGV(BIN "true"));
  box_create("second", ARGV(BIN "true"));
  OK(zl_remove(box.rt, box_id("first"), true, &err));
  box_create("third", ARGV(BIN "true"));
  OK(zl_list(box.rt, &list, &n, &err));
  assert_int_equal(n, 2);
  assert_string_equal(list[0].address, "10.220.99.19");
  assert_string_equal(list[1].address, "10.220.99.18");
  zl_containers_free(list, n);
}

static void containers_reach_each_other(void **state)
{
  (void)state;
  if (!box.real)
    return;
  box_run("server", SH("while true; do echo served | nc -l -p 80; done"));
  box_run("client", ARGV(BIN "sleep", "60"));
  exec_ok("client", "until nc -w 2 10.220.99.18 80; do sleep 0.02; done", "served\n");
  exec_ok("client", "ip -4 -o addr show eth0 | grep -c 10.220.99.19/28", "1\n");
  exec_ok("client", "hostname; grep -c client-rep-1 /etc/hosts", "client-rep-1\n1\n");
}

/* In machines and not, on one bridge. */
static void isolations_reach_each_other(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.machines)
    return;
  box_run("machine", SH("while true; do echo from a machine | nc -l -p 80; done"));
  service = box_service("process", SH("while true; do echo from a process | nc -l -p 80; done"));
  service->isolation = ZL_ISOLATION_PROCESS;
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("process"), &err));
  exec_ok("process", "until nc -w 2 10.220.99.18 80; do sleep 0.02; done", "from a machine\n");
  exec_ok("machine", "until nc -w 2 10.220.99.19 80; do sleep 0.02; done", "from a process\n");
}

static struct zl_service *with_mode(const char *name, const char *mode)
{
  struct zl_service *service = box_service(name, ARGV(BIN "sleep", "60"));

  OK(zl_network_mode_parse(service, mode, &err));
  return service;
}

static void start_with_mode(const char *name, const char *mode)
{
  struct zl_service *service = with_mode(name, mode);

  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id(name), &err));
}

static void network_modes(void **state)
{
  struct zl_service *service;

  (void)state;
  start_with_mode("alone", "none");
  if (!box.machines)
    start_with_mode("hosted", "host");
  assert_int_equal(box_count("SELECT count(*) FROM leases"), 0);
  if (box.real)
    exec_ok("alone", "ls /sys/class/net", "lo\n");
  if (!box.real || box.machines)
    return;
  box_run("owner", ARGV(BIN "sleep", "60")); /* the bridge is there for it at the latest */
  exec_ok("hosted", "ls /sys/class/net | grep -c zl-", "1\n");
  start_with_mode("guest", "container:owner-rep-1");
  exec_ok("guest", "ip -4 -o addr show eth0 | grep -c 10.220.99.18/28", "1\n");
  OK(zl_stop(box.rt, box_id("owner"), 0, &err));
  service = with_mode("orphan", "container:owner-rep-1");
  FAILS(box_create_service(service, &err), ZL_E_CONFLICT);
  zl_service_free(service);
  service = with_mode("orphan", "container:nobody");
  FAILS(box_create_service(service, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

static bool is_served(void *ctx)
{
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(*(uint16_t *)ctx) };
  char text[16] = "";
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool ok;

  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ok = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && read(fd, text, sizeof(text)) == 7 &&
       strcmp(text, "served\n") == 0;
  (void)close(fd);
  return ok;
}

static void published_ports_lead_in(void **state)
{
  struct zl_service *service =
      box_service("web", SH("while true; do echo served | nc -l -p 80; done"));
  struct zl_service *rival = box_service("rival", ARGV(BIN "true"));
  uint16_t port = 18080;
  struct zl_container_info *list = NULL;
  size_t n = 0;

  (void)state;
  if (box.real) {
    OK(zl_port_parse(service, "18080:80", &err));
    OK(zl_port_parse(rival, "18080:80", &err));
    OK(box_create_service(service, &err));
    FAILS(box_create_service(rival, &err), ZL_E_CONFLICT);
    OK(zl_start(box.rt, box_id("web"), &err));
    assert_true(box_eventually(is_served, &port));
    OK(zl_list(box.rt, &list, &n, &err));
    assert_string_equal(list[0].ports, "0.0.0.0:18080->80/tcp");
    zl_containers_free(list, n);
  }
  zl_service_free(service);
  zl_service_free(rival);
}

static void name_files_say_what_is_asked(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  service = box_service("named", ARGV(BIN "sleep", "60"));
  OK(zl_text_set(&service->hostname, "my-host", &err));
  OK(zl_list_add(&service->dns, "10.1.2.3", &err));
  OK(zl_list_add(&service->extra_hosts, "db:10.9.8.7", &err));
  OK(zl_list_add(&service->extra_hosts, "gate:host-gateway", &err));
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("named"), &err));
  exec_ok("named", "hostname; cat /etc/hostname; grep -c 'nameserver 10.1.2.3' /etc/resolv.conf",
          "my-host\nmy-host\n1\n");
  exec_ok("named", "grep -c '10.9.8.7.*db' /etc/hosts; grep -c '10.220.99.17.*gate' /etc/hosts",
          "1\n1\n");
}

int suite_network(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_full_slice_refuses_and_leaves_nothing),
    CASE(addresses_are_the_lowest_free),
    CASE(containers_reach_each_other),
    CASE(isolations_reach_each_other),
    CASE(network_modes),
    CASE(published_ports_lead_in),
    CASE(name_files_say_what_is_asked),
  };

  return cmocka_run_group_tests_name("network", cases, NULL, NULL);
}
