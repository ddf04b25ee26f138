/* SPDX-License-Identifier: Apache-2.0
 *
 * Members that only documents of other tools have: podman's, containerd's, the specification's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "engine/config.h"

#define TOP     "{"
#define PROCESS "\"process\":{"
#define LINUX   "\"linux\":{"
#define BAD     -ZL_E_INVALID
#define NO      -ZL_E_UNSUPPORTED

static const char least[] = "{\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},"
                            "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";

/* `least` with one more member in one of its objects. */
static int parse_with(const char *where, const char *member, struct zl_engine_config **ret,
                      struct zl_error *err)
{
  const char *at = strstr(least, where) + strlen(where);
  zl_autofree char *text = zl_asprintf("%.*s%s,%s", (int)(at - least), least, member, at);

  return zl_engine_config_parse(text, strlen(text), ret, err);
}

#define PARSE(where, member, config)                     \
  do {                                                   \
    struct zl_error err_ = { 0 };                        \
    if (parse_with(where, member, &(config), &err_) < 0) \
      fail_msg("%s", err_.msg);                          \
  } while (0)

static void hooks(void **state)
{
  zl_autoconfig *c = NULL;
  const struct zl_hook *hook;

  (void)state;
  PARSE(TOP,
        "\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"},{\"path\":\"/b\",\"args\":[\"b\",\"c\"],"
        "\"env\":[\"A=1\"],\"timeout\":5}],\"poststop\":[{\"path\":\"/z\",\"timeout\":null}]}",
        c);
  assert_int_equal(c->hooks[ZL_HOOK_PRESTART].n, 0);
  assert_int_equal(c->hooks[ZL_HOOK_CREATE_RUNTIME].n, 2);
  assert_int_equal(c->hooks[ZL_HOOK_POSTSTOP].n, 1);
  hook = c->hooks[ZL_HOOK_CREATE_RUNTIME].items;
  assert_string_equal(hook[0].path, "/a");
  assert_null(hook[0].args[0]);
  assert_null(hook[0].env);
  assert_int_equal(hook[0].timeout_s, 0);
  assert_string_equal(hook[1].args[1], "c");
  assert_string_equal(hook[1].env[0], "A=1");
  assert_int_equal(hook[1].timeout_s, 5);
  assert_string_equal(zl_hook_phase_name(ZL_HOOK_POSTSTOP), "poststop");
}

static void resources(void **state)
{
  zl_autoconfig *c = NULL;
  const struct zl_resources *r;

  (void)state;
  PARSE(LINUX,
        "\"resources\":{\"memory\":{\"kernel\":5,\"kernelTCP\":6,\"useHierarchy\":true,"
        "\"checkBeforeUpdate\":true},\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3},\"mlx5_2\":{"
        "\"hcaObjects\":9}},\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\","
        "\"priority\":500}]},\"blockIO\":{\"leafWeight\":0}}",
        c);
  r = &c->resources;
  assert_int_equal(r->memory_kernel, 5);
  assert_int_equal(r->memory_kernel_tcp, 6);
  assert_true(r->use_hierarchy && r->check_before_update);
  assert_int_equal(r->n_rdma, 2);
  assert_string_equal(r->rdma[0].device, "mlx5_1");
  assert_int_equal(r->rdma[0].hca_handles, 3);
  assert_true(r->rdma[0].hca_objects == ZL_UNSET);
  assert_int_equal(r->rdma[1].hca_objects, 9);
  assert_int_equal(r->net_class, 1048577);
  assert_int_equal(r->n_net_priorities, 1);
  assert_string_equal(r->net_priorities[0].interface, "eth0");
  assert_int_equal(r->net_priorities[0].priority, 500);
}

