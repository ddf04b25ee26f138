/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "bridge/client.h"
#include "frames.h"

/* What one call was told. */
struct told {
  int times, r;
  int64_t value; /* member "N" of the answer */
  struct zl_error err;
};

struct host {
  struct zl_bridge_client *client;
  struct zl_buf notes; /* of the hooks */
  int broken;
};

static void on_reply(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct told *told = ctx;

  told->times++;
  told->r = r;
  assert_true((r == 0) == (reply != NULL) && (r == 0) == (err == NULL));
  if (reply != NULL)
    told->value = json_integer_value(json_object_get(reply, "N"));
  if (err != NULL)
    told->err = *err;
}

static void on_notified(void *ctx, const struct zl_bridge_notification *note)
{
  struct host *host = ctx;

  assert_int_equal(zl_buf_printf(&host->notes, NULL, "%s/%s/%s/%d;", note->container_id, note->type,
                                 note->operation, note->result),
                   0);
}

static void on_broken(void *ctx, const struct zl_error *why)
{
  struct host *host = ctx;

  host->broken++;
  assert_int_equal(why->code, ZL_E_REMOTE);
}

static int host_new(void **state)
{
  static struct host host;
  const struct zl_bridge_hooks hooks = { &host, on_notified, on_broken };

  host = (struct host){ .notes = ZL_BUF_INIT(4096) };
  *state = &host;
  return zl_bridge_client_new(&hooks, &host.client, NULL);
}

static int host_free(void **state)
{
  struct host *host = *state;

  zl_bridge_client_free(host->client);
  zl_buf_done(&host->notes);
  return 0;
}

static uint64_t call_named(struct host *host, enum zl_bridge_message message, const char *container,
                           uint64_t deadline, struct told *told)
{
  struct zl_bridge_call call = { message, container, NULL, deadline, on_reply, told };
  uint64_t id = 0;

  assert_int_equal(zl_bridge_call(host->client, &call, &id, NULL), 0);
  return id;
}

static uint64_t call(struct host *host, enum zl_bridge_message message, struct told *told)
{
  return call_named(host, message, "box", UINT64_MAX, told);
}

static int feed(struct host *host, uint32_t type, uint64_t id, const char *text)
{
  zl_autobuf buf = ZL_BUF_INIT(1 << 20);

  add_frame(&buf, type, id, text);
  return zl_bridge_client_feed(host->client, buf.data, buf.len, NULL);
}

static void a_request_is_one_frame(void **state)
{
  struct host *host = *state;
  struct zl_bridge_call request = { .message = ZL_BRIDGE_GET_PROPERTIES,
                                    .body = json_pack("{s:i, s:s}", "N", 7, "ContainerId", "no"),
                                    .deadline_ns = UINT64_MAX };
  static const char text[] = "{\"ContainerId\":\"00000000-0000-0000-0000-000000000000\","
                             "\"ActivityId\":\"00000000-0000-0000-0000-000000000000\",\"N\":7}\n";
  struct zl_frame frame;
  const char *data;
  uint64_t id;
  size_t len;

  assert_int_equal(zl_bridge_call(host->client, &request, &id, NULL), 0);
  data = zl_bridge_client_pending(host->client, &len);
  assert_int_equal(len, ZL_FRAME_HEADER + sizeof(text) - 1);
  assert_int_equal(zl_frame_decode((const uint8_t *)data, ZL_BRIDGE_MAX_TO_GUEST, &frame, NULL), 0);
  assert_int_equal(frame.type, ZL_BRIDGE_GET_PROPERTIES);
  assert_int_equal(frame.size, len);
  assert_int_equal(frame.id, id);
  assert_memory_equal(data + ZL_FRAME_HEADER, text, sizeof(text) - 1);
  zl_bridge_client_sent(host->client, 10);
  assert_ptr_equal(zl_bridge_client_pending(host->client, &len), data + 10);
  zl_bridge_client_sent(host->client, len);
  assert_null(zl_bridge_client_pending(host->client, &len));
  assert_int_equal(len, 0);
}

static void answers_come_in_any_order(void **state)
{
  struct host *host = *state;
  struct told told[3] = { 0 };
  uint64_t ids[3];

  for (int i = 0; i < 3; i++)
    ids[i] = call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told[i]);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), ids[1], "{\"N\":1}"), 0);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), ids[2], "{\"N\":2}\n"), 0);
  assert_int_equal(told[0].times, 0);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), ids[0], "{\"N\":0}"), 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(told[i].times, 1);
    assert_int_equal(told[i].r, 0);
    assert_int_equal(told[i].value, i);
  }
}

