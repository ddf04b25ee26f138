/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "engine/caps.h"
#include "oci/process.h"

#define BIT(n) (UINT64_C(1) << (n))

static const char container[] =
    "{\"process\":{\"args\":[\"sh\"],\"cwd\":\"/start\",\"env\":[\"A=1\"],\"terminal\":true,"
    "\"user\":{\"uid\":5,\"gid\":6,\"additionalGids\":[7]},\"noNewPrivileges\":true,"
    "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"],\"inheritable\":[\"CAP_CHOWN\"]}}}";

static char *command[] = { (char *)(uintptr_t) "echo", (char *)(uintptr_t) "x", NULL };
static struct zl_error err;

static int build(const struct oci_process *p, struct zl_process **ret)
{
  zl_autojson *doc = json_loads(container, 0, NULL);

  memset(&err, 0, sizeof(err));
  assert_non_null(doc);
  return oci_process_build(p, doc, ret, &err);
}

static void the_containers_own_is_the_base(void **state)
{
  const struct oci_process p = { .args = command };
  zl_autoprocess *process = NULL;

  (void)state;
  assert_int_equal(build(&p, &process), 0);
  assert_string_equal(process->args[0], "echo");
  assert_string_equal(process->args[1], "x");
  assert_null(process->args[2]);
  assert_string_equal(process->cwd, "/start");
  assert_string_equal(process->env[0], "A=1");
  assert_int_equal(process->uid, 5);
  assert_int_equal(process->gid, 6);
  assert_int_equal(process->n_gids, 1);
  assert_false(process->terminal);
  assert_true(process->no_new_privileges);
  assert_true(process->caps.bounding == BIT(0));
}

static void options_change_it(void **state)
{
  struct oci_process p = { .args = command, .cwd = "/else", .user = "8:9", .tty = true };
  zl_autoprocess *process = NULL;

  (void)state;
  assert_int_equal(zl_strv_push(&p.env, "B=2", &err), 0);
  assert_int_equal(zl_strv_push(&p.gids, "100", &err), 0);
  assert_int_equal(zl_strv_push(&p.caps, "CAP_KILL", &err), 0);
  assert_int_equal(zl_strv_push(&p.caps, "CAP_NOT_KNOWN", &err), 0);
  assert_int_equal(build(&p, &process), 0);
  oci_process_done(&p);
  assert_string_equal(process->cwd, "/else");
  assert_string_equal(process->env[1], "B=2");
  assert_int_equal(process->uid, 8);
  assert_int_equal(process->gid, 9);
  assert_int_equal(process->n_gids, 1);
  assert_int_equal(process->gids[0], 100);
  assert_true(process->terminal);
  assert_true(process->caps.bounding == (BIT(0) | BIT(5)));
  assert_true(process->caps.effective == BIT(5));
  assert_true(process->caps.permitted == BIT(5));
  assert_true(process->caps.inheritable == BIT(0)); /* never more: CVE-2022-29162 */
}

static void groups_are_added_to_the_containers_own(void **state)
{
  struct oci_process p = { .args = command };
  zl_autoprocess *process = NULL;

  (void)state;
  assert_int_equal(zl_strv_push(&p.gids, "100", &err), 0);
  assert_int_equal(build(&p, &process), 0);
  assert_int_equal(process->n_gids, 2);
  assert_int_equal(process->gids[0], 7);
  assert_int_equal(process->gids[1], 100);
  oci_process_done(&p);
}

static void a_user_is_two_numbers(void **state)
{
  static const char *const bad[] = { "",   "-1", "4294967295", "1:", ":1",   "1:2:3", "1:-1",
                                     " 1", "1 ", "0x1",        "+1", "root", "1:root" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    const struct oci_process p = { .args = command, .user = bad[i] };
    zl_autoprocess *process = NULL;

    assert_int_equal(build(&p, &process), -ZL_E_INVALID);
    assert_non_null(strstr(err.msg, "--user"));
  }
  for (int i = 0; i < 2; i++) {
    const struct oci_process p = { .args = command, .user = i == 0 ? "0" : "4294967294:1" };
    zl_autoprocess *process = NULL;

    assert_int_equal(build(&p, &process), 0);
    assert_int_equal(process->uid, i == 0 ? 0 : 4294967294U);
    assert_int_equal(process->gid, i);
    assert_int_equal(process->n_gids, 0);
  }
}

static void write_document(const char *path, const char *text)
{
  FILE *file = fopen(path, "we");

  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void a_document_replaces_it(void **state)
{
  char path[] = "/tmp/zl-oci-process-XXXXXX";
  struct oci_process p = { .file = path };
  zl_autoprocess *process = NULL, *terminal = NULL, *bad = NULL;
  int fd = mkstemp(path);

  (void)state;
  assert_true(fd >= 0);
  (void)close(fd);
  write_document(path, "{\"args\":[\"/bin/ls\"],\"cwd\":\"/d\"}");
  assert_int_equal(build(&p, &process), 0);
  assert_string_equal(process->args[0], "/bin/ls");
  assert_string_equal(process->cwd, "/d");
  assert_null(process->env[0]);
  assert_int_equal(process->uid, 0);
  assert_false(process->has_caps);
  assert_false(process->terminal);
  p.tty = true;
  assert_int_equal(build(&p, &terminal), 0);
  assert_true(terminal->terminal);
  write_document(path, "{\"args\":[],\"cwd\":\"/\"}");
  assert_int_equal(build(&p, &bad), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "process.args"));
  write_document(path, "{");
  assert_true(build(&p, &bad) < 0);
  write_document(path, "[]");
  assert_true(build(&p, &bad) < 0);
  (void)unlink(path);
  assert_int_equal(build(&p, &bad), -ZL_E_NOT_FOUND);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_containers_own_is_the_base),
    cmocka_unit_test(options_change_it),
    cmocka_unit_test(groups_are_added_to_the_containers_own),
    cmocka_unit_test(a_user_is_two_numbers),
    cmocka_unit_test(a_document_replaces_it),
  };

  return cmocka_run_group_tests_name("oci-process", tests, NULL, NULL);
}
