/* SPDX-License-Identifier: Apache-2.0
 *
 * What the client makes of guests that misbehave, over a real socket and through links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/rpc.h"
#include "fake_guest.h"
#include "frames.h"

enum {
  PATIENCE_MS = 20000, /* only a broken test waits so long */
  PATIENT = 1000,      /* deadlines of the made-up clock */
};

struct told {
  int times, r;
  struct zl_error err;
  uint32_t process_id;
  struct zl_rpc_exit exit;
  struct zl_rpc_capabilities capabilities;
  int parsed; /* of the last parser */
};

struct box {
  struct zl_bridge_client *client;
  struct zl_link link;
  int fd;
  struct fake_guest guest;
  int notified, broken;
  struct told negotiated, created, executed, waited;
};

static void note(struct told *told, int r, const struct zl_error *err)
{
  told->times++;
  told->r = r;
  if (err != NULL)
    told->err = *err;
}

static void on_negotiated(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct told *told = ctx;

  note(told, r, err);
  if (r == 0)
    told->parsed = zl_rpc_parse_capabilities(reply, &told->capabilities, &told->err);
}

static void on_reply(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  (void)reply;
  note(ctx, r, err);
}

static void on_executed(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct told *told = ctx;

  note(told, r, err);
  if (r == 0)
    told->parsed = zl_rpc_parse_process_id(reply, &told->process_id, NULL);
}

static void on_waited(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct told *told = ctx;

  note(told, r, err);
  if (r == 0)
    told->parsed = zl_rpc_parse_exit(reply, &told->exit, NULL);
}

static void on_notified(void *ctx, const struct zl_bridge_notification *notification)
{
  struct box *box = ctx;

  assert_string_equal(notification->container_id, "box");
  assert_string_equal(notification->type, "UnexpectedExit");
  box->notified++;
}

static void on_broken(void *ctx, const struct zl_error *why)
{
  struct box *box = ctx;

  assert_int_equal(why->code, ZL_E_REMOTE);
  box->broken++;
}

static void box_init(struct box *box, enum fake_fault fault, enum zl_bridge_message at)
{
  const struct zl_bridge_hooks hooks = { box, on_notified, on_broken };
  int ends[2];

  *box = (struct box){ 0 };
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  box->fd = ends[0];
  assert_int_equal(zl_bridge_client_new(&hooks, &box->client, NULL), 0);
  zl_link_client(&box->link, box->fd, box->client);
  fake_guest_init(&box->guest, ends[1], fault, at);
}

static void box_done(struct box *box)
{
  fake_guest_done(&box->guest);
  zl_bridge_client_free(box->client);
  (void)close(box->fd);
}

/* One turn of both loops; false: there was nothing to do within `timeout_ms`. */
static bool turn(struct box *box, int timeout_ms)
{
  struct pollfd fds[] = { { .fd = box->link.hung_up ? -1 : box->fd,
                            .events = zl_link_events(&box->link) },
                          { .fd = box->guest.fd, .events = zl_link_events(&box->guest.link) } };
  int n = poll(fds, 2, timeout_ms);

  assert_true(n >= 0);
  if (fds[1].revents != 0)
    fake_guest_turn(&box->guest, fds[1].revents);
  if (fds[0].revents != 0 && zl_link_pump(&box->link, fds[0].revents, NULL) < 0)
    return false; /* the bridge has ended, which the waiters were told */
  return n > 0;
}

static void run_until(struct box *box, const int *times)
{
  while (*times == 0)
    if (!turn(box, PATIENCE_MS) && *times == 0)
      fail_msg("nothing happens");
}

static void run_until_idle(struct box *box)
{
  while (turn(box, 0))
    ;
}