static void bytes_come_one_by_one(void **state)
{
  struct host *host = *state;
  struct told told[2] = { 0 };
  zl_autobuf buf = ZL_BUF_INIT(4096);

  add_frame(&buf, RESPONSE(ZL_BRIDGE_START), call(host, ZL_BRIDGE_START, &told[0]), "{\"N\":5}");
  add_frame(&buf, RESPONSE(ZL_BRIDGE_CREATE), call(host, ZL_BRIDGE_CREATE, &told[1]), "{\"N\":6}");
  add_frame(
      &buf, ZL_BRIDGE_NOTIFY_CONTAINER, 0,
      "{\"ContainerId\":\"box\",\"Type\":\"ForcedExit\",\"Operation\":\"None\",\"Result\":-1}");
  for (size_t i = 0; i < buf.len; i++)
    assert_int_equal(zl_bridge_client_feed(host->client, buf.data + i, 1, NULL), 0);
  assert_int_equal(told[0].value, 5);
  assert_int_equal(told[1].value, 6);
  assert_string_equal(host->notes.data, "box/ForcedExit/None/-1;");
}

static void the_guests_own_failure_is_the_calls(void **state)
{
  static const struct {
    const char *answer;
    enum zl_code code;
    uint32_t os_error;
    const char *msg;
  } cases[] = {
    { "{\"Result\":-2147024894,\"ErrorMessage\":\"no program 'x'\"}", ZL_E_NO_COMMAND, 0x80070002,
      "no program 'x'" },
    { "{\"Result\":-1070137073,\"ErrorMessage\":\"\",\"ErrorRecords\":[{\"Message\":\"there\"}]}",
      ZL_E_CONFLICT, 0xc037010f, "there" },
    { "{\"Result\":-2147467259}", ZL_E_REMOTE, 0x80004005,
      "Start failed in the guest with 0x80004005" },
    { "{\"Result\":-2147467259,\"ErrorMessage\":\"a\\nb\"}", ZL_E_REMOTE, 0x80004005,
      "a b (Start, 0x80004005)" },
    { "{\"Result\":-2147483648,\"ErrorMessage\":5,\"ErrorRecords\":{}}", ZL_E_REMOTE, 0x80000000,
      "Start failed in the guest with 0x80000000" },
  };
  struct host *host = *state;

  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct told told = { 0 };
    uint64_t id = call(host, ZL_BRIDGE_START, &told);

    assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_START), id, cases[i].answer), 0);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.r, -(int)cases[i].code);
    assert_int_equal((uint32_t)told.err.os_error, cases[i].os_error);
    assert_string_equal(told.err.msg, cases[i].msg);
  }
}

static void results_that_are_not_negative_are_success(void **state)
{
  static const char *const answers[] = { "{}", "{\"Result\":0}", "{\"Result\":1}",
                                         "{\"Result\":2147483647}", "{\"Result\":null}" };
  struct host *host = *state;

  for (size_t i = 0; i < ZL_COUNT(answers); i++) {
    struct told told = { .r = 1 };
    uint64_t id = call(host, ZL_BRIDGE_START, &told);

    assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_START), id, answers[i]), 0);
    assert_int_equal(told.r, 0);
  }
}

/* Feeds one frame that no guest may send and sees everybody told. */
static void expect_end(struct host *host, const struct zl_buf *bytes, const char *why)
{
  struct told told[2] = { 0 };
  struct zl_error err = { 0 };

  (void)call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told[0]);
  (void)call(host, ZL_BRIDGE_EXECUTE_PROCESS, &told[1]);
  assert_int_equal(zl_bridge_client_feed(host->client, bytes->data, bytes->len, &err),
                   -ZL_E_REMOTE);
  assert_non_null(strstr(err.msg, why));
  for (int i = 0; i < 2; i++) {
    assert_int_equal(told[i].times, 1);
    assert_int_equal(told[i].r, -ZL_E_REMOTE);
    assert_string_equal(told[i].err.msg, err.msg);
  }
  assert_int_equal(host->broken, 1);
  assert_true(zl_bridge_client_is_broken(host->client));
  assert_int_equal(zl_bridge_client_feed(host->client, "", 0, NULL), -ZL_E_REMOTE);
}

