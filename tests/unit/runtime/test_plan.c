/* SPDX-License-Identifier: Apache-2.0
 *
 * Merging image and service, and the bundle's capabilities.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/strv.h"
#include "runtime/bundle/bundle.h"
#include "runtime/plan.h"

#define LIST(...) ((char *[]){ __VA_ARGS__, NULL })

#if defined(__aarch64__)
#define NODE_ARCH "arm64"
#else
#define NODE_ARCH "amd64"
#endif

/* Texts of the image are only read: they may be literals. */
static char *text_of(const char *literal)
{
  return (char *)(uintptr_t)literal;
}

static struct zl_image image_of(void)
{
  return (struct zl_image){ .digest = text_of("sha256:0"),
                            .os = text_of("linux"),
                            .arch = text_of(NODE_ARCH) };
}

struct merged {
  struct zl_service *service;
  struct zl_image image;
  struct zl_create_options options;
  struct zl_container_plan plan;
};

static int setup(void **state)
{
  struct merged *m = calloc(1, sizeof(*m));

  assert_non_null(m);
  assert_int_equal(zl_service_new("web", &m->service, NULL), 0);
  assert_int_equal(zl_service_set_image(m->service, "busybox", NULL), 0);
  m->image = image_of();
  m->plan = (struct zl_container_plan){
    .id = "web-rep-1", .dir_fd = -1, .service = m->service, .options = &m->options
  };
  *state = m;
  return 0;
}

static int teardown(void **state)
{
  struct merged *m = *state;

  zl_plan_done(&m->plan);
  zl_service_free(m->service);
  free(m);
  return 0;
}

static void expect_argv(struct merged *m, const char *wanted)
{
  char text[128] = "";

  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), 0);
  for (size_t i = 0; m->plan.argv[i] != NULL; i++)
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", m->plan.argv[i]);
  assert_string_equal(text, wanted);
}

static void set(char ***list, const char *text)
{
  assert_int_equal(zl_list_add(list, text, NULL), 0);
}

static void the_image_decides_alone(void **state)
{
  struct merged *m = *state;

  m->image.config.entrypoint = LIST(text_of("ep"), text_of("1"));
  m->image.config.cmd = LIST(text_of("cmd"));
  expect_argv(m, "ep 1 cmd ");
}

static void arguments_keep_the_entrypoint(void **state)
{
  struct merged *m = *state;

  m->image.config.entrypoint = LIST(text_of("ep"));
  m->image.config.cmd = LIST(text_of("cmd"));
  set(&m->service->command.args, "mine");
  expect_argv(m, "ep mine ");
}

static void an_entrypoint_drops_the_command(void **state)
{
  struct merged *m = *state;

  m->image.config.entrypoint = LIST(text_of("ep"));
  m->image.config.cmd = LIST(text_of("cmd"));
  set(&m->service->command.entrypoint, "own");
  expect_argv(m, "own ");
}

static void both_replace_both(void **state)
{
  struct merged *m = *state;

  m->image.config.cmd = LIST(text_of("cmd"));
  set(&m->service->command.entrypoint, "own");
  set(&m->service->command.args, "arg");
  expect_argv(m, "own arg ");
}

static void no_command_at_all_is_an_error(void **state)
{
  struct merged *m = *state;

  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), -ZL_E_INVALID);
}

static void environment_is_replaced_by_key(void **state)
{
  struct merged *m = *state;

  m->image.config.cmd = LIST(text_of("x"));
  m->image.config.env =
      LIST(text_of("A=image"), text_of("AB=image"), text_of("PATH=/own"), text_of("broken"));
  assert_int_equal(zl_pairs_set(&m->service->env, "A", "service", NULL), 0);
  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), 0);
  assert_string_equal(m->plan.env[0], "A=service");
  assert_string_equal(m->plan.env[1], "AB=image");
  assert_string_equal(m->plan.env[2], "PATH=/own");
  assert_string_equal(m->plan.env[3], "HOSTNAME=web-rep-1");
  assert_null(m->plan.env[4]);
}

