/* SPDX-License-Identifier: Apache-2.0
 *
 * Which image runs on which host, which entry of an index is taken, which isolation follows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/hcs/isolation.h"

static struct zl_os_version version(const char *text)
{
  struct zl_os_version v = { 0 };

  if (text != NULL)
    assert_true(zl_os_version_parse(text, &v));
  return v;
}

static struct zl_os_version of_build(uint32_t build)
{
  return (struct zl_os_version){ 10, 0, build, 0 };
}

static void versions_are_read(void **state)
{
  static const char *const bad[] = { "",
                                     "10",
                                     "10.0",
                                     "10.0.",
                                     "10.0.20348.",
                                     "10.0.20348.1.1",
                                     "10..20348",
                                     ".10.0.20348",
                                     "10.0.20348a",
                                     "10.0.-1",
                                     "10.0.4294967296",
                                     "10.0. 20348",
                                     "v10.0.20348",
                                     "10.0.00000000020348" };
  struct zl_os_version v = { 1, 2, 3, 4 };
  char text[ZL_OS_VERSION_TEXT];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_os_version_parse(bad[i], &v));
  assert_false(zl_os_version_parse(NULL, &v));
  assert_int_equal(v.major, 1);
  assert_int_equal(v.revision, 4);

  assert_true(zl_os_version_parse("10.0.20348.2966", &v));
  assert_int_equal(v.major, 10);
  assert_int_equal(v.minor, 0);
  assert_int_equal(v.build, 20348);
  assert_int_equal(v.revision, 2966);
  assert_string_equal(zl_os_version_format(&v, text), "10.0.20348.2966");
  assert_true(zl_os_version_parse("10.0.17763", &v));
  assert_int_equal(v.revision, 0);
  assert_string_equal(zl_os_version_format(&v, text), "10.0.17763");
  v = (struct zl_os_version){ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
  assert_string_equal(zl_os_version_format(&v, text),
                      "4294967295.4294967295.4294967295.4294967295");
  v = (struct zl_os_version){ 0 };
  assert_string_equal(zl_os_version_format(&v, text), "unknown");
}

static void builds_fit_or_not(void **state)
{
  static const struct {
    uint32_t host, image;
    bool process, hyperv;
  } rows[] = {
    /* The ten that other runtimes are tested with. */
    { 17763, 17763, true, true },
    { 17763, 20348, false, false },
    { 20348, 17763, false, true },
    { 20348, 20348, true, true },
    { 22621, 17763, false, true },
    { 22621, 20348, true, true },
    { 26100, 20348, true, true },
    { 20348, 26100, false, false },
    { 20348, 22621, false, false },
    { 26100, 22621, true, true },
    /* Before Server 2022 a kernel runs its own build only. */
    { 14393, 14393, true, true },
    { 17763, 14393, false, true },
    { 18363, 18362, false, true },
    { 19041, 19041, true, true },
    { 19045, 19041, false, true },
    { 19045, 19045, true, true },
    { 20347, 20346, false, true },
    /* From Server 2022 on, the builds since the last long-term one. */
    { 20349, 20348, true, true },
    { 20349, 20347, false, true },
    { 22000, 20348, true, true },
    { 25398, 20348, true, true },
    { 25398, 22621, true, true },
    { 25398, 19045, false, true },
    { 26100, 26100, true, true },
    { 26100, 25398, true, true },
    { 26100, 17763, false, true },
    /* After Server 2025 its build is the oldest. */
    { 26101, 26100, true, true },
    { 26101, 25398, false, true },
    { 27000, 26500, true, true },
    { 27000, 20348, false, true },
    { 27000, 27001, false, false },
    /* Not known. */
    { 0, 20348, false, false },
    { 20348, 0, false, false },
    { 0, 0, false, false },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_os_version host = of_build(rows[i].host), image = of_build(rows[i].image);

    assert_int_equal(zl_os_runs_process(&host, &image), rows[i].process);
    assert_int_equal(zl_os_runs_hyperv(&host, &image), rows[i].hyperv);
    /* Updates refuse nothing. */
    host.revision = 1;
    image.revision = 9999;
    assert_int_equal(zl_os_runs_process(&host, &image), rows[i].process);
    assert_int_equal(zl_os_runs_hyperv(&host, &image), rows[i].hyperv);
  }
}