static void what_no_guest_may_send_ends_the_bridge(void **state)
{
  static const struct {
    uint64_t id;
    uint32_t type, size;
    const char *text, *why;
  } cases[] = {
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 65537, "", "65537 bytes" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 15, "", "15 bytes" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 0, "", "0 bytes" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 16, "", "message" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 18, "[]", "no object" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 17, "{", "message" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 20, "{}{}", "message" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 29, "{\"N\":1,\"N\":1}", "duplicate" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 29, "{\"Result\":\"\"}", "Result" },
    { 1, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 37, "{\"Result\":2147942402}", "Result" },
    { 3, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 18, "{}", "not under way" },
    { 0, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 18, "{}", "not under way" },
    { 1, RESPONSE(ZL_BRIDGE_START), 18, "{}", "answer to Start" },
    { 1, ZL_BRIDGE_WAIT_FOR_PROCESS, 18, "{}", "unknown type" },
    { 1, 0x20100102, 18, "{}", "unknown type" },
    { 0, 0x30100201, 18, "{}", "unknown type" },
    { 0, ZL_BRIDGE_NOTIFY_CONTAINER, 18, "{}", "not created" },
    { 0, ZL_BRIDGE_NOTIFY_CONTAINER, 37, "{\"ContainerId\":\"box\"}", "not created" },
    { 0, ZL_BRIDGE_NOTIFY_CONTAINER, 33, "{\"ContainerId\":1}", "ContainerId" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autobuf bytes = ZL_BUF_INIT(4096);
    void *fresh;

    assert_int_equal(host_new(&fresh), 0);
    add_frame_sized(&bytes, cases[i].type, cases[i].id, cases[i].size, cases[i].text,
                    strlen(cases[i].text));
    expect_end(fresh, &bytes, cases[i].why);
    host_free(&fresh);
  }
}

static void deep_json_ends_the_bridge(void **state)
{
  zl_autobuf bytes = ZL_BUF_INIT(4096);
  char text[200];

  (void)snprintf(text, sizeof(text), "{\"a\":%.*s%.*s}", 32, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 32,
                 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
  add_frame(&bytes, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), 1, text);
  expect_end(*state, &bytes, "deeper than 32");
}

static void the_longest_frame_is_taken(void **state)
{
  struct host *host = *state;
  struct told told = { 0 };
  zl_autobuf bytes = ZL_BUF_INIT(ZL_BRIDGE_MAX_TO_HOST), text = ZL_BUF_INIT(ZL_BRIDGE_MAX_TO_HOST);
  uint64_t id = call(host, ZL_BRIDGE_DUMP_STACKS, &told);

  assert_int_equal(zl_buf_puts(&text, "{\"N\":3,\"GuestStacks\":\"", NULL), 0);
  while (text.len < ZL_BRIDGE_MAX_TO_HOST - ZL_FRAME_HEADER - 2)
    assert_int_equal(zl_buf_puts(&text, "x", NULL), 0);
  assert_int_equal(zl_buf_puts(&text, "\"}", NULL), 0);
  add_frame(&bytes, RESPONSE(ZL_BRIDGE_DUMP_STACKS), id, text.data);
  assert_int_equal(bytes.len, ZL_BRIDGE_MAX_TO_HOST);
  assert_int_equal(zl_bridge_client_feed(host->client, bytes.data, 1000, NULL), 0);
  assert_int_equal(zl_bridge_client_feed(host->client, bytes.data + 1000, bytes.len - 1000, NULL),
                   0);
  assert_int_equal(told.value, 3);
}

#define NOTE(id) "{\"ContainerId\":\"" id "\",\"Type\":\"UnexpectedExit\"}"

static void notifications_are_for_the_container_created(void **state)
{
  struct host *host = *state;
  struct told told[3] = { 0 };
  uint64_t id = call_named(host, ZL_BRIDGE_CREATE, "box", UINT64_MAX, &told[0]);

  /* It may overtake the answer. */
  assert_int_equal(feed(host, ZL_BRIDGE_NOTIFY_CONTAINER, 0, NOTE("box")), 0);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_CREATE), id, "{}"), 0);
  assert_int_equal(feed(host, ZL_BRIDGE_NOTIFY_CONTAINER, 0, NOTE("box")), 0);
  /* A second one that the guest refuses changes nothing. */
  id = call_named(host, ZL_BRIDGE_CREATE, "two", UINT64_MAX, &told[1]);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_CREATE), id, "{\"Result\":-1}"), 0);
  assert_int_equal(feed(host, ZL_BRIDGE_NOTIFY_CONTAINER, 0, NOTE("box")), 0);
  assert_string_equal(host->notes.data, "box/UnexpectedExit//0;box/UnexpectedExit//0;"
                                        "box/UnexpectedExit//0;");
  assert_int_equal(feed(host, ZL_BRIDGE_NOTIFY_CONTAINER, 0, NOTE("two")), -ZL_E_REMOTE);
  assert_int_equal(host->broken, 1);
}

