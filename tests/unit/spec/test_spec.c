/* SPDX-License-Identifier: Apache-2.0
 *
 * The model: defaults, values, services made by a program, limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlayer/spec.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "spec/field.h"
#include "spec/rules.h"
#include "spec/tables.h"

#define HEAD "version: v1\ndeployment: demo\nservices:\n  web:\n    image: { name: busybox }\n"

static struct zl_deployment *parse(const char *text)
{
  struct zl_deployment *deployment = NULL;
  struct zl_error err = { 0 };
  int r = zl_deployment_parse(text, strlen(text), "test", &deployment, NULL, &err);

  if (r < 0)
    print_message("%s\n", err.msg);
  assert_int_equal(r, 0);
  return deployment;
}

static struct zl_service *new_service(void)
{
  struct zl_service *service = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_service_new("web", &service, &err), 0);
  assert_int_equal(zl_service_set_image(service, "busybox", &err), 0);
  return service;
}

static void assert_defaults(const struct zl_service *s)
{
  assert_string_equal(s->name, "web");
  assert_string_equal(s->image.canonical, "docker.io/library/busybox:latest");
  assert_int_equal(s->rtype, ZL_RTYPE_SERVICE);
  assert_int_equal(s->image.pull_policy, ZL_PULL_IF_NOT_PRESENT);
  assert_int_equal(s->image.source_policy, ZL_SOURCE_LOCAL_FIRST);
  assert_true(s->resources.cpu == 0);
  assert_int_equal(s->resources.memory, 0);
  assert_false(s->resources.has_memory_swappiness);
  assert_false(s->has_stop_grace_period);
  assert_int_equal(s->scale.mode, ZL_SCALE_FIXED);
  assert_int_equal(s->scale.replicas, 1);
  assert_int_equal(s->isolation, ZL_ISOLATION_AUTO);
  assert_int_equal(s->network_mode.kind, ZL_NETWORK_DEFAULT);
  assert_int_equal(s->userns_mode, ZL_USERNS_HOST);
  assert_int_equal(s->pid_mode, ZL_NS_PRIVATE);
  assert_int_equal(s->ipc_mode, ZL_NS_PRIVATE);
  assert_int_equal(s->restart_policy.kind, ZL_RESTART_NO);
  assert_int_equal(s->logs.max_size_bytes, 104857600);
  assert_int_equal(s->logs.retention_secs, 604800);
  assert_int_equal(s->platform.os, ZL_OS_ANY);
  assert_true(s->network.overlays.service.isolated);
  assert_false(s->network.overlays.global.isolated);
  assert_null(s->health);
  assert_null(s->command.entrypoint);
  assert_null(s->hostname);
}

static void defaults_are_the_same_in_files_and_programs(void **state)
{
  struct zl_deployment *deployment = parse(HEAD);
  struct zl_service *service = new_service();
  zl_autofree char *one = NULL;
  zl_autofree char *two = NULL;

  (void)state;
  assert_defaults(&deployment->services[0]);
  assert_defaults(service);
  assert_true(deployment->api.enabled);
  assert_string_equal(deployment->api.bind, "0.0.0.0:3669");
  assert_int_equal(zl_service_render(zl_service_find(deployment, "web"), ZL_SPEC_YAML, &one, NULL),
                   0);
  assert_int_equal(zl_service_render(service, ZL_SPEC_YAML, &two, NULL), 0);
  assert_string_equal(one, two);
  assert_null(zl_service_find(deployment, "db"));
  assert_int_equal(zl_service_validate(service, NULL, NULL), 0);
  zl_service_free(service);
  zl_deployment_free(deployment);
}

static void durations(void **state)
{
  static const struct {
    const char *text;
    uint64_t ns;
  } good[] = {
    { "0s", 0 },
    { "500ms", 500000000 },
    { "5s", 5000000000 },
    { "1m30s", 90000000000 },
    { "4h", 14400000000000 },
    { "1d 2h", 93600000000000 },
    { "7us", 7000 },
    { "7ns", 7 },
  };
  static const char *const bad[] = { "",    "5",  "s", "-5s", "5 s", "1.5s", "5S", "99999999999d",
                                     "5s,", " 5s" };
  struct zl_error err = { 0 };
  uint64_t ns = 42;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(good); i++) {
    assert_int_equal(zl_duration_parse(good[i].text, &ns, &err), 0);
    assert_int_equal(ns, good[i].ns);
  }
  ns = 42;
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    assert_int_equal(zl_duration_parse(bad[i], &ns, &err), -ZL_E_INVALID);
    assert_int_equal(ns, 42);
  }
}

static void sizes_and_cpus(void **state)
{
  static const struct {
    const char *text;
    uint64_t bytes;
  } good[] = {
    { "1", 1 },
    { "1K", 1000 },
    { "1Ki", 1024 },
    { "2M", 2000000 },
    { "2Mi", 2 << 20 },
    { "1G", 1000000000 },
    { "1Ti", UINT64_C(1) << 40 },
  };
  static const char *const bad[] = { "",    "0",    "0Mi", "-1",   "1.5Gi",
                                     "1gi", "1 Mi", "Mi",  "1MiB", "8388608Ti" };
  static const char *const bad_cpus[] = {
    "", "0", "0.001", "-1", "1e3", "inf", "1.2.3", ".", "9000"
  };
  struct zl_error err = { 0 };
  uint64_t bytes;
  double cpu;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(good); i++) {
    assert_int_equal(zl_memory_parse(good[i].text, &bytes, &err), 0);
    assert_int_equal(bytes, good[i].bytes);
  }
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_int_equal(zl_memory_parse(bad[i], &bytes, &err), -ZL_E_INVALID);
  assert_int_equal(zl_cpu_parse("0.5", &cpu, &err), 0);
  assert_true(cpu == 0.5);
  assert_int_equal(zl_cpu_parse(".25", &cpu, &err), 0);
  assert_true(cpu == 0.25);
  for (size_t i = 0; i < ZL_COUNT(bad_cpus); i++)
    assert_int_equal(zl_cpu_parse(bad_cpus[i], &cpu, &err), -ZL_E_INVALID);
}

static void ports(void **state)
{
  static const char *const bad[] = {
    "",         "0",     "65536",   "80/sctp",    "a:80",     "80:", ":", "1.2.3:80:80",
    "80-81:80", "80-70", "1:2:3:4", "::1:80:80x", "80:80:80",
  };
  struct zl_service *service = new_service();
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_port_parse(service, "80", &err), 0);
  assert_int_equal(zl_port_parse(service, "8080:80/udp", &err), 0);
  assert_int_equal(zl_port_parse(service, "127.0.0.1:8443:443", &err), 0);
  assert_int_equal(zl_port_parse(service, "[::1]::53", &err), 0);
  assert_int_equal(zl_port_parse(service, "9000-9002:90-92/tcp", &err), 0);
  assert_int_equal(service->n_port_mappings, 7);
  assert_int_equal(service->port_mappings[0].host_port, 0);
  assert_string_equal(service->port_mappings[0].host_ip, "0.0.0.0");
  assert_int_equal(service->port_mappings[1].protocol, ZL_PROTOCOL_UDP);
  assert_int_equal(service->port_mappings[2].host_port, 8443);
  assert_string_equal(service->port_mappings[2].host_ip, "127.0.0.1");
  assert_string_equal(service->port_mappings[3].host_ip, "::1");
  assert_int_equal(service->port_mappings[3].host_port, 0);
  assert_int_equal(service->port_mappings[6].host_port, 9002);
  assert_int_equal(service->port_mappings[6].container_port, 92);
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_int_equal(zl_port_parse(service, bad[i], &err), -ZL_E_INVALID);
  assert_int_equal(service->n_port_mappings, 7);
  assert_int_equal(zl_port_parse(service, "1-65535", &err), -ZL_E_LIMIT);
  assert_int_equal(service->n_port_mappings, 7);
  assert_int_equal(zl_service_validate(service, NULL, &err), 0);
  zl_service_free(service);
}

static void mounts(void **state)
{
  static const char *const bad[] = { "",         ":/x",  "/a:",  "a/b:/x",     "./a:/x",
                                     "/a:/x:rx", "/a:x", "/a:/", "/a/../b:/x", "Data:/x" };
  struct zl_service *service = new_service();
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_storage_parse(service, "/srv:/data:ro", &err), 0);
  assert_int_equal(zl_storage_parse(service, "pgdata:/var/lib", &err), 0);
  assert_int_equal(zl_storage_parse(service, "/scratch", &err), 0);
  assert_int_equal(zl_storage_parse(service, "C:\\data:D:\\x:rw", &err), 0);
  assert_int_equal(zl_tmpfs_parse(service, "/run:size=64Mi,mode=755", &err), 0);
  assert_int_equal(service->n_storage, 5);
  assert_int_equal(service->storage[0].type, ZL_STORAGE_BIND);
  assert_true(service->storage[0].readonly);
  assert_int_equal(service->storage[1].type, ZL_STORAGE_NAMED);
  assert_string_equal(service->storage[1].name, "pgdata");
  assert_int_equal(service->storage[2].type, ZL_STORAGE_ANONYMOUS);
  assert_string_equal(service->storage[3].source, "C:\\data");
  assert_string_equal(service->storage[3].target, "D:\\x");
  assert_int_equal(service->storage[4].mode, 0755);
  assert_int_equal(service->storage[4].size, 64 << 20);
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_int_equal(zl_storage_parse(service, bad[i], &err), -ZL_E_INVALID);
  assert_int_equal(zl_tmpfs_parse(service, "/x:mode=9", &err), -ZL_E_INVALID);
  assert_int_equal(zl_tmpfs_parse(service, "/x:noexec", &err), -ZL_E_INVALID);
  assert_int_equal(service->n_storage, 5);
  zl_service_free(service);
}

static void devices_limits_and_modes(void **state)
{
  static const char *const bad_devices[] = { "", "fuse", "/dev/a:/dev/b", "/dev/a:x", "/dev/a:" };
  static const char *const bad_limits[] = {
    "", "nofile", "nofile=", "nofile=2:1", "files=1", "nofile=-2", "nofile=unlimited:5"
  };
  struct zl_service *service = new_service();
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_device_parse(service, "/dev/fuse", &err), 0);
  assert_int_equal(zl_device_parse(service, "/dev/kvm:/dev/kvm:rm", &err), 0);
  assert_true(service->devices[0].write && !service->devices[0].mknod);
  assert_true(!service->devices[1].write && service->devices[1].mknod);
  for (size_t i = 0; i < ZL_COUNT(bad_devices); i++)
    assert_int_equal(zl_device_parse(service, bad_devices[i], &err), -ZL_E_INVALID);
  assert_int_equal(zl_ulimit_parse(service, "nofile=1024:2048", &err), 0);
  assert_int_equal(zl_ulimit_parse(service, "nofile=5", &err), 0);
  assert_int_equal(zl_ulimit_parse(service, "core=0:unlimited", &err), 0);
  assert_int_equal(service->n_ulimits, 2);
  assert_int_equal(service->ulimits[0].hard, 5);
  assert_true(service->ulimits[1].hard == ZL_UNLIMITED);
  for (size_t i = 0; i < ZL_COUNT(bad_limits); i++)
    assert_int_equal(zl_ulimit_parse(service, bad_limits[i], &err), -ZL_E_INVALID);
  assert_int_equal(zl_network_mode_parse(service, "container:abc", &err), 0);
  assert_string_equal(service->network_mode.name, "abc");
  assert_int_equal(zl_network_mode_parse(service, "container", &err), -ZL_E_INVALID);
  assert_int_equal(zl_network_mode_parse(service, "host", &err), 0);
  assert_null(service->network_mode.name);
  assert_int_equal(zl_platform_parse(service, "linux/arm64", &err), 0);
  assert_int_equal(service->platform.arch, ZL_ARCH_ARM64);
  assert_int_equal(zl_platform_parse(service, "plan9", &err), -ZL_E_INVALID);
  assert_int_equal(zl_service_set_mode(service, "pull_policy", "always", &err), 0);
  assert_int_equal(service->image.pull_policy, ZL_PULL_ALWAYS);
  assert_int_equal(zl_service_set_mode(service, "isolation", "hyperv", &err), 0);
  assert_int_equal(service->isolation, ZL_ISOLATION_HYPERV);
  assert_int_equal(zl_service_set_mode(service, "isolation", "vm", &err), -ZL_E_INVALID);
  assert_int_equal(zl_service_set_mode(service, "tty", "true", &err), -ZL_E_INVALID);
  zl_service_free(service);
}

static void expect_error(struct zl_service *service, const char *path, const char *text)
{
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };
  bool found = false;

  assert_true(zl_service_validate(service, &errors, &err) < 0);
  for (size_t i = 0; i < errors.count; i++) {
    assert_int_equal(errors.items[i].line, 0);
    found |=
        strcmp(errors.items[i].path, path) == 0 && strstr(errors.items[i].message, text) != NULL;
  }
  assert_true(found);
  assert_null(strstr(err.msg, "line"));
  zl_spec_errors_done(&errors);
}

static void programs_are_checked_like_files(void **state)
{
  struct zl_service *service = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_service_new("-web", &service, &err), 0);
  expect_error(service, "-web", "is not a service name");
  zl_service_free(service);
  assert_int_equal(zl_service_new("web", &service, &err), 0);
  expect_error(service, "web.image.name", "required but missing");
  assert_int_equal(zl_service_set_image(service, "Busybox", &err), -ZL_E_INVALID);
  assert_int_equal(zl_service_set_image(service, "busybox", &err), 0);
  assert_int_equal(zl_pairs_set(&service->env, "A", "$E:HOME", &err), 0);
  expect_error(service, "web.env.A", "in deployment files only");
  assert_int_equal(zl_pairs_set(&service->env, "A", "$S:x", &err), 0);
  expect_error(service, "web.env.A", "secrets are not supported yet");
  assert_int_equal(zl_pairs_set(&service->env, "A", "\xff", &err), 0);
  expect_error(service, "web.env.A", "not valid UTF-8");
  assert_int_equal(zl_pairs_set(&service->env, "A", "b", &err), 0);
  service->resources.cpu_shares = 1;
  expect_error(service, "web.resources.cpu_shares", "from 2 to 262144");
  service->resources.cpu_shares = 0;
  service->scale.replicas = 5000;
  expect_error(service, "web.scale.replicas", "from 0 to 1024");
  service->scale.replicas = 1;
  service->restart_policy.kind = ZL_RESTART_ALWAYS;
  expect_error(service, "web.restart_policy.kind", "'always' is not supported yet");
  service->restart_policy.kind = ZL_RESTART_NO;
  service->node_mode = (enum zl_node_mode)77;
  expect_error(service, "web.node_mode", "77 is not a value");
  service->node_mode = ZL_NODE_SHARED;
  assert_int_equal(zl_service_validate(service, NULL, &err), 0);
  zl_service_free(service);
}

static void lists_and_pairs(void **state)
{
  struct zl_service *service = new_service();
  struct zl_error err = { 0 };
  char text[16];

  (void)state;
  for (int i = 0; i < ZL_MAX_LIST; i++) {
    (void)snprintf(text, sizeof(text), "k%d", i);
    assert_int_equal(zl_pairs_set(&service->labels, text, "v", &err), 0);
    assert_int_equal(zl_list_add(&service->command.args, text, &err), 0);
  }
  assert_int_equal(zl_pairs_set(&service->labels, "more", "v", &err), -ZL_E_LIMIT);
  assert_int_equal(zl_list_add(&service->command.args, "more", &err), -ZL_E_LIMIT);
  assert_int_equal(zl_pairs_set(&service->labels, "k7", "w", &err), 0);
  assert_string_equal(zl_pairs_find(&service->labels, "k7"), "w");
  assert_null(zl_pairs_find(&service->labels, "more"));
  zl_list_clear(&service->command.args);
  assert_null(service->command.args);
  zl_service_free(service);
}

static void copies_are_deep_and_services_survive_being_kept(void **state)
{
  struct zl_deployment *deployment = NULL;
  struct zl_service *copy = NULL, *kept = NULL;
  struct zl_error err = { 0 };
  zl_autofree char *before = NULL;
  zl_autofree char *after = NULL;
  zl_autofree char *json = NULL;

  (void)state;
  assert_int_equal(
      zl_deployment_load(ZL_TEST_DATA "/valid/all-fields.yaml", &deployment, NULL, &err), 0);
  assert_int_equal(zl_service_render(&deployment->services[0], ZL_SPEC_YAML, &before, &err), 0);
  assert_int_equal(zl_service_copy(&deployment->services[0], &copy, &err), 0);
  zl_deployment_free(deployment);
  assert_non_null(copy->image.canonical);
  assert_int_equal(zl_service_render(copy, ZL_SPEC_JSON, &json, &err), 0);
  assert_int_equal(zl_service_parse(json, strlen(json), "web", &kept, NULL, &err), 0);
  assert_string_equal(kept->image.canonical, copy->image.canonical);
  assert_int_equal(zl_service_render(kept, ZL_SPEC_YAML, &after, &err), 0);
  assert_string_equal(before, after);
  zl_service_free(copy);
  zl_service_free(kept);
}

static void values_of_a_file_arrive(void **state)
{
  struct zl_deployment *deployment = NULL;
  struct zl_error err = { 0 };
  const struct zl_service *web, *db;

  (void)state;
  assert_int_equal(
      zl_deployment_load(ZL_TEST_DATA "/valid/all-fields.yaml", &deployment, NULL, &err), 0);
  web = zl_service_find(deployment, "web");
  db = zl_service_find(deployment, "db");
  assert_true(web->resources.cpu == 0.5);
  assert_int_equal(web->resources.memory, 256 << 20);
  assert_true(web->resources.memory_swap == ZL_UNLIMITED);
  assert_int_equal(web->resources.memory_reservation, 100000000);
  assert_true(web->resources.has_memory_swappiness);
  assert_int_equal(web->resources.oom_score_adj, -1000);
  assert_int_equal(web->resources.pids_limit, -1);
  assert_int_equal(web->stop_grace_period, UINT64_C(90000000000));
  assert_string_equal(zl_pairs_find(&web->env, "LINES"), "one\ntwo\x01 \"three\" \\ \xc3\xa9");
  assert_string_equal(zl_pairs_find(&web->env, "EMPTY"), "");
  assert_string_equal(web->command.args[1], "8080");
  assert_string_equal(web->expose[0], "8080");
  assert_int_equal(web->storage[3].mode, 0755);
  assert_int_equal(web->endpoints[0].target_port, 8080);
  assert_int_equal(web->endpoints[1].target_port, 53);
  assert_int_equal(web->ulimits[1].soft, 0);
  assert_true(web->ulimits[2].hard == ZL_UNLIMITED);
  assert_int_equal(web->userns_mode, ZL_USERNS_PRIVATE);
  assert_string_equal(web->capabilities[1], "cap_sys_time");
  assert_int_equal(web->depends[0].condition, ZL_CONDITION_STARTED);
  assert_string_equal(web->image.canonical,
                      "ghcr.io/acme/web:3@sha256:"
                      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_int_equal(db->network_mode.kind, ZL_NETWORK_HOST);
  assert_int_equal(db->scale.replicas, 0);
  zl_deployment_free(deployment);
}

static void env_comes_from_the_reader(void **state)
{
  struct zl_deployment *deployment;
  struct zl_error err = { 0 };
  const char *text = HEAD "    env: { A: '$E:ZLAYER_TEST_VALUE', B: 'x$E:y' }\n";

  (void)state;
  assert_int_equal(setenv("ZLAYER_TEST_VALUE", "five", 1), 0);
  deployment = parse(text);
  assert_string_equal(zl_pairs_find(&deployment->services[0].env, "A"), "five");
  assert_string_equal(zl_pairs_find(&deployment->services[0].env, "B"), "x$E:y");
  zl_deployment_free(deployment);
  assert_int_equal(setenv("ZLAYER_TEST_VALUE", "$S:api-key", 1), 0);
  deployment = NULL;
  assert_int_equal(zl_deployment_parse(text, strlen(text), "f", &deployment, NULL, &err),
                   -ZL_E_INVALID);
  assert_null(deployment);
  assert_int_equal(unsetenv("ZLAYER_TEST_VALUE"), 0);
}

static void files_are_bounded(void **state)
{
  struct zl_buf text = ZL_BUF_INIT(ZL_MAX_SPEC_FILE + 1024);
  struct zl_deployment *deployment = NULL;
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_buf_puts(&text, HEAD "    env: {", &err), 0);
  for (int i = 0; i <= ZL_MAX_LIST; i++)
    assert_int_equal(zl_buf_printf(&text, &err, "a%d: b,", i), 0);
  assert_int_equal(zl_buf_puts(&text, "}\n", &err), 0);
  assert_int_equal(zl_deployment_parse(text.data, text.len, "f", &deployment, &errors, &err),
                   -ZL_E_LIMIT);
  zl_buf_clear(&text);
  for (int i = 0; i < 2 * ZL_MAX_SPEC_ERRORS; i++)
    assert_int_equal(zl_buf_printf(&text, &err, "a%d: b\n", i), 0);
  assert_int_equal(zl_deployment_parse(text.data, text.len, "f", &deployment, &errors, &err),
                   -ZL_E_INVALID);
  assert_int_equal(errors.count, ZL_MAX_SPEC_ERRORS);
  assert_true(errors.truncated);
  while (text.len <= ZL_MAX_SPEC_FILE)
    assert_int_equal(zl_buf_puts(&text, "# comment ......................\n", &err), 0);
  assert_int_equal(zl_deployment_parse(text.data, text.len, "f", &deployment, &errors, &err),
                   -ZL_E_LIMIT);
  assert_int_equal(zl_deployment_load("/nonexistent/zlayer.yaml", &deployment, &errors, &err),
                   -ZL_E_NOT_FOUND);
  assert_null(deployment);
  zl_spec_errors_done(&errors);
  zl_buf_done(&text);
}

static void messages_are_one_line(void **state)
{
  const char *text = "version: v1\ndeployment: \"a\\nb\\e\"\n";
  struct zl_deployment *deployment = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_deployment_parse(text, strlen(text), "f", &deployment, NULL, &err),
                   -ZL_E_INVALID);
  assert_null(strchr(err.msg, '\n'));
  assert_null(strchr(err.msg, '\033'));
  assert_string_equal(err.msg, "f: deployment: 'a?b?' is not a deployment name: 3 to 63 letters, "
                               "digits or '-', the first not '-', line 2, column 13");
}

static void suggestions(void **state)
{
  static const struct {
    const char *key, *suggestion;
  } cases[] = {
    { "enviroment", "env" },
    { "environment", "env" },
    { "ports", "port_mappings" },
    { "imgae", "image" },
    { "resource", "resources" },
    { "comand", "command" },
    { "q", NULL },
    { "xyzzy", NULL },
    { "tyt", "tty" },
    { "healthcheck", "health" },
    { "ulimit", "ulimits" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    const char *found = zl_suggest_key(&zl_type_service, cases[i].key);

    if (cases[i].suggestion == NULL)
      assert_null(found);
    else
      assert_string_equal(found, cases[i].suggestion);
  }
}

static void utf8(void **state)
{
  static const char *const bad[] = { "\x80",     "\xc0\x80", "\xed\xa0\x80",    "\xf4\x90\x80\x80",
                                     "\xe2\x82", "\xff",     "\xf0\x80\x80\x80" };

  (void)state;
  assert_true(zl_text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_text_is_utf8(bad[i]));
}

/* A table that forgot a member would leave it out of copies and files. */
static void tables_are_sane(void **state)
{
  (void)state;
  for (size_t i = 0; i < zl_type_service.n_fields; i++) {
    const struct zl_field *field = &zl_type_service.fields[i];

    assert_non_null(field->doc);
    assert_true(field->size > 0);
    for (size_t j = 0; j < i; j++)
      assert_true(field->offset != zl_type_service.fields[j].offset);
  }
}