static void another_major_version_never_runs(void **state)
{
  struct zl_os_version host = version("10.0.20348"), image = version("6.3.9600"),
                       next = version("10.1.20348");

  (void)state;
  assert_false(zl_os_runs_process(&host, &image));
  assert_false(zl_os_runs_hyperv(&host, &image));
  assert_false(zl_os_runs_process(&host, &next));
  assert_false(zl_os_runs_hyperv(&host, &next));
}

static void a_mismatch_names_both(void **state)
{
  struct zl_os_version host = version("10.0.20348.587"), older = version("10.0.17763.2686"),
                       newer = version("10.0.26100.1"), unknown = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_os_check(ZL_ISOLATION_PROCESS, &host, &older, "nano", &err),
                   -ZL_E_WRONG_PLATFORM);
  assert_string_equal(err.msg, "image 'nano' is for Windows 10.0.17763.2686, this host is Windows "
                               "10.0.20348.587: its kernel cannot run it, use isolation hyperv");
  assert_int_equal(zl_os_check(ZL_ISOLATION_HYPERV, &host, &older, "nano", &err), 0);
  assert_int_equal(zl_os_check(ZL_ISOLATION_AUTO, &host, &older, "nano", &err), 0);
  for (int i = ZL_ISOLATION_AUTO; i <= ZL_ISOLATION_HYPERV; i++) {
    assert_int_equal(zl_os_check((enum zl_isolation)i, &host, &newer, "nano", &err),
                     -ZL_E_WRONG_PLATFORM);
    assert_string_equal(err.msg, "image 'nano' is for Windows 10.0.26100.1, this host is Windows "
                                 "10.0.20348.587: a host runs images of its own build and older "
                                 "ones");
    assert_int_equal(zl_os_check((enum zl_isolation)i, &host, &unknown, "nano", &err), 0);
    assert_int_equal(zl_os_check((enum zl_isolation)i, &host, &host, "nano", &err), 0);
  }
}

/* ---- Indexes ---- */

#define LIST(...) ((const char *[]){ __VA_ARGS__ }), ZL_COUNT(((const char *[]){ __VA_ARGS__ }))

static void choose(const char *host, enum zl_isolation isolation, const char *wanted,
                   const char *const *versions, size_t count, int expected)
{
  struct zl_os_choice choice = {
    .host = version(host), .isolation = isolation, .wanted = wanted, .image = "nano"
  };
  struct zl_error err = { 0 };
  size_t chosen = 77;
  int r = zl_os_choose(&choice, versions, count, &chosen, &err);

  if (expected < 0) {
    assert_int_equal(r, -ZL_E_WRONG_PLATFORM);
    assert_int_equal(chosen, 77);
    assert_non_null(strstr(err.msg, host)); /* the host's, in full */
    return;
  }
  assert_int_equal(r, 0);
  assert_int_equal(chosen, expected);
}

static void an_index_has_one_for_the_host(void **state)
{
  const enum zl_isolation any = ZL_ISOLATION_AUTO, process = ZL_ISOLATION_PROCESS,
                          hyperv = ZL_ISOLATION_HYPERV;

  (void)state;
  /* The host's own build, wherever it stands. */
  choose("10.0.20348.500", any, NULL, LIST("10.0.17763.1", "10.0.20348.400", "10.0.26100.1"), 1);
  choose("10.0.17763.500", any, NULL, LIST("10.0.26100.1", "10.0.20348.400", "10.0.17763.1"), 2);
  choose("10.0.26100.1", process, NULL, LIST("10.0.17763.1", "10.0.20348.400", "10.0.26100.1"), 2);
  /* Else the newest that it runs. */
  choose("10.0.22621.1", process, NULL, LIST("10.0.17763.1", "10.0.20348.4", "10.0.26100.1"), 1);
  choose("10.0.27000.1", hyperv, NULL, LIST("10.0.17763.1", "10.0.20348.4"), 1);
  choose("10.0.27000.1", any, NULL, LIST("10.0.17763.1", "10.0.20348.4"), 1);
  choose("10.0.27000.1", process, NULL, LIST("10.0.17763.1", "10.0.20348.4"), -1);
  choose("10.0.20348.1", process, NULL, LIST("10.0.17763.1"), -1);
  choose("10.0.20348.1", any, NULL, LIST("10.0.17763.1"), 0);
  choose("10.0.17763.1", hyperv, NULL, LIST("10.0.20348.1", "10.0.26100.1"), -1);
}