/* A shim's first calls, all at once. */
static void call_all(struct box *box)
{
  struct zl_rpc_then then = { PATIENT, on_negotiated, &box->negotiated, NULL };
  const struct zl_rpc_process init = { .out_port = 0x40000001 };
  zl_autojson *bundle = json_object();

  assert_int_equal(zl_rpc_negotiate(box->client, &then, NULL), 0);
  then = (struct zl_rpc_then){ PATIENT, on_reply, &box->created, NULL };
  assert_int_equal(zl_rpc_create(box->client, "box", bundle, NULL, &then, NULL), 0);
  then = (struct zl_rpc_then){ PATIENT, on_executed, &box->executed, NULL };
  assert_int_equal(zl_rpc_execute(box->client, "box", &init, &then, NULL), 0);
  then = (struct zl_rpc_then){ UINT64_MAX, on_waited, &box->waited, NULL };
  assert_int_equal(zl_rpc_wait(box->client, "box", 7, &then, NULL), 0);
}

static void a_good_guest_answers_all(void **state)
{
  struct box box;
  const struct zl_rpc_then then = { PATIENT, on_reply, &box.created, NULL };

  (void)state;
  box_init(&box, FAKE_GOOD, ZL_BRIDGE_CREATE);
  call_all(&box);
  run_until(&box, &box.waited.times);
  assert_true(box.negotiated.r == 0 && box.negotiated.parsed == 0);
  assert_true(box.negotiated.capabilities.version == 4 && !box.negotiated.capabilities.windows);
  assert_true(box.created.r == 0 && box.executed.r == 0 && box.executed.process_id == 7);
  assert_true(box.waited.exit.exit_code == 137 && box.waited.exit.oom_killed);
  assert_int_equal(box.waited.exit.signal, 9);
  assert_int_equal(box.guest.requests, 3);
  /* Its end is noticed, and after that a call fails at once. */
  fake_guest_hang_up(&box.guest);
  run_until(&box, &box.broken);
  assert_true(box.link.hung_up);
  assert_int_equal(zl_rpc_start(box.client, "box", &then, NULL), -ZL_E_REMOTE);
  assert_int_equal(box.created.times, 1);
  box_done(&box);
}

static void another_version_is_named(void **state)
{
  struct box box;
  const struct zl_rpc_then then = { PATIENT, on_negotiated, &box.negotiated, NULL };

  (void)state;
  box_init(&box, FAKE_WRONG_VERSION, ZL_BRIDGE_NEGOTIATE);
  assert_int_equal(zl_rpc_negotiate(box.client, &then, NULL), 0);
  run_until(&box, &box.negotiated.times);
  assert_int_equal(box.negotiated.r, 0);
  assert_int_equal(box.negotiated.parsed, -ZL_E_UNSUPPORTED);
  assert_non_null(strstr(box.negotiated.err.msg, "version 5"));
  assert_int_equal(box.broken, 0);
  box_done(&box);
}

static void a_notification_may_come_first(void **state)
{
  struct box box;

  (void)state;
  box_init(&box, FAKE_NOTIFIES_FIRST, ZL_BRIDGE_CREATE);
  call_all(&box);
  run_until(&box, &box.waited.times);
  assert_int_equal(box.notified, 1);
  assert_int_equal(box.created.r, 0);
  assert_int_equal(box.broken, 0);
  box_done(&box);
}

static void a_dropped_answer_ends_a_call_that_can_be_cancelled(void **state)
{
  struct box box;
  struct told told = { 0 };
  const struct zl_rpc_then then = { PATIENT, on_reply, &told, NULL };

  (void)state;
  box_init(&box, FAKE_DROP, ZL_BRIDGE_GET_PROPERTIES);
  call_all(&box);
  assert_int_equal(zl_rpc_properties(box.client, "box", ZL_RPC_MEMORY, &then, NULL), 0);
  run_until(&box, &box.waited.times);
  run_until_idle(&box);
  assert_int_equal(told.times, 0);
  zl_bridge_client_tick(box.client, PATIENT);
  assert_int_equal(told.times, 1);
  assert_int_equal(told.r, -ZL_E_TIMEOUT);
  assert_int_equal(box.broken, 0);
  box_done(&box);
}

static void a_dropped_answer_to_another_ends_the_bridge(void **state)
{
  struct box box;

  (void)state;
  box_init(&box, FAKE_DROP, ZL_BRIDGE_EXECUTE_PROCESS);
  call_all(&box);
  run_until(&box, &box.waited.times);
  assert_int_equal(box.executed.times, 0);
  zl_bridge_client_tick(box.client, PATIENT);
  assert_int_equal(box.executed.r, -ZL_E_TIMEOUT);
  assert_int_equal(box.broken, 1);
  box_done(&box);
}

