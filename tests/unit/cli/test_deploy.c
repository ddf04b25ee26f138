/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/deploy.h"

static struct zl_deployment *load(const char *text)
{
  struct zl_deployment *deployment = NULL;
  struct zl_error err = { 0 };

  if (zl_deployment_parse(text, strlen(text), NULL, &deployment, NULL, &err) < 0)
    fail_msg("%s", err.msg);
  return deployment;
}

static const char shop[] = "version: v1\n"
                           "deployment: shop\n"
                           "services:\n"
                           "  web:\n"
                           "    image: { name: busybox }\n"
                           "    depends: [ { service: db, condition: started } ]\n"
                           "    scale: { mode: fixed, replicas: 2 }\n"
                           "  aside:\n"
                           "    image: { name: busybox }\n"
                           "    scale: { mode: fixed, replicas: 1 }\n"
                           "  db:\n"
                           "    image: { name: busybox }\n"
                           "    scale: { mode: fixed, replicas: 1 }\n"
                           "  idle:\n"
                           "    image: { name: busybox }\n"
                           "    scale: { mode: manual }\n";

static void units_follow_dependencies(void **state)
{
  static const char *const expected[] = { "db-rep-1", "web-rep-1", "web-rep-2", "aside-rep-1" };
  struct zl_deployment *deployment = load(shop);
  struct zl_units units = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_units_plan(deployment, &units, &err), 0);
  assert_int_equal(units.count, ZL_COUNT(expected));
  for (size_t i = 0; i < units.count; i++)
    assert_string_equal(units.items[i].id, expected[i]);
  assert_string_equal(units.items[1].digest, units.items[2].digest);
  assert_ptr_equal(zl_units_find(&units, "web-rep-2"), &units.items[2]);
  assert_null(zl_units_find(&units, "web-rep-3"));
  zl_units_done(&units);
  zl_deployment_free(deployment);
}

static void circles_are_found(void **state)
{
  struct zl_deployment *deployment = load(shop);
  struct zl_service *db = &deployment->services[2];
  struct zl_units units = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_string_equal(db->name, "db");
  db->depends = calloc(1, sizeof(*db->depends));
  assert_non_null(db->depends);
  db->n_depends = 1;
  db->depends[0].service = strdup("web");
  assert_int_equal(zl_units_plan(deployment, &units, &err), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "depends on itself"));
  assert_int_equal(units.count, 0);
  free(db->depends[0].service);
  db->depends[0].service = strdup("nobody");
  assert_int_equal(zl_units_plan(deployment, &units, &err), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "'nobody'"));
  zl_deployment_free(deployment);
}

static void digests_tell_changes(void **state)
{
  struct zl_deployment *deployment = load(shop);
  struct zl_service *web = &deployment->services[0];
  char first[ZL_SERVICE_DIGEST], second[ZL_SERVICE_DIGEST];
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_service_digest(web, first, &err), 0);
  assert_int_equal(strlen(first), 16);
  web->scale.replicas = 5; /* other replicas are not concerned */
  assert_int_equal(zl_service_digest(web, second, &err), 0);
  assert_string_equal(first, second);
  assert_int_equal(zl_pairs_set(&web->env, "A", "1", &err), 0);
  assert_int_equal(zl_service_digest(web, second, &err), 0);
  assert_string_not_equal(first, second);
  zl_deployment_free(deployment);
}

static void too_many_are_refused(void **state)
{
  struct zl_deployment *deployment = load(shop);
  struct zl_units units = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  deployment->services[0].scale.replicas = UINT32_MAX;
  assert_int_equal(zl_units_plan(deployment, &units, &err), -ZL_E_LIMIT);
  zl_deployment_free(deployment);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(units_follow_dependencies),
    cmocka_unit_test(circles_are_found),
    cmocka_unit_test(digests_tell_changes),
    cmocka_unit_test(too_many_are_refused),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