static void revisions_break_ties(void **state)
{
  (void)state;
  /* One that the host has passed, and of those the highest. */
  choose("10.0.20348.500", ZL_ISOLATION_AUTO, NULL,
         LIST("10.0.20348.100", "10.0.20348.400", "10.0.20348.600"), 1);
  choose("10.0.20348.500", ZL_ISOLATION_AUTO, NULL,
         LIST("10.0.20348.600", "10.0.20348.500", "10.0.20348.400"), 1);
  /* Else the highest. */
  choose("10.0.20348.50", ZL_ISOLATION_AUTO, NULL, LIST("10.0.20348.100", "10.0.20348.600"), 1);
  /* Of another build than the host's the host's updates say nothing. */
  choose("10.0.22621.50", ZL_ISOLATION_AUTO, NULL, LIST("10.0.20348.40", "10.0.20348.600"), 1);
  /* The same twice: the first. */
  choose("10.0.20348.50", ZL_ISOLATION_AUTO, NULL, LIST("10.0.20348.40", "10.0.20348.40"), 0);
}

static void entries_without_a_version(void **state)
{
  const char *const unknown[] = { NULL, "", "garbage" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(unknown); i++) {
    choose("10.0.20348.1", ZL_ISOLATION_AUTO, NULL, LIST(unknown[i], "10.0.17763.1"), 1);
    choose("10.0.17763.1", ZL_ISOLATION_AUTO, NULL, LIST("10.0.20348.1", unknown[i]), 1);
    choose("10.0.20348.1", ZL_ISOLATION_AUTO, "10.0.20348", LIST(unknown[i]), -1);
  }
}

