/* SPDX-License-Identifier: Apache-2.0
 *
 * A container that is there before it is known whose it will be.
 */
#include "host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/guest.h"

/* What most amendments have. */
static json_t *amendment(const char *script)
{
  return json_pack("{s:s, s:{s:[s, s, s], s:[s, s], s:s}, s:{s:b}}", "hostname", "late", "process",
                   "args", "sh", "-c", script, "env", "PATH=/bin", "WHO=late", "cwd", "/", "zlayer",
                   "openStdin", 0);
}

static struct box *stock_box(void)
{
  struct box *box = BOX_SH("echo early");
  json_t *mount = json_pack("{s:s, s:s, s:s, s:[s]}", "destination", "/etc/hosts", "type", "bind",
                            "source", ZL_GUEST_BUNDLE "/hosts", "options", "bind");

  assert_int_equal(json_array_append_new(json_object_get(box->config, "mounts"), mount), 0);
  return box;
}

static uint32_t exit_code(struct host *host, const char *id, uint32_t pid)
{
  struct zl_rpc_exit how = { 0 };
  struct zl_error err = { 0 };
  json_t *json = NULL;

  assert_int_equal(HOST_CALL(host, &json, zl_rpc_wait, id, pid), 0);
  assert_int_equal(zl_rpc_parse_exit(json, &how, &err), 0);
  json_decref(json);
  return how.exit_code;
}

static void becomes_another(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();
  struct running r;

  (void)state;
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_amend(host, box, "late-1",
                              amendment("hostname; echo $WHO; cat /etc/hosts; cat; exit 5")),
                   0);
  r = host_execute(host, "late-1", false, false);
  assert_int_equal(exit_code(host, "late-1", r.pid), 5);
  host_expect(host, r.out, "late\nlate\n127.0.0.1 amended\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "stock"), -ZL_E_NOT_FOUND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  host_free(host);
  box_free(box);
}

static void has_the_input_that_is_asked_for(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();
  json_t *doc = amendment("read word; echo got $word");
  struct running r;

  (void)state;
  assert_int_equal(json_object_set_new(json_object_get(doc, "zlayer"), "openStdin", json_true()),
                   0);
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_amend(host, box, "late-1", doc), 0);
  r = host_execute(host, "late-1", true, false);
  host_write(host, r.in, "this\n");
  assert_int_equal(exit_code(host, "late-1", r.pid), 0);
  host_expect(host, r.out, "got this\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  host_free(host);
  box_free(box);
}

static void has_a_terminal_that_is_asked_for(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();
  json_t *doc = amendment("test -t 0 && test -t 1 && test -t 2; echo $?");
  struct running r;

  (void)state;
  assert_int_equal(json_object_set_new(json_object_get(doc, "process"), "terminal", json_true()),
                   0);
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_amend(host, box, "late-1", doc), 0);
  r = host_execute(host, "late-1", false, true);
  assert_int_equal(exit_code(host, "late-1", r.pid), 0);
  host_expect(host, r.out, "0\r\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  host_free(host);
  box_free(box);
}