/* docs/schema.md holds what the tables say; `test_spec --schema` prints it. */
static void schema_is_documented(void **state)
{
  struct zl_buf tables = ZL_BUF_INIT(1 << 20), file = ZL_BUF_INIT(1 << 20);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_type_document(&zl_type_deployment, &tables, &err), 0);
  assert_int_equal(zl_file_read(AT_FDCWD, ZL_TEST_SCHEMA, &file, &err), 0);
  assert_non_null(strstr(file.data, tables.data));
  zl_buf_done(&tables);
  zl_buf_done(&file);
}

static int print_schema(void)
{
  struct zl_buf tables = ZL_BUF_INIT(1 << 20);
  struct zl_error err = { 0 };

  if (zl_type_document(&zl_type_deployment, &tables, &err) < 0)
    return 1;
  (void)fputs(tables.data, stdout);
  zl_buf_done(&tables);
  return 0;
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_are_the_same_in_files_and_programs),
    cmocka_unit_test(durations),
    cmocka_unit_test(sizes_and_cpus),
    cmocka_unit_test(ports),
    cmocka_unit_test(mounts),
    cmocka_unit_test(devices_limits_and_modes),
    cmocka_unit_test(programs_are_checked_like_files),
    cmocka_unit_test(lists_and_pairs),
    cmocka_unit_test(copies_are_deep_and_services_survive_being_kept),
    cmocka_unit_test(values_of_a_file_arrive),
    cmocka_unit_test(env_comes_from_the_reader),
    cmocka_unit_test(files_are_bounded),
    cmocka_unit_test(messages_are_one_line),
    cmocka_unit_test(suggestions),
    cmocka_unit_test(utf8),
    cmocka_unit_test(tables_are_sane),
    cmocka_unit_test(schema_is_documented),
  };

  if (argc == 2 && strcmp(argv[1], "--schema") == 0)
    return print_schema();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
