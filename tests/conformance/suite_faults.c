/* SPDX-License-Identifier: Apache-2.0
 *
 * Creation fails, or its caller dies, at every step of it: nothing is left and the next try works.
 * Only in builds with fault points (-Dfaults=true); otherwise the suite is empty.
 */
#include <unistd.h>

#include "box.h"
#include "programs.h"

static struct zl_service *rich_service(void)
{
  struct zl_service *service = box_service("victim", ARGV(BIN "sleep", "60"));

  OK(zl_storage_parse(service, box.windows ? "C:\\scratch" : "/scratch", &err));
  if (box.real)
    OK(zl_port_parse(service, box.machines ? "18181:80" : "18081:80", &err));
  return service;
}

int role_create_rich(unsigned arg)
{
  struct zl_service *service = rich_service();
  int r = box_create_service(service, NULL);

  (void)arg;
  zl_service_free(service);
  return r;
}

#ifdef ZL_FAULTS

static const char *const all_sites[] = {
  "runtime.create.rows",    "runtime.create.directory", "runtime.create.volumes",
  "runtime.create.network", "runtime.create.backend",   "runtime.create.ports",
  "runtime.create.last",
};
/* Of "runtime.<backend>.", where a shim keeps the container. */
static const char *const shim_sites[] = { "files", "bundle", "shim", "created" };

/* Windows writes no name files. */
static bool has_site(const char *name)
{
  return box.real && !(box.windows && strcmp(name, "files") == 0);
}

static void set_fault(const char *site, const char *action)
{
  char text[96];

  (void)snprintf(text, sizeof(text), "%s=%s", site, action);
  assert_int_equal(setenv("ZLAYER_FAULTS", text, 1), 0);
}

static void expect_nothing(const char *site)
{
  struct zl_container_info *list = NULL;
  size_t n = 0, left = 0;

  OK(zl_list(box.rt, &list, &n, &err));
  zl_containers_free(list, n);
  if (n != 0)
    fail_msg("%s: the container is still listed", site);
  OK(zl_system_check(box.rt, false, NULL, NULL, &left, &err));
  if (left != 0)
    fail_msg("%s: %zu findings", site, left);
  if (!box_is_clean())
    fail_msg("%s: it left something on the host", site);
}

static void fail_at(const char *site)
{
  struct zl_service *service = rich_service();

  set_fault(site, "1*error(ENOSPC)");
  FAILS(box_create_service(service, &err), ZL_E_SYSTEM);
  (void)unsetenv("ZLAYER_FAULTS");
  expect_nothing(site);
  OK(box_create_service(service, &err));
  OK(zl_remove(box.rt, box_id("victim"), true, &err));
  zl_service_free(service);
}

static void crash_at(const char *site)
{
  struct zl_service *service = rich_service();
  struct zl_proc program;
  size_t left = 99;

  set_fault(site, "crash");
  program = program_start("create-rich", 1);
  if (!program_was_killed(&program))
    fail_msg("%s was not reached", site);
  (void)unsetenv("ZLAYER_FAULTS");
  OK(zl_system_check(box.rt, true, NULL, NULL, &left, &err));
  if (left != 0)
    fail_msg("%s: %zu findings are left after repair", site, left);
  OK(zl_remove(box.rt, box_id("victim"), true, &err));
  expect_nothing(site);
  OK(box_create_service(service, &err));
  OK(zl_remove(box.rt, box_id("victim"), true, &err));
  zl_service_free(service);
}

static void walk(void (*at)(const char *site))
{
  for (size_t i = 0; i < sizeof(all_sites) / sizeof(all_sites[0]); i++)
    at(all_sites[i]);
  for (size_t i = 0; i < sizeof(shim_sites) / sizeof(shim_sites[0]); i++) {
    char site[64];

    if (!has_site(shim_sites[i]))
      continue;
    (void)snprintf(site, sizeof(site), "runtime.%s.%s", box.backend, shim_sites[i]);
    at(site);
  }
}

static void a_failing_creation_is_undone(void **state)
{
  (void)state;
  walk(fail_at);
}

static void a_crashed_creation_is_repaired(void **state)
{
  (void)state;
  walk(crash_at);
}

/* While a layer is kept as it comes: a full disk costs only its being kept, and whoever dies is
 * continued. */
static void a_download_may_fail_to_be_kept(void **state)
{
  static const char site[] = "image.partial.write";
  struct zl_service *service;

  (void)state;
  SKIP_IF(!box.windows, "this image comes from a directory, nothing is downloaded");
  OK(zl_remove_image(box.rt, box.image, false, &err));
  crash_at(site);
  OK(zl_remove_image(box.rt, box.image, false, &err));
  service = rich_service();
  set_fault(site, "error(ENOSPC)");
  OK(box_create_service(service, &err));
  (void)unsetenv("ZLAYER_FAULTS");
  OK(zl_remove(box.rt, box_id("victim"), true, &err));
  expect_nothing(site);
  zl_service_free(service);
}

int suite_faults(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_failing_creation_is_undone),
    CASE(a_crashed_creation_is_repaired),
    CASE(a_download_may_fail_to_be_kept),
  };

  return cmocka_run_group_tests_name("faults", cases, NULL, NULL);
}

#else

int suite_faults(void)
{
  return 0;
}

#endif
