/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses, network modes, published ports: all traffic stays in the namespace of the test.
 */
#include "box.h"
#include "links.h"

enum {
  CAPACITY = 13 /* of BOX_SLICE, without network, broadcast and gateway */
};

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
  box_run("server", SH(links_server("served")));
  box_run("client", ARGV(BIN "sleep", "60"));
  links_expect_reach("client", "server", "10.220.99.18", "served");
  links_expect_address("client", "10.220.99.19");
  links_expect_hostname("client", "client-rep-1");
}

static void run_in_a_process(const char *name, const char *script)
{
  struct zl_service *service = box_service(name, SH(script));

  service->isolation = ZL_ISOLATION_PROCESS;
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id(name), &err));
}

/* In machines and not, on one network. */
static void isolations_reach_each_other(void **state)
{
  (void)state;
  if (!box.machines) {
    print_message("skipped: where the backend makes machines\n");
    skip();
  }
  box_run("machine", SH(links_server("from a machine")));
  run_in_a_process("process", links_server("from a process"));
  links_expect_reach("process", "machine", "10.220.99.18", "from a machine");
  links_expect_reach("machine", "process", "10.220.99.19", "from a process");
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

static void is_refused(const char *mode, enum zl_code code)
{
  struct zl_service *service = with_mode("orphan", mode);

  FAILS(box_create_service(service, &err), (int)code);
  zl_service_free(service);
}

static void modes_of_the_host_and_of_others(void)
{
  box_run("owner", ARGV(BIN "sleep", "60")); /* the bridge is there for it at the latest */
  box_expect_output("hosted", "ls /sys/class/net | grep -c zl-", "1\n");
  start_with_mode("guest", "container:owner-rep-1");
  links_expect_address("guest", "10.220.99.18");
  OK(zl_stop(box.rt, box_id("owner"), 0, &err));
  is_refused("container:owner-rep-1", ZL_E_CONFLICT);
  is_refused("container:nobody", ZL_E_NOT_FOUND);
}

static void network_modes(void **state)
{
  bool shares = !box.machines && !box.windows;

  (void)state;
  start_with_mode("alone", "none");
  if (shares)
    start_with_mode("hosted", "host");
  assert_int_equal(box_count("SELECT count(*) FROM leases"), 0);
  if (box.real)
    links_expect_none("alone");
  if (box.real && shares)
    modes_of_the_host_and_of_others();
  else if (box.real)
    is_refused("host", ZL_E_UNSUPPORTED);
}

static void published_ports_lead_in(void **state)
{
  struct zl_service *service = box_service("web", SH(links_server("served")));
  struct zl_service *rival = box_service("rival", ARGV(BIN "true"));
  const uint16_t port = box.machines ? 18180 : 18080; /* both may be tested at once */
  struct zl_container_info *list = NULL;
  char text[16], listed[32];
  size_t n = 0;

  (void)state;
  (void)snprintf(text, sizeof(text), "%d:80", port);
  (void)snprintf(listed, sizeof(listed), "0.0.0.0:%d->80/tcp", port);
  if (box.real) {
    OK(zl_port_parse(service, text, &err));
    OK(zl_port_parse(rival, text, &err));
    OK(box_create_service(service, &err));
    FAILS(box_create_service(rival, &err), ZL_E_CONFLICT);
    OK(zl_start(box.rt, box_id("web"), &err));
    links_expect_published("web", port, "served");
    OK(zl_list(box.rt, &list, &n, &err));
    assert_string_equal(list[0].ports, listed);
    zl_containers_free(list, n);
    OK(zl_remove(box.rt, box_id("web"), true, &err));
    OK(box_create_service(rival, &err));
  }
  zl_service_free(service);
  zl_service_free(rival);
}

/* Windows has no file of names that a container could be given (docs/windows.md). */
static void add_names(struct zl_service *service)
{
  OK(zl_list_add(&service->extra_hosts, "db:10.9.8.7", &err));
  OK(zl_list_add(&service->extra_hosts, "gate:host-gateway", &err));
  if (!box.windows)
    return;
  FAILS(box_create_service(service, &err), ZL_E_UNSUPPORTED);
  zl_list_clear(&service->extra_hosts);
}

static void expect_names(const char *name)
{
  struct zl_exec_result result = { 0 };

  if (box.windows)
    return;
  assert_int_equal(box_exec(name,
                            SH("grep -c '10.9.8.7.*db' /etc/hosts;"
                               "grep -c '10.220.99.17.*gate' /etc/hosts"),
                            &result),
                   0);
  assert_string_equal(result.out, "1\n1\n");
  zl_exec_result_done(&result);
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
  add_names(service);
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("named"), &err));
  links_expect_hostname("named", "my-host");
  links_expect_resolver("named", "10.1.2.3");
  expect_names("named");
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