static void a_delayed_answer_counts_until_its_time_is_over(void **state)
{
  struct box box;

  (void)state;
  box_init(&box, FAKE_DELAY, ZL_BRIDGE_EXECUTE_PROCESS);
  call_all(&box);
  run_until(&box, &box.waited.times); /* which was called after it */
  run_until_idle(&box);
  assert_int_equal(box.executed.times, 0);
  zl_bridge_client_tick(box.client, PATIENT - 1);
  fake_guest_release(&box.guest);
  run_until(&box, &box.executed.times);
  assert_int_equal(box.executed.r, 0);
  assert_int_equal(box.executed.process_id, 7);
  box_done(&box);
}

static void an_answer_after_the_time_is_dropped(void **state)
{
  struct box box;
  struct told told = { 0 };
  struct zl_rpc_then then = { PATIENT, on_reply, &told, NULL };

  (void)state;
  box_init(&box, FAKE_DELAY, ZL_BRIDGE_SHUTDOWN_GRACEFUL);
  call_all(&box);
  assert_int_equal(zl_rpc_shutdown(box.client, "box", false, &then, NULL), 0);
  run_until(&box, &box.waited.times);
  run_until_idle(&box);
  zl_bridge_client_tick(box.client, PATIENT);
  assert_int_equal(told.r, -ZL_E_TIMEOUT);
  fake_guest_release(&box.guest);
  run_until_idle(&box);
  assert_int_equal(told.times, 1);
  assert_int_equal(box.broken, 0);
  box_done(&box);
}

static void a_silent_guest_is_given_up(void **state)
{
  struct box box;

  (void)state;
  box_init(&box, FAKE_SILENT, ZL_BRIDGE_CREATE);
  call_all(&box);
  run_until(&box, &box.negotiated.times);
  run_until_idle(&box);
  assert_int_equal(box.guest.requests, 3);
  assert_int_equal(zl_bridge_client_deadline(box.client), PATIENT);
  zl_bridge_client_tick(box.client, PATIENT);
  assert_true(box.created.r == -ZL_E_TIMEOUT || box.executed.r == -ZL_E_TIMEOUT);
  assert_int_equal(box.waited.r, -ZL_E_REMOTE);
  assert_int_equal(box.broken, 1);
  box_done(&box);
}

static void what_cannot_be_understood_ends_the_bridge(void **state)
{
  static const struct {
    enum fake_fault fault;
    const char *why;
  } cases[] = {
    { FAKE_OVERSIZED, "65537 bytes" },  { FAKE_UNDERSIZED, "8 bytes" },
    { FAKE_WRONG_ID, "not under way" }, { FAKE_GARBAGE, "a frame of" },
    { FAKE_NOT_JSON, "message" },       { FAKE_HALF_FRAME, "hung up" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct box box;

    box_init(&box, cases[i].fault, ZL_BRIDGE_EXECUTE_PROCESS);
    call_all(&box);
    run_until(&box, &box.executed.times);
    assert_int_equal(box.executed.r, -ZL_E_REMOTE);
    assert_non_null(strstr(box.executed.err.msg, cases[i].why));
    assert_true(box.negotiated.times == 1 && box.created.times == 1);
    assert_true(box.waited.times == 1 && box.broken == 1);
    box_done(&box);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_good_guest_answers_all),
    cmocka_unit_test(another_version_is_named),
    cmocka_unit_test(a_notification_may_come_first),
    cmocka_unit_test(a_dropped_answer_ends_a_call_that_can_be_cancelled),
    cmocka_unit_test(a_dropped_answer_to_another_ends_the_bridge),
    cmocka_unit_test(a_delayed_answer_counts_until_its_time_is_over),
    cmocka_unit_test(an_answer_after_the_time_is_dropped),
    cmocka_unit_test(a_silent_guest_is_given_up),
    cmocka_unit_test(what_cannot_be_understood_ends_the_bridge),
  };

  return cmocka_run_group_tests_name("bridge with a fake guest", tests, NULL, NULL);
}