static void resources_by_themselves(void **state)
{
  zl_autojson *good = json_pack("{s:{s:i}}", "memory", "limit", 4096);
  zl_autojson *bad = json_pack("{s:{s:s}}", "memory", "limit", "x");
  zl_autoresources *res = NULL;
  struct zl_resources *none = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_engine_resources_parse(good, "resources", &res, &err), 0);
  assert_int_equal(res->memory_limit, 4096);
  assert_true(res->pids_limit == ZL_UNSET);
  assert_int_equal(zl_engine_resources_parse(bad, "resources", &none, &err), BAD);
  assert_string_equal(err.msg, "resources.memory.limit: expected an integer");
  assert_int_equal(zl_engine_resources_parse(NULL, "resources", &none, &err), BAD);
  assert_null(none);
}

static void how_a_process_is_scheduled(void **state)
{
  zl_autoconfig *c = NULL, *none = NULL;

  (void)state;
  PARSE(PROCESS,
        "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":7,\"flags\":["
        "\"SCHED_FLAG_RESET_ON_FORK\"]},\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":"
        "3},"
        "\"execCPUAffinity\":{\"initial\":\"0-1,65\",\"final\":\"1\"}",
        c);
  assert_true(c->process.scheduler.present);
  assert_int_equal(c->process.scheduler.policy, 1);
  assert_int_equal(c->process.scheduler.priority, 7);
  assert_int_equal(c->process.scheduler.flags, 1);
  assert_int_equal(c->process.io_priority, 2 << 13 | 3);
  assert_int_equal(c->process.exec_cpus_initial->bits[0], 3);
  assert_int_equal(c->process.exec_cpus_initial->bits[1], 2);
  assert_int_equal(c->process.exec_cpus_final->bits[0], 2);
  PARSE(PROCESS, "\"execCPUAffinity\":{\"initial\":\"\"},\"commandLine\":null", none);
  assert_false(none->process.scheduler.present);
  assert_null(none->process.exec_cpus_initial);
}

static void lists_of_processors(void **state)
{
  static const char *const bad[] = { "", ",", "1,", "a", "1-", "2-1", "8192", "1;2", "-1", "1 2" };
  struct zl_cpus cpus;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_cpus_parse(bad[i], &cpus));
  assert_true(zl_cpus_parse("8191", &cpus));
  assert_true(zl_cpus_parse("0-8191", &cpus));
  assert_true(cpus.bits[100] == ~0UL);
}

static void clocks_and_personality(void **state)
{
  zl_autoconfig *c = NULL;

  (void)state;
  PARSE(LINUX, "\"personality\":{\"domain\":\"LINUX32\",\"flags\":[]}", c);
  assert_true(c->has_personality);
  assert_int_equal(c->personality, 8);
  assert_false(c->monotonic.present);
}

static void labels(void **state)
{
  zl_autoconfig *c = NULL, *none = NULL, *mount = NULL;

  (void)state;
  PARSE(PROCESS, "\"apparmorProfile\":\"docker-default\",\"selinuxLabel\":\"a:b:c:s0:c1,c2\"", c);
  assert_string_equal(c->process.apparmor_profile, "docker-default");
  assert_string_equal(c->process.selinux_label, "a:b:c:s0:c1,c2");
  PARSE(PROCESS, "\"apparmorProfile\":\"unconfined\",\"selinuxLabel\":\"\"", none);
  assert_null(none->process.apparmor_profile);
  assert_null(none->process.selinux_label);
  PARSE(LINUX, "\"mountLabel\":\"a:b:c:s0\",\"intelRdt\":{\"closID\":\"x\"}", mount);
  assert_string_equal(mount->mount_label, "a:b:c:s0");
  assert_true(mount->intel_rdt);
  assert_false(c->intel_rdt);
}

