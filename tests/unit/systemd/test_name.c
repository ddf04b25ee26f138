/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "systemd/name.h"

static void is(const char *text, const char *id, const char *unit, const char *path)
{
  struct zl_unit_name name;
  char found[ZL_MAX_CGROUP_PATH + 1];
  struct zl_error err = { 0 };

  assert_int_equal(zl_unit_name_parse(text, id, &name, &err), 0);
  assert_string_equal(name.unit, unit);
  assert_int_equal(zl_unit_name_path(&name, found, &err), 0);
  assert_string_equal(found, path);
}

static void scopes(void **state)
{
  (void)state;
  is(NULL, "web", "zlayer-web.scope", "/system.slice/zlayer-web.scope");
  is(NULL, "a+b_c-d.e", "zlayer-a\\x2bb_c-d.e.scope", "/system.slice/zlayer-a\\x2bb_c-d.e.scope");
  is("system.slice:docker:1f", "x", "docker-1f.scope", "/system.slice/docker-1f.scope");
  is(":docker:1f", "x", "docker-1f.scope", "/system.slice/docker-1f.scope");
  is("user.slice::1f", "x", "1f.scope", "/user.slice/1f.scope");
  is("-.slice:p:1f", "x", "p-1f.scope", "/p-1f.scope");
  is("kubepods-burstable-pod1_2.slice:cri-containerd:1f", "x", "cri-containerd-1f.scope",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
     "cri-containerd-1f.scope");
}

static void slices(void **state)
{
  struct zl_unit_name name;

  (void)state;
  is("machine.slice::a-b.slice", "x", "a-b.slice", "/a.slice/a-b.slice");
  assert_int_equal(zl_unit_name_parse("machine.slice::a-b.slice", "x", &name, NULL), 0);
  assert_true(name.is_slice);
  assert_string_equal(name.slice, "machine.slice");
}

static void refused(void **state)
{
  static const char *const texts[] = {
    "",
    "a",
    "a.slice",
    "a.slice:b",
    "a.slice:b:",
    "a.slice:b:c:d",
    "a:b:c",
    ".slice:b:c",
    "-a.slice:b:c",
    "a-.slice:b:c",
    "a--b.slice:b:c",
    "a/b.slice:b:c",
    "a.slice:/:c",
    "a.slice:b:c/d",
    "a.slice:b:c\n",
    "a.slice:b:c d",
    "a.slice::-b.slice",
    "../x.slice:b:c",
    "a.slice:..:/c",
  };
  char longest[600];
  struct zl_unit_name name;
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    assert_int_equal(zl_unit_name_parse(texts[i], "x", &name, &err), -ZL_E_INVALID);
    assert_non_null(strstr(err.msg, "linux.cgroupsPath"));
  }
  memset(longest, 'a', sizeof(longest));
  (void)stpcpy(longest + 300, ".slice:b:c");
  assert_int_equal(zl_unit_name_parse(longest, "x", &name, &err), -ZL_E_INVALID);
  longest[255] = '\0';
  assert_int_equal(zl_unit_name_parse(NULL, longest, &name, &err), -ZL_E_INVALID);
}

/* Each level repeats those above it: a path grows with the square of a name. */
static void paths_have_a_maximum(void **state)
{
  struct zl_unit_name name = { .unit = "x.scope" };
  char path[ZL_MAX_CGROUP_PATH + 1], *to = name.slice;
  struct zl_error err = { 0 };

  (void)state;
  for (int i = 0; i < 100; i++)
    to = stpcpy(to, i == 0 ? "a" : "-a");
  (void)stpcpy(to, ".slice");
  assert_int_equal(zl_unit_name_path(&name, path, &err), -ZL_E_INVALID);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(scopes),
    cmocka_unit_test(slices),
    cmocka_unit_test(refused),
    cmocka_unit_test(paths_have_a_maximum),
  };

  return cmocka_run_group_tests_name("systemd-name", tests, NULL, NULL);
}