static void a_cancelled_call_may_be_answered_late(void **state)
{
  struct host *host = *state;
  struct told told = { 0 };
  uint64_t id = call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told);

  zl_bridge_cancel(host->client, id);
  assert_int_equal(told.times, 1);
  assert_int_equal(told.r, -ZL_E_CANCELLED);
  zl_bridge_cancel(host->client, id);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), id, "{}"), 0);
  assert_int_equal(told.times, 1);
  zl_bridge_cancel(host->client, id);
  /* But only once. */
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), id, "{}"), -ZL_E_REMOTE);
}

static void what_cannot_be_cancelled_loses_its_callback(void **state)
{
  struct host *host = *state;
  struct told told = { 0 };
  uint64_t id = call(host, ZL_BRIDGE_EXECUTE_PROCESS, &told);

  zl_bridge_cancel(host->client, id);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_EXECUTE_PROCESS), id, "{}"), 0);
  assert_int_equal(told.times, 0);
}

static void timeouts_end_single_calls_that_can_be_cancelled(void **state)
{
  static const enum zl_bridge_message messages[] = {
    ZL_BRIDGE_NEGOTIATE,        ZL_BRIDGE_GET_PROPERTIES,    ZL_BRIDGE_RESIZE_CONSOLE,
    ZL_BRIDGE_WAIT_FOR_PROCESS, ZL_BRIDGE_SHUTDOWN_GRACEFUL, ZL_BRIDGE_SHUTDOWN_FORCED,
  };
  struct host *host = *state;

  assert_true(zl_bridge_client_deadline(host->client) == UINT64_MAX);
  for (size_t i = 0; i < ZL_COUNT(messages); i++) {
    struct told told = { 0 }, other = { 0 };
    uint64_t id = call_named(host, messages[i], "box", 100, &told), second;

    second = call_named(host, ZL_BRIDGE_EXECUTE_PROCESS, "box", 200, &other);
    assert_int_equal(zl_bridge_client_deadline(host->client), 100);
    zl_bridge_client_tick(host->client, 99);
    assert_int_equal(told.times, 0);
    zl_bridge_client_tick(host->client, 100);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.r, -ZL_E_TIMEOUT);
    assert_int_equal(zl_bridge_client_deadline(host->client), 200);
    assert_int_equal(feed(host, RESPONSE(messages[i]), id, "{}"), 0);
    assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_EXECUTE_PROCESS), second, "{}"), 0);
    assert_int_equal(told.times, 1);
    assert_int_equal(other.r, 0);
    assert_true(zl_bridge_client_deadline(host->client) == UINT64_MAX);
  }
}

static void other_timeouts_end_the_bridge(void **state)
{
  static const enum zl_bridge_message messages[] = {
    ZL_BRIDGE_CREATE,
    ZL_BRIDGE_START,
    ZL_BRIDGE_EXECUTE_PROCESS,
    ZL_BRIDGE_MODIFY_SETTINGS,
    ZL_BRIDGE_DUMP_STACKS,
    ZL_BRIDGE_SIGNAL_PROCESS,
    ZL_BRIDGE_DELETE_CONTAINER_STATE,
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(messages); i++) {
    struct told late = { 0 }, other = { 0 };
    struct host *host;
    void *fresh;

    assert_int_equal(host_new(&fresh), 0);
    host = fresh;
    (void)call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &other);
    (void)call_named(host, messages[i], "box", 100, &late);
    zl_bridge_client_tick(host->client, 101);
    assert_int_equal(late.times, 1);
    assert_int_equal(late.r, -ZL_E_TIMEOUT);
    assert_int_equal(other.times, 1);
    assert_int_equal(other.r, -ZL_E_REMOTE);
    assert_non_null(strstr(other.err.msg, zl_bridge_message_name(messages[i])));
    assert_int_equal(host->broken, 1);
    host_free(&fresh);
  }
}

