/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates that do not work, with fake_qemu in QEMU's place: the machine is booted, whoever waits
 * is told why, and the template is set aside.
 */
#include "vm_box.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/template.h"

/* Creates it; what is said of the template must have these words (NULL: nothing is said). */
static void expect_start(struct box *box, const char *tier, const char *words)
{
  json_t *reply = box_launch(box);
  const char *warning = json_string_value(json_object_get(reply, "warning"));
  zl_autofree char *got = NULL;

  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  box->pid = (int)json_integer_value(json_object_get(reply, "pid"));
  if (words == NULL)
    assert_null(warning);
  else if (warning == NULL || strstr(warning, words) == NULL)
    fail_msg("'%s' is not in the warning '%s'", words, warning != NULL ? warning : "");
  json_decref(reply);
  got = vm_state(box, "tier");
  assert_string_equal(got, tier);
  box_do(box, json_pack("{s:s}", "op", "start"));
  vm_expect_end(box, 137, "oom_killed");
}

static void a_template_is_cloned(void **state)
{
  struct box *box = vm_box("");
  zl_autofd template = vm_template(box);

  (void)state;
  expect_start(box, "clone", NULL);
  assert_int_equal(faccessat(template, "template.json", F_OK, 0), 0);
  vm_free(box);
}

static void falls_back(const char *role, const char *words)
{
  struct box *box = vm_box(role);
  zl_autofd template = vm_template(box);

  print_message("           %s\n", role);
  expect_start(box, "boot", words);
  assert_true(faccessat(template, "template.json", F_OK, 0) < 0); /* it is set aside */
  vm_free(box);
}

static void a_template_that_does_not_work_is_set_aside(void **state)
{
  (void)state;
  falls_back("clone:qmp-no-load", "loading the machine");
  falls_back("clone:exit@start", "QEMU has ended");
  falls_back("clone:exit@negotiate", "the virtual machine ended unexpectedly");
  falls_back("clone:bridge-garbage", "cloning template 0123456789ab: guest bridge: ");
  vm_be_hasty("clone=error(EINTR)");
  falls_back("clone:bridge-mute", "cloning template");
  vm_be_hasty("monitor=1*error(EINTR)->off"); /* QEMU's for the clone, not the one that boots */
  falls_back("clone:qmp-silent", "does not answer");
}

static void seal_code(int template)
{
  struct zl_error err = { 0 };
  zl_autofd code = openat(template, "code", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  assert_true(code >= 0);
  if (zl_vm_template_seal_code(template, VM_TEMPLATE, &err) < 0)
    fail_msg("%s", err.msg);
}

static void code_that_does_not_load_sets_it_aside(void **state)
{
  static const char *const roles[] = { "", "clone:qmp-no-code" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(roles); i++) {
    struct box *box = vm_box(roles[i]);
    zl_autofd template = vm_template(box);

    seal_code(template);
    expect_start(box, i == 0 ? "clone" : "boot", i == 0 ? NULL : "giving the machine its code");
    assert_int_equal(faccessat(template, "template.json", F_OK, 0), i == 0 ? 0 : -1);
    vm_free(box);
  }
}

/* One that answers and then does not go on: it has negotiated, yet holds no working kernel. */
static void a_clone_that_breaks_later_is_booted_instead(void **state)
{
  static const char *const faults[] = { "giant", "garbage", "no-json", "half", "wrong-id", "exit" };
  static const char *const stages[] = { "modify", "create" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(faults); i++)
    for (size_t k = 0; k < ZL_COUNT(stages); k++) {
      char role[64];

      (void)snprintf(role, sizeof(role), "clone:%s@%s", faults[i], stages[k]);
      falls_back(role, "the machine is booted, the template made anew");
    }
  vm_be_hasty("cloned=error(EINTR)");
  falls_back("clone:silent@modify", "in time; the machine is booted");
  falls_back("clone:silent@create", "in time; the machine is booted");
}

static void damaged(const char *name, off_t size)
{
  struct box *box = vm_box("");
  zl_autofd template = vm_template(box);
  zl_autofd file = openat(template, name, O_RDWR | O_CLOEXEC);
  char words[32];

  assert_true(file >= 0);
  if (size < 0)
    assert_int_equal(unlinkat(template, name, 0), 0);
  else if (size > 0)
    assert_int_equal(ftruncate(file, size), 0);
  else
    assert_int_equal(pwrite(file, "X", 1, 3), 1); /* neither size nor name tell of it */
  (void)snprintf(words, sizeof(words), "'%s'", name);
  expect_start(box, "boot", words);
  vm_free(box);
}

static void a_damaged_template_is_set_aside(void **state)
{
  static const char *const names[] = { "memory", "state", "scratch" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    damaged(names[i], -1);
    damaged(names[i], 7);
    damaged(names[i], 0);
  }
}

#define CONTENTS "{\"bundle\":{},\"nextPort\":1073741830}"

static void a_template_of_an_image_is_cloned(void **state)
{
  struct box *box = vm_box("");
  zl_autofree char *image = vm_image(box);
  zl_autofd template = vm_template_of_image(box, image, CONTENTS);

  (void)state;
  expect_start(box, "clone", NULL);
  assert_int_equal(faccessat(template, "template.json", F_OK, 0), 0);
  vm_free(box);
}

/* It must never be the machine of another one. */
static void contents_that_do_not_fit_set_it_aside(void **state)
{
  static const struct {
    const char *image, *contents, *words;
  } wrong[] = {
    { "/of/another.erofs", CONTENTS, "another image" },
    { NULL, NULL, "contents.json" },
    { NULL, "{\"bundle\":", "contents.json" },
    { NULL, "{\"bundle\":{},\"nextPort\":1}", "contents.json.nextPort" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(wrong); i++) {
    struct box *box = vm_box("");
    zl_autofree char *image = vm_image(box);
    zl_autofd template = vm_template_of_image(box, wrong[i].image != NULL ? wrong[i].image : image,
                                              wrong[i].contents);

    expect_start(box, "boot", wrong[i].words);
    assert_true(faccessat(template, "template.json", F_OK, 0) < 0);
    vm_free(box);
  }
}

static void a_template_that_is_gone_is_no_news(void **state)
{
  struct box *box = vm_box("");

  (void)state;
  vm_set(box, "template", json_sprintf("%s/" VM_TEMPLATE, box->dir));
  expect_start(box, "boot", NULL);
  vm_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    VM_CASE(a_template_is_cloned),
    VM_CASE(a_template_that_does_not_work_is_set_aside),
    VM_CASE(code_that_does_not_load_sets_it_aside),
    VM_CASE(a_clone_that_breaks_later_is_booted_instead),
    VM_CASE(a_damaged_template_is_set_aside),
    VM_CASE(a_template_of_an_image_is_cloned),
    VM_CASE(contents_that_do_not_fit_set_it_aside),
    VM_CASE(a_template_that_is_gone_is_no_news),
  };

  return cmocka_run_group_tests(tests, vm_group_begin, box_group_end);
}