static const struct {
  const char *where, *member;
  int code;
  const char *message; /* begins with, after "config.json: " */
} wrong[] = {
  { TOP, "\"hooks\":[]", BAD, "hooks: expected an object" },
  { TOP, "\"hooks\":{\"poststart\":{}}", BAD, "hooks.poststart: expected an array" },
  { TOP, "\"hooks\":{\"poststart\":[{}]}", BAD, "hooks.poststart[0].path: must be given" },
  { TOP, "\"hooks\":{\"poststart\":[{\"path\":\"a\"}]}", BAD, "hooks.poststart[0].path: 'a'" },
  { TOP, "\"hooks\":{\"prestart\":[{\"path\":\"/a\",\"timeout\":0}]}", BAD,
    "hooks.prestart[0].timeout: 0 is not" },
  { TOP, "\"hooks\":{\"prestart\":[{\"path\":\"/a\",\"args\":[1]}]}", BAD,
    "hooks.prestart[0].args[0]:" },
  { PROCESS, "\"commandLine\":\"a b\"", NO, "process.commandLine: is for Windows" },
  { PROCESS, "\"scheduler\":{}", BAD, "process.scheduler.policy: must be" },
  { PROCESS, "\"scheduler\":{\"policy\":\"FIFO\"}", BAD, "process.scheduler.policy: 'FIFO'" },
  { PROCESS, "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"nice\":1}", BAD,
    "process.scheduler.nice:" },
  { PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}", BAD,
    "process.scheduler.nice:" },
  { PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":2}", BAD,
    "process.scheduler.priority:" },
  { PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"period\":2}", BAD,
    "process.scheduler: run" },
  { PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}", BAD,
    "process.scheduler.flags[0]: 'X'" },
  { PROCESS, "\"ioPriority\":{\"class\":\"BE\"}", BAD, "process.ioPriority.class: 'BE'" },
  { PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", BAD,
    "process.ioPriority.priority:" },
  { PROCESS, "\"execCPUAffinity\":{\"final\":\"x\"}", BAD, "process.execCPUAffinity.final: 'x'" },
  { LINUX, "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}", BAD, "linux.timeOffsets: need" },
  { LINUX, "\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}", BAD,
    "linux.timeOffsets.boottime.nanosecs:" },
  { LINUX, "\"personality\":{\"domain\":\"BSD\"}", BAD, "linux.personality.domain: 'BSD'" },
  { LINUX, "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"A\"]}", NO,
    "linux.personality.flags:" },
  { LINUX, "\"resources\":{\"network\":{\"classID\":-1}}", BAD,
    "linux.resources.network.classID:" },
  { LINUX, "\"resources\":{\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}}", BAD,
    "linux.resources.network.priorities[0].name:" },
  { LINUX, "\"resources\":{\"rdma\":{\"a b\":{}}}", BAD, "linux.resources.rdma: 'a b'" },
  { LINUX, "\"resources\":{\"rdma\":{\"a\":5}}", BAD, "linux.resources.rdma.a:" },
  { LINUX, "\"resources\":{\"blockIO\":{\"leafWeight\":10}}", NO,
    "linux.resources.blockIO.leafWeight:" },
  { LINUX,
    "\"resources\":{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"leafWeight\":9}]}}",
    NO, "linux.resources.blockIO.weightDevice[0].leafWeight:" },
};

static void errors_name_the_path(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(wrong); i++) {
    zl_autofree char *want = zl_asprintf("config.json: %s", wrong[i].message);
    struct zl_engine_config *c = NULL;
    struct zl_error err = { 0 };
    int r = parse_with(wrong[i].where, wrong[i].member, &c, &err);

    if (r != wrong[i].code || !zl_has_prefix(err.msg, want) || c != NULL)
      fail_msg("%s: %d '%s'", wrong[i].member, r, err.msg);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(hooks),
    cmocka_unit_test(resources),
    cmocka_unit_test(resources_by_themselves),
    cmocka_unit_test(how_a_process_is_scheduled),
    cmocka_unit_test(lists_of_processors),
    cmocka_unit_test(clocks_and_personality),
    cmocka_unit_test(labels),
    cmocka_unit_test(errors_name_the_path),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