static void the_wrong_platform_is_named(void **state)
{
  struct merged *m = *state;
  struct zl_error err = { 0 };

  m->image.config.cmd = LIST(text_of("x"));
  m->image.os = text_of("windows");
  assert_int_equal(zl_plan_merge(&m->plan, &m->image, &err), -ZL_E_WRONG_PLATFORM);
  assert_non_null(strstr(err.msg, "windows"));
}

static void stop_signal_user_and_directory(void **state)
{
  struct merged *m = *state;

  m->image.config.cmd = LIST(text_of("x"));
  m->image.config.stop_signal = text_of("SIGQUIT");
  m->image.config.user = text_of("web:www");
  m->image.config.working_dir = text_of("srv");
  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), 0);
  assert_int_equal(m->plan.stop_signal, 3);
  assert_int_equal(m->plan.stop_grace_ms, 10000);
  assert_string_equal(m->plan.user, "web:www");
  assert_string_equal(m->plan.cwd, "/srv");
  m->image.config.stop_signal = text_of("NOSUCH");
  zl_plan_done(&m->plan);
  m->plan = (struct zl_container_plan){ .id = "w", .service = m->service, .options = &m->options };
  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), -ZL_E_INVALID);
}

static void a_description_reads_back(void **state)
{
  struct merged *m = *state;
  zl_autodescription d = { 0 };
  char *text = NULL;

  m->image.config.cmd = LIST(text_of("x"), text_of("a b"));
  assert_int_equal(zl_plan_merge(&m->plan, &m->image, NULL), 0);
  (void)snprintf(m->plan.link.address, sizeof(m->plan.link.address), "10.0.0.2");
  (void)snprintf(m->plan.link.link, sizeof(m->plan.link.link), "zl1");
  assert_int_equal(zl_plan_describe(&m->plan, &text, NULL), 0);
  assert_int_equal(zl_description_parse(text, &d, NULL), 0);
  assert_string_equal(d.command[1], "a b");
  assert_string_equal(d.address, "10.0.0.2");
  assert_int_equal(d.stop_signal, 15);
  free(text);
}

static void capabilities_add_and_drop(void **state)
{
  struct merged *m = *state;
  uint64_t set_all = 0, got = 0;

  assert_int_equal(zl_bundle_capabilities(m->service, &got, NULL), 0);
  assert_true(got == 0xa80425fb);
  set(&m->service->cap_drop, "net_raw");
  set(&m->service->capabilities, "CAP_SYS_ADMIN");
  assert_int_equal(zl_bundle_capabilities(m->service, &got, NULL), 0);
  assert_true(got == ((0xa80425fbu & ~(1u << 13)) | (1u << 21)));
  zl_list_clear(&m->service->capabilities);
  set(&m->service->capabilities, "all");
  assert_int_equal(zl_bundle_capabilities(m->service, &set_all, NULL), 0);
  assert_true((set_all & (1u << 13)) == 0 && (set_all & (1u << 21)) != 0);
  set(&m->service->cap_drop, "ALL");
  assert_int_equal(zl_bundle_capabilities(m->service, &got, NULL), 0);
  assert_true(got == 0);
  set(&m->service->capabilities, "BOGUS");
  assert_int_equal(zl_bundle_capabilities(m->service, &got, NULL), -ZL_E_INVALID);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
  const struct CMUnitTest cases[] = {
    CASE(the_image_decides_alone),         CASE(arguments_keep_the_entrypoint),
    CASE(an_entrypoint_drops_the_command), CASE(both_replace_both),
    CASE(no_command_at_all_is_an_error),   CASE(environment_is_replaced_by_key),
    CASE(the_wrong_platform_is_named),     CASE(stop_signal_user_and_directory),
    CASE(a_description_reads_back),        CASE(capabilities_add_and_drop),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