/* What it was prepared with does not outlive it. */
static void gives_way_to_one_that_it_cannot_become(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box(), *other = BOX_SH("cat /etc/hosts 2>/dev/null; echo other");
  struct running r;

  (void)state;
  assert_int_equal(host_prepare(host, box), 0);
  r = host_start(host, other);
  assert_int_equal(exit_code(host, other->id, r.pid), 0);
  host_expect(host, r.out, "other\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, other->id), 0);
  host_free(host);
  box_free(other);
  box_free(box);
}

static void is_of_one_use(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();

  (void)state;
  assert_int_equal(host_amend(host, box, "late-1", amendment("true")), -ZL_E_CONFLICT);
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_amend(host, box, "late-1", amendment("true")), 0);
  assert_int_equal(host_amend(host, box, "late-2", amendment("true")), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  host_free(host);
  box_free(box);
}

/* The answer is the same as for a container that was made at once, and the next one is served. */
static void wrong_amendments_leave_nothing(void **state)
{
  static const char *const wrong[] = {
    "{\"process\":{\"args\":[],\"cwd\":\"/\"}}",
    "{\"process\":{\"args\":[\"sh\"],\"cwd\":\"here\"}}",
    "{\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"},\"zlayer\":{\"layers\":[\"/\"]}}",
    "{\"zlayer\":{\"stopSignal\":99}}",
    "{\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"},\"zlayer\":{\"user\":\"nobody-here\"}}",
  };
  struct host *host = host_new();
  struct box *box = stock_box();

  (void)state;
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    assert_int_equal(host_prepare(host, box), 0);
    if (host_amend(host, box, "late-1", json_loads(wrong[i], 0, NULL)) >= 0)
      fail_msg("'%s' was accepted", wrong[i]);
    assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), -ZL_E_NOT_FOUND);
  }
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "stock"), 0);
  host_free(host);
  box_free(box);
}

/* The newest is taken first, each has a writable layer of its own, and deleting one brings back the
 * one before it. */
static void several_wait_for_their_turn(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();
  struct running r;

  (void)state;
  for (int i = 0; i < 4; i++)
    assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_prepare(host, box), -ZL_E_LIMIT);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(
        host_amend(host, box, "late-1", amendment("test -e /mine && exit 9; echo > /mine; exit 5")),
        0);
    r = host_execute(host, "late-1", false, false);
    assert_int_equal(exit_code(host, "late-1", r.pid), 5);
    assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  }
  assert_int_equal(host_amend(host, box, "late-1", amendment("true")), -ZL_E_CONFLICT);
  host_free(host);
  box_free(box);
}

/* An amendment that is refused costs one of them; one that needs another bundle all. */
static void several_are_used_up(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box(), *other = BOX_SH("exit 3");
  struct running r;

  (void)state;
  for (int i = 0; i < 3; i++)
    assert_int_equal(host_prepare(host, box), 0);
  assert_true(
      host_amend(host, box, "late-1", json_loads("{\"zlayer\":{\"stopSignal\":99}}", 0, NULL)) < 0);
  assert_int_equal(host_amend(host, box, "late-1", amendment("exit 4")), 0);
  r = host_execute(host, "late-1", false, false);
  assert_int_equal(exit_code(host, "late-1", r.pid), 4);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  assert_int_equal(host_prepare(host, box), 0);
  r = host_start(host, other);
  assert_int_equal(exit_code(host, other->id, r.pid), 3);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, other->id), 0);
  assert_int_equal(host_amend(host, box, "late-1", amendment("true")), -ZL_E_CONFLICT);
  host_free(host);
  box_free(other);
  box_free(box);
}

static void no_such_program(void **state)
{
  struct host *host = host_new();
  struct box *box = stock_box();
  json_t *doc = json_pack("{s:{s:[s], s:[s], s:s}}", "process", "args", "missing", "env",
                          "PATH=/bin", "cwd", "/");
  struct zl_rpc_process what = { .oci = NULL };

  (void)state;
  assert_int_equal(host_prepare(host, box), 0);
  assert_int_equal(host_amend(host, box, "late-1", doc), 0);
  what.out_port = host_listen(host);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, "late-1", &what), -ZL_E_NO_COMMAND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, "late-1"), 0);
  host_free(host);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(becomes_another),
    cmocka_unit_test(has_the_input_that_is_asked_for),
    cmocka_unit_test(has_a_terminal_that_is_asked_for),
    cmocka_unit_test(gives_way_to_one_that_it_cannot_become),
    cmocka_unit_test(is_of_one_use),
    cmocka_unit_test(wrong_amendments_leave_nothing),
    cmocka_unit_test(several_wait_for_their_turn),
    cmocka_unit_test(several_are_used_up),
    cmocka_unit_test(no_such_program),
  };

  return cmocka_run_group_tests(tests, host_group_begin, host_group_end);
}