static void a_service_can_name_a_version(void **state)
{
  struct zl_os_choice choice = { .host = version("10.0.20348.1"), .image = "nano" };
  struct zl_error err = { 0 };
  size_t chosen;

  (void)state;
  choose("10.0.20348.9", ZL_ISOLATION_AUTO, "10.0.17763", LIST("10.0.20348.1", "10.0.17763.1"), 1);
  choose("10.0.20348.9", ZL_ISOLATION_AUTO, "10.0.17763.2",
         LIST("10.0.17763.1", "10.0.17763.2", "10.0.17763.3"), 1);
  choose("10.0.20348.9", ZL_ISOLATION_AUTO, "10.0.17763.4", LIST("10.0.17763.1"), -1);
  choose("10.0.20348.9", ZL_ISOLATION_PROCESS, "10.0.17763", LIST("10.0.17763.1"), -1);
  choice.wanted = "ltsc2022";
  assert_int_equal(zl_os_choose(&choice, LIST("10.0.20348.1"), &chosen, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "platform.osVersion: 'ltsc2022' is not a version of Windows like "
                               "10.0.20348");
}

static void a_refusal_lists_what_is_offered(void **state)
{
  struct zl_os_choice choice = { .host = version("10.0.20348.1"),
                                 .isolation = ZL_ISOLATION_PROCESS,
                                 .image = "nano" };
  const char *many[64];
  struct zl_error err = { 0 };
  size_t chosen;

  (void)state;
  assert_int_equal(zl_os_choose(&choice, LIST("10.0.17763.5", "10.0.26100.6"), &chosen, &err),
                   -ZL_E_WRONG_PLATFORM);
  assert_string_equal(err.msg, "image 'nano' is for Windows 10.0.17763.5, 10.0.26100.6, this host "
                               "is Windows 10.0.20348.1: its kernel runs none of them, use "
                               "isolation hyperv");
  choice.wanted = "10.0.26100";
  choice.isolation = ZL_ISOLATION_HYPERV;
  assert_int_equal(zl_os_choose(&choice, LIST("10.0.26100.6"), &chosen, &err),
                   -ZL_E_WRONG_PLATFORM);
  assert_string_equal(err.msg, "image 'nano' is for Windows 10.0.26100.6, wanted is 10.0.26100, "
                               "this host is Windows 10.0.20348.1");
  choice.wanted = NULL;
  assert_int_equal(zl_os_choose(&choice, NULL, 0, &chosen, &err), -ZL_E_WRONG_PLATFORM);
  for (size_t i = 0; i < ZL_COUNT(many); i++)
    many[i] = "10.0.99999.99999";
  assert_int_equal(zl_os_choose(&choice, many, ZL_COUNT(many), &chosen, &err),
                   -ZL_E_WRONG_PLATFORM);
  assert_non_null(strstr(err.msg, "this host is Windows 10.0.20348.1"));
}

/* ---- Isolation ---- */

static void isolation_follows_from_the_builds(void **state)
{
  const int none = -1;
  static const struct {
    enum zl_isolation asked;
    const char *host, *image; /* NULL: not known */
    bool hypervisor, machine;
    int expected; /* isolation, or a failure */
    const char *says;
  } rows[] = {
    /* What is asked for. */
    { ZL_ISOLATION_PROCESS, "10.0.20348.1", "10.0.20348.9", false, false, ZL_ISOLATION_PROCESS,
      NULL },
    { ZL_ISOLATION_PROCESS, "10.0.20348.1", "10.0.17763.9", true, true, -ZL_E_WRONG_PLATFORM,
      "use isolation hyperv" },
    { ZL_ISOLATION_PROCESS, "10.0.20348.1", "10.0.26100.9", true, true, -ZL_E_WRONG_PLATFORM,
      "10.0.26100.9" },
    { ZL_ISOLATION_PROCESS, "10.0.20348.1", NULL, true, true, ZL_ISOLATION_PROCESS, NULL },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", "10.0.20348.9", true, true, ZL_ISOLATION_HYPERV, NULL },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", "10.0.17763.9", true, true, ZL_ISOLATION_HYPERV, NULL },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", "10.0.26100.9", true, true, -ZL_E_WRONG_PLATFORM,
      "10.0.26100.9" },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", NULL, true, true, ZL_ISOLATION_HYPERV, NULL },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", "10.0.20348.9", false, true, -ZL_E_UNSUPPORTED,
      "no Hyper-V" },
    { ZL_ISOLATION_HYPERV, "10.0.20348.1", "10.0.20348.9", true, false, -ZL_E_UNSUPPORTED,
      "UtilityVM" },
    /* Auto: the host's kernel where it fits. */
    { ZL_ISOLATION_AUTO, "10.0.20348.1", "10.0.20348.9", true, true, ZL_ISOLATION_PROCESS, NULL },
    { ZL_ISOLATION_AUTO, "10.0.26100.1", "10.0.20348.9", true, true, ZL_ISOLATION_PROCESS, NULL },
    { ZL_ISOLATION_AUTO, "10.0.20348.1", "10.0.17763.9", true, true, ZL_ISOLATION_HYPERV, NULL },
    { ZL_ISOLATION_AUTO, "10.0.20348.1", "10.0.17763.9", false, true, -ZL_E_UNSUPPORTED,
      "(Windows 10.0.17763.9) on this host (Windows 10.0.20348.1)" },
    { ZL_ISOLATION_AUTO, "10.0.20348.1", "10.0.26100.9", true, true, -ZL_E_WRONG_PLATFORM,
      "10.0.20348.1" },
    /* Not known is not the same as fitting. */
    { ZL_ISOLATION_AUTO, "10.0.20348.1", NULL, true, true, ZL_ISOLATION_HYPERV, NULL },
    { ZL_ISOLATION_AUTO, "10.0.20348.1", NULL, false, true, -ZL_E_UNSUPPORTED,
      "does not say which Windows" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_hcs_isolation facts = { .service = "web",
                                      .image = "nano",
                                      .asked = rows[i].asked,
                                      .host = version(rows[i].host),
                                      .version = version(rows[i].image),
                                      .host_has_hypervisor = rows[i].hypervisor,
                                      .image_has_machine = rows[i].machine };
    enum zl_isolation isolation = (enum zl_isolation)none;
    struct zl_error err = { 0 };
    int r = zl_hcs_isolation_choose(&facts, &isolation, &err);

    assert_int_equal(r < 0 ? r : (int)isolation, rows[i].expected);
    assert_int_equal(zl_hcs_isolation_choose(&facts, &isolation, NULL), r);
    if (r < 0) {
      assert_int_equal((int)isolation, none);
      assert_non_null(strstr(err.msg, "services.web.isolation"));
      assert_non_null(strstr(err.msg, rows[i].says));
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(versions_are_read),
    cmocka_unit_test(builds_fit_or_not),
    cmocka_unit_test(another_major_version_never_runs),
    cmocka_unit_test(a_mismatch_names_both),
    cmocka_unit_test(an_index_has_one_for_the_host),
    cmocka_unit_test(revisions_break_ties),
    cmocka_unit_test(entries_without_a_version),
    cmocka_unit_test(a_service_can_name_a_version),
    cmocka_unit_test(a_refusal_lists_what_is_offered),
    cmocka_unit_test(isolation_follows_from_the_builds),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