static void a_hangup_fails_every_waiter(void **state)
{
  struct host *host = *state;
  struct told told[ZL_BRIDGE_MAX_CALLS] = { 0 }, after = { 0 };
  struct zl_bridge_call late = { .message = ZL_BRIDGE_START, .fn = on_reply, .ctx = &after };
  struct zl_error err = { 0 };
  size_t len;

  for (size_t i = 0; i < ZL_COUNT(told); i++)
    (void)call(host, i % 2 ? ZL_BRIDGE_CREATE : ZL_BRIDGE_WAIT_FOR_PROCESS, &told[i]);
  zl_bridge_client_hangup(host->client);
  zl_bridge_client_hangup(host->client);
  for (size_t i = 0; i < ZL_COUNT(told); i++) {
    assert_int_equal(told[i].times, 1);
    assert_int_equal(told[i].r, -ZL_E_REMOTE);
  }
  assert_int_equal(host->broken, 1);
  late.body = json_pack("{s:i}", "N", 1);
  assert_int_equal(zl_bridge_call(host->client, &late, NULL, &err), -ZL_E_REMOTE);
  assert_non_null(strstr(err.msg, "hung up"));
  assert_int_equal(after.times, 0);
  assert_null(zl_bridge_client_pending(host->client, &len));
}

/* Whoever waits learns what was broken, not that the bridge is gone. */
static void an_owners_reason_is_every_waiters(void **state)
{
  struct host *host = *state;
  struct told told = { 0 };
  struct zl_error why = { 0 }, err = { 0 };

  (void)zl_fail(&why, ZL_E_REMOTE, 0, "streams of the guest: broken");
  (void)call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told);
  zl_bridge_client_end(host->client, &why);
  zl_bridge_client_hangup(host->client);
  assert_int_equal(told.times, 1);
  assert_string_equal(told.err.msg, why.msg);
  assert_int_equal(host->broken, 1);
  assert_int_equal(zl_bridge_client_feed(host->client, "x", 1, &err), -ZL_E_REMOTE);
  assert_string_equal(err.msg, why.msg);
}

static void free_cancels_quietly(void **state)
{
  struct host *host = *state;
  struct told told[2] = { 0 };

  (void)call(host, ZL_BRIDGE_CREATE, &told[0]);
  (void)call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told[1]);
  zl_bridge_client_free(host->client);
  host->client = NULL;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(told[i].times, 1);
    assert_int_equal(told[i].r, -ZL_E_CANCELLED);
  }
  assert_int_equal(host->broken, 0);
}

static void calls_have_limits(void **state)
{
  struct host *host = *state;
  static struct told told[ZL_BRIDGE_MAX_CALLS], more; /* told of their end after this function */
  struct zl_bridge_call extra = { .message = ZL_BRIDGE_START, .fn = on_reply, .ctx = &more };
  uint64_t first = 0;

  for (size_t i = 0; i < ZL_COUNT(told); i++) {
    uint64_t id = call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &told[i]);

    first = i == 0 ? id : first;
  }
  assert_int_equal(zl_bridge_call(host->client, &extra, NULL, NULL), -ZL_E_LIMIT);
  zl_bridge_cancel(host->client, first); /* still owed an answer */
  assert_int_equal(zl_bridge_call(host->client, &extra, NULL, NULL), -ZL_E_LIMIT);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_WAIT_FOR_PROCESS), first, "{}"), 0);
  assert_int_equal(zl_bridge_call(host->client, &extra, NULL, NULL), 0);
  assert_int_equal(more.times, 0);
}

static json_t *text_of(size_t len)
{
  zl_autofree char *text = malloc(len + 1);

  assert_non_null(text);
  memset(text, 'x', len);
  text[len] = '\0';
  return json_pack("{s:s}", "ContainerConfig", text);
}

static void requests_have_a_longest_length(void **state)
{
  struct host *host = *state;
  struct zl_bridge_call create = { .message = ZL_BRIDGE_CREATE, .deadline_ns = UINT64_MAX };
  size_t len,
      room = ZL_BRIDGE_MAX_TO_GUEST - ZL_FRAME_HEADER - 1 -
             strlen("{\"ContainerId\":\"" ZL_BRIDGE_NULL_GUID
                    "\",\"ActivityId\":\"" ZL_BRIDGE_NULL_GUID "\",\"ContainerConfig\":\"\"}");

  create.body = text_of(room + 1);
  assert_int_equal(zl_bridge_call(host->client, &create, NULL, NULL), -ZL_E_LIMIT);
  for (int i = 0; i < 2; i++) {
    create.body = text_of(room);
    assert_int_equal(zl_bridge_call(host->client, &create, NULL, NULL), 0);
  }
  (void)zl_bridge_client_pending(host->client, &len);
  assert_int_equal(len, 2 * ZL_BRIDGE_MAX_TO_GUEST);
  create.body = NULL;
  assert_int_equal(zl_bridge_call(host->client, &create, NULL, NULL), -ZL_E_LIMIT);
  zl_bridge_client_sent(host->client, 200);
  assert_int_equal(zl_bridge_call(host->client, &create, NULL, NULL), 0);
}

static void what_is_no_object_or_no_text_is_refused(void **state)
{
  struct host *host = *state;
  struct zl_bridge_call bad = { .message = ZL_BRIDGE_START, .container_id = "\xff" };
  size_t len;

  assert_int_equal(zl_bridge_call(host->client, &bad, NULL, NULL), -ZL_E_INVALID);
  bad.container_id = NULL;
  bad.body = json_array();
  assert_int_equal(zl_bridge_call(host->client, &bad, NULL, NULL), -ZL_E_INVALID);
  assert_null(zl_bridge_client_pending(host->client, &len));
}

/* A callback that calls again, cancels a neighbour and, at the end, finds that it cannot call. */
struct chain {
  struct host *host;
  struct told neighbour;
  uint64_t neighbour_id, next_id;
  int times, refused;
};

static void on_chain(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct chain *chain = ctx;
  struct zl_bridge_call again = { ZL_BRIDGE_GET_PROPERTIES, "box", NULL, 50, on_chain, chain };

  (void)reply;
  (void)err;
  chain->times++;
  zl_bridge_cancel(chain->host->client, chain->neighbour_id);
  if (zl_bridge_call(chain->host->client, &again, &chain->next_id, NULL) < 0)
    chain->refused++;
  assert_true(r <= 0);
}

static void callbacks_may_call_and_cancel(void **state)
{
  struct host *host = *state;
  struct chain chain = { .host = host };

  chain.neighbour_id = call(host, ZL_BRIDGE_WAIT_FOR_PROCESS, &chain.neighbour);
  on_chain(&chain, 0, NULL, NULL);
  assert_int_equal(chain.neighbour.r, -ZL_E_CANCELLED);
  assert_int_equal(feed(host, RESPONSE(ZL_BRIDGE_GET_PROPERTIES), chain.next_id, "{}"), 0);
  assert_int_equal(chain.times, 2);
  /* Its deadline is over at once, yet tick ends. */
  zl_bridge_client_tick(host->client, 60);
  assert_int_equal(chain.times, 3);
  zl_bridge_client_tick(host->client, 60);
  assert_int_equal(chain.times, 4);
  assert_int_equal(chain.refused, 0);
  zl_bridge_client_hangup(host->client);
  assert_int_equal(chain.times, 5);
  assert_int_equal(chain.refused, 1);
  assert_int_equal(chain.neighbour.times, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, host_new, host_free)
  const struct CMUnitTest tests[] = {
    TEST(a_request_is_one_frame),
    TEST(answers_come_in_any_order),
    TEST(bytes_come_one_by_one),
    TEST(the_guests_own_failure_is_the_calls),
    TEST(results_that_are_not_negative_are_success),
    cmocka_unit_test(what_no_guest_may_send_ends_the_bridge),
    TEST(deep_json_ends_the_bridge),
    TEST(the_longest_frame_is_taken),
    TEST(notifications_are_for_the_container_created),
    TEST(a_cancelled_call_may_be_answered_late),
    TEST(what_cannot_be_cancelled_loses_its_callback),
    TEST(timeouts_end_single_calls_that_can_be_cancelled),
    cmocka_unit_test(other_timeouts_end_the_bridge),
    TEST(a_hangup_fails_every_waiter),
    TEST(an_owners_reason_is_every_waiters),
    TEST(free_cancels_quietly),
    TEST(calls_have_limits),
    TEST(requests_have_a_longest_length),
    TEST(what_is_no_object_or_no_text_is_refused),
    TEST(callbacks_may_call_and_cancel),
  };

  return cmocka_run_group_tests_name("bridge client", tests, NULL, NULL);
}
