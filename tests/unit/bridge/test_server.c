/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "bridge/server.h"
#include "frames.h"

struct guest {
  struct zl_bridge_server *server;
  int requests;
  uint64_t last_id;
  char last[160]; /* "Create box" */
};

static void on_request(void *ctx, const struct zl_bridge_request *request)
{
  struct guest *guest = ctx;

  guest->requests++;
  guest->last_id = request->id;
  assert_true(json_is_object(request->body));
  (void)snprintf(guest->last, sizeof(guest->last), "%s %s",
                 zl_bridge_message_name(request->message), request->container_id);
}

static int guest_new(void **state)
{
  static struct guest guest;

  guest = (struct guest){ 0 };
  *state = &guest;
  return zl_bridge_server_new(on_request, &guest, json_pack("{s:s}", "RuntimeOsType", "Linux"),
                              &guest.server, NULL);
}

static int guest_free(void **state)
{
  struct guest *guest = *state;

  zl_bridge_server_free(guest->server);
  return 0;
}

static int feed(struct guest *guest, uint32_t type, uint64_t id, const char *text)
{
  zl_autobuf buf = ZL_BUF_INIT(8 << 20);

  add_frame(&buf, type, id, text);
  return zl_bridge_server_feed(guest->server, buf.data, buf.len, NULL);
}

/* Takes the next answer off; the caller releases it. */
static json_t *answer(struct guest *guest, uint32_t type, uint64_t id)
{
  struct zl_frame frame;
  json_t *json;
  size_t len;
  const void *data = zl_bridge_server_pending(guest->server, &len);

  len = first_frame(data, len, &frame, &json);
  assert_int_equal(frame.type, type);
  assert_int_equal(frame.id, id);
  zl_bridge_server_sent(guest->server, len);
  return json;
}

static void expect_result(struct guest *guest, uint32_t type, uint64_t id, uint32_t result)
{
  zl_autojson *json = answer(guest, type, id);
  const json_t *record = json_array_get(json_object_get(json, "ErrorRecords"), 0);
  const char *text = json_string_value(json_object_get(json, "ErrorMessage"));

  assert_int_equal(json_integer_value(json_object_get(json, "Result")), (int32_t)result);
  if (result == 0)
    return;
  assert_true(text != NULL && *text != '\0');
  assert_int_equal(json_integer_value(json_object_get(record, "Result")), (int32_t)result);
  assert_string_equal(json_string_value(json_object_get(record, "Message")), text);
}

static void expect_nothing(struct guest *guest)
{
  size_t len;

  assert_null(zl_bridge_server_pending(guest->server, &len));
}

static void negotiate(struct guest *guest)
{
  zl_autojson *json = NULL;

  assert_int_equal(
      feed(guest, ZL_BRIDGE_NEGOTIATE, 1, "{\"MinimumVersion\":4,\"MaximumVersion\":4}\n"), 0);
  json = answer(guest, RESPONSE(ZL_BRIDGE_NEGOTIATE), 1);
  assert_int_equal(json_integer_value(json_object_get(json, "Result")), 0);
  assert_int_equal(json_integer_value(json_object_get(json, "Version")), 4);
  assert_string_equal(
      json_string_value(json_object_get(json_object_get(json, "Capabilities"), "RuntimeOsType")),
      "Linux");
}

static void versions_are_negotiated(void **state)
{
  static const struct {
    const char *range;
    uint32_t result;
  } cases[] = {
    { "{\"MinimumVersion\":4,\"MaximumVersion\":4}", 0 },
    { "{\"MinimumVersion\":1,\"MaximumVersion\":4}", 0 },
    { "{\"MinimumVersion\":4,\"MaximumVersion\":9}", 0 },
    { "{\"MinimumVersion\":0,\"MaximumVersion\":4294967295}", 0 },
    { "{\"MinimumVersion\":1,\"MaximumVersion\":3}", 0xc037010c },
    { "{\"MinimumVersion\":5,\"MaximumVersion\":6}", 0xc037010c },
    { "{\"MinimumVersion\":5,\"MaximumVersion\":4}", 0xc037010c },
    { "{}", 0xc037010c },
    { "{\"MinimumVersion\":\"4\",\"MaximumVersion\":4}", 0x80070057 },
    { "{\"MinimumVersion\":-1,\"MaximumVersion\":4}", 0x80070057 },
    { "{\"MinimumVersion\":4,\"MaximumVersion\":4.0}", 0x80070057 },
    { "{\"MinimumVersion\":4", 0xc037010d },
    { "4", 0xc037010d },
    { "", 0xc037010d },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct guest *guest;
    void *fresh;

    assert_int_equal(guest_new(&fresh), 0);
    guest = fresh;
    assert_int_equal(feed(guest, ZL_BRIDGE_NEGOTIATE, 9, cases[i].range), 0);
    expect_result(guest, RESPONSE(ZL_BRIDGE_NEGOTIATE), 9, cases[i].result);
    /* Only then are others let through. */
    assert_int_equal(feed(guest, ZL_BRIDGE_START, 10, "{\"ContainerId\":\"box\"}"), 0);
    assert_int_equal(guest->requests, cases[i].result == 0 ? 1 : 0);
    guest_free(&fresh);
  }
}

static void nothing_comes_before_the_negotiation(void **state)
{
  struct guest *guest = *state;

  assert_int_equal(feed(guest, ZL_BRIDGE_CREATE, 3, "{}"), 0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_CREATE), 3, 0x80004001);
  assert_int_equal(feed(guest, ZL_BRIDGE_GET_PROPERTIES, 4, "no JSON"), 0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_GET_PROPERTIES), 4, 0x80004001);
  assert_int_equal(feed(guest, 0x10107701, 5, "{}"), 0);
  expect_result(guest, 0x20107701, 5, 0x80004001);
  assert_int_equal(guest->requests, 0);
  negotiate(guest);
}

static void a_machine_is_negotiated_with_anew(void **state)
{
  struct guest *guest = *state;

  negotiate(guest);
  assert_int_equal(feed(guest, ZL_BRIDGE_START, 2, "{\"ContainerId\":\"box\"}"), 0);
  negotiate(guest);
  assert_int_equal(feed(guest, ZL_BRIDGE_START, 3, "{\"ContainerId\":\"box\"}"), 0);
  assert_int_equal(guest->requests, 2);
  expect_nothing(guest);
}

static void requests_are_handed_over(void **state)
{
  struct guest *guest = *state;
  zl_autojson *json = NULL;
  struct zl_error why = { 0 };

  negotiate(guest);
  assert_int_equal(feed(guest, ZL_BRIDGE_CREATE, UINT64_MAX, "{\"ContainerId\":\"box\"}\n"), 0);
  assert_string_equal(guest->last, "Create box");
  assert_true(guest->last_id == UINT64_MAX);
  assert_int_equal(feed(guest, ZL_BRIDGE_DUMP_STACKS, 8, "{}"), 0);
  assert_string_equal(guest->last, "DumpStacks ");
  expect_nothing(guest);
  (void)zl_fail(&why, ZL_E_NOT_FOUND, ENOENT, "no container \xff'box'");
  assert_int_equal(zl_bridge_refuse(guest->server, ZL_BRIDGE_CREATE, UINT64_MAX, &why, NULL), 0);
  assert_int_equal(zl_bridge_answer(guest->server, ZL_BRIDGE_DUMP_STACKS, 8,
                                    json_pack("{s:s, s:i}", "GuestStacks", "s", "Result", 5), NULL),
                   0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_CREATE), UINT64_MAX, 0x80070490);
  json = answer(guest, RESPONSE(ZL_BRIDGE_DUMP_STACKS), 8);
  assert_int_equal(json_integer_value(json_object_get(json, "Result")), 0);
  assert_string_equal(json_string_value(json_object_get(json, "GuestStacks")), "s");
}

static void a_refusal_may_name_its_result(void **state)
{
  struct guest *guest = *state;
  struct zl_error why = { 0 };

  (void)zl_fail(&why, ZL_E_CONFLICT, 0, "container 'box' exists");
  why.os_error = ZL_HRESULT_EXISTS;
  assert_int_equal(zl_bridge_refuse(guest->server, ZL_BRIDGE_CREATE, 2, &why, NULL), 0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_CREATE), 2, 0xc037010f);
}

/* Byte for byte: it is written without a JSON library. */
static void a_refusal_is_valid_json_whatever_it_quotes(void **state)
{
  static const struct {
    const char *quoted, *written;
  } cases[] = {
    { "box", "box" },
    { "a\"b\\c/%s{}", "a\\\"b\\\\c/%s{}" },
    { "\xc3\xa4\x7f", "\xc3\xa4 " },
    { "\xc3", "?" },
  };
  struct guest *guest = *state;

  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_error why = { 0 };
    zl_autofree char *text = NULL;
    const char *data;
    size_t len;

    assert_true(asprintf(&text,
                         "{\"Result\":-2147023728,\"ErrorMessage\":\"no %s\",\"ErrorRecords\":[{"
                         "\"Result\":-2147023728,\"Message\":\"no %s\",\"StackTrace\":\"\","
                         "\"ModuleName\":\"zlayer-guest\",\"FileName\":\"\",\"Line\":0,"
                         "\"FunctionName\":\"Start\"}]}",
                         cases[i].written, cases[i].written) > 0);
    (void)zl_fail(&why, ZL_E_NOT_FOUND, 0, "no %s", cases[i].quoted);
    assert_int_equal(zl_bridge_refuse(guest->server, ZL_BRIDGE_START, 5, &why, NULL), 0);
    data = zl_bridge_server_pending(guest->server, &len);
    assert_int_equal(len, ZL_FRAME_HEADER + strlen(text));
    assert_memory_equal(data + ZL_FRAME_HEADER, text, strlen(text));
    expect_result(guest, RESPONSE(ZL_BRIDGE_START), 5, 0x80070490);
  }
}

static void bad_requests_do_not_end_the_bridge(void **state)
{
  static const struct {
    uint32_t type, result;
    const char *text;
  } cases[] = {
    { ZL_BRIDGE_CREATE, 0xc037010d, "{" },
    { ZL_BRIDGE_CREATE, 0xc037010d, "" },
    { ZL_BRIDGE_CREATE, 0xc037010d, "[]" },
    { ZL_BRIDGE_CREATE, 0xc037010d, "{\"a\":1,\"a\":2}" },
    { ZL_BRIDGE_CREATE, 0xc037010d, "{\"a\":\"\xff\"}" },
    { ZL_BRIDGE_CREATE, 0x80070057, "{\"ContainerId\":7}" },
    { 0x10100102, 0xc037010b, "{}" },
    { 0x1fffffff, 0xc037010b, "{}" },
  };
  struct guest *guest = *state;

  negotiate(guest);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    assert_int_equal(feed(guest, cases[i].type, i, cases[i].text), 0);
    expect_result(guest, (cases[i].type & 0x0fffffff) | ZL_FRAME_RESPONSE, i, cases[i].result);
  }
  assert_int_equal(guest->requests, 0);
  assert_int_equal(feed(guest, ZL_BRIDGE_START, 99, "{}"), 0);
  assert_int_equal(guest->requests, 1);
}

static void what_is_no_request_ends_it(void **state)
{
  static const struct {
    uint32_t type, size;
  } cases[] = {
    { RESPONSE(ZL_BRIDGE_CREATE), 18 },
    { ZL_BRIDGE_NOTIFY_CONTAINER, 18 },
    { 0x00100101, 18 },
    { 0x90100101, 18 },
    { ZL_BRIDGE_CREATE, 15 },
    { ZL_BRIDGE_CREATE, 0 },
    { ZL_BRIDGE_CREATE, ZL_BRIDGE_MAX_TO_GUEST + 1 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autobuf bytes = ZL_BUF_INIT(4096);
    struct guest *guest;
    void *fresh;

    assert_int_equal(guest_new(&fresh), 0);
    guest = fresh;
    negotiate(guest);
    add_frame_sized(&bytes, cases[i].type, 5, cases[i].size, "{}", 2);
    assert_int_equal(zl_bridge_server_feed(guest->server, bytes.data, bytes.len, NULL),
                     -ZL_E_REMOTE);
    assert_int_equal(feed(guest, ZL_BRIDGE_START, 6, "{}"), -ZL_E_REMOTE);
    assert_int_equal(guest->requests, 0);
    expect_nothing(guest);
    guest_free(&fresh);
  }
}

static void bytes_come_one_by_one(void **state)
{
  struct guest *guest = *state;
  zl_autobuf buf = ZL_BUF_INIT(4096);

  add_frame(&buf, ZL_BRIDGE_NEGOTIATE, 1, "{\"MinimumVersion\":4,\"MaximumVersion\":4}\n");
  add_frame(&buf, ZL_BRIDGE_START, 2, "{\"ContainerId\":\"a\"}");
  add_frame(&buf, ZL_BRIDGE_CREATE, 3, "{\"ContainerId\":\"b\"}\n");
  for (size_t i = 0; i < buf.len; i++)
    assert_int_equal(zl_bridge_server_feed(guest->server, buf.data + i, 1, NULL), 0);
  assert_int_equal(guest->requests, 2);
  assert_string_equal(guest->last, "Create b");
}

static void the_longest_request_is_taken(void **state)
{
  struct guest *guest = *state;
  zl_autobuf text = ZL_BUF_INIT(ZL_BRIDGE_MAX_TO_GUEST),
             bytes = ZL_BUF_INIT(ZL_BRIDGE_MAX_TO_GUEST);
  size_t len = ZL_BRIDGE_MAX_TO_GUEST - ZL_FRAME_HEADER;

  negotiate(guest);
  assert_int_equal(zl_buf_reserve(&text, len, NULL), 0);
  memset(text.data, 'x', len);
  memcpy(text.data, "{\"ContainerId\":\"", 16);
  memcpy(text.data + len - 2, "\"}", 2);
  text.data[len] = '\0';
  text.len = len;
  add_frame(&bytes, ZL_BRIDGE_CREATE, 5, text.data);
  for (size_t at = 0; at < bytes.len; at += 65536)
    assert_int_equal(zl_bridge_server_feed(guest->server, bytes.data + at,
                                           bytes.len - at < 65536 ? bytes.len - at : 65536, NULL),
                     0);
  assert_int_equal(guest->requests, 1);
}

static json_t *stacks(size_t len)
{
  zl_autofree char *text = malloc(len + 1);

  assert_non_null(text);
  memset(text, 's', len);
  text[len] = '\0';
  return json_pack("{s:s}", "GuestStacks", text);
}

static void answers_have_a_longest_length(void **state)
{
  struct guest *guest = *state;
  size_t room =
      ZL_BRIDGE_MAX_TO_HOST - ZL_FRAME_HEADER - strlen("{\"Result\":0,\"GuestStacks\":\"\"}");

  assert_int_equal(zl_bridge_answer(guest->server, ZL_BRIDGE_DUMP_STACKS, 1, stacks(room), NULL),
                   0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_DUMP_STACKS), 1, 0);
  assert_int_equal(
      zl_bridge_answer(guest->server, ZL_BRIDGE_DUMP_STACKS, 2, stacks(room + 1), NULL), 0);
  expect_result(guest, RESPONSE(ZL_BRIDGE_DUMP_STACKS), 2, 0x80070718);
  assert_int_equal(zl_bridge_answer(guest->server, ZL_BRIDGE_DUMP_STACKS, 3, json_array(), NULL),
                   -ZL_E_INVALID);
}

static void unsent_answers_are_bounded(void **state)
{
  struct guest *guest = *state;
  size_t len = 0;
  int r = 0;

  for (int i = 0; i < 2 * ZL_BRIDGE_MAX_CALLS && r == 0; i++)
    r = zl_bridge_answer(guest->server, ZL_BRIDGE_DUMP_STACKS, (uint64_t)i, stacks(60000), NULL);
  assert_int_equal(r, -ZL_E_LIMIT);
  (void)zl_bridge_server_pending(guest->server, &len);
  assert_true(len <= ZL_BRIDGE_MAX_ANSWERS && len > ZL_BRIDGE_MAX_ANSWERS - 65536);
}

static void notifications_have_their_shape(void **state)
{
  static const char text[] = "{\"ContainerId\":\"box\",\"ActivityId\":"
                             "\"00000000-0000-0000-0000-000000000000\",\"Type\":\"GracefulExit\","
                             "\"Operation\":\"None\",\"Result\":0}";
  struct guest *guest = *state;
  struct zl_frame frame;
  const char *data;
  size_t len;

  assert_int_equal(zl_bridge_notify(guest->server, "box", "GracefulExit", NULL), 0);
  data = zl_bridge_server_pending(guest->server, &len);
  assert_int_equal(zl_frame_decode((const uint8_t *)data, ZL_BRIDGE_MAX_TO_HOST, &frame, NULL), 0);
  assert_int_equal(frame.type, ZL_BRIDGE_NOTIFY_CONTAINER);
  assert_int_equal(frame.id, 0);
  assert_int_equal(len, ZL_FRAME_HEADER + sizeof(text) - 1);
  assert_memory_equal(data + ZL_FRAME_HEADER, text, sizeof(text) - 1);
}

static void capabilities_are_an_object(void **state)
{
  struct zl_bridge_server *server = NULL;

  (void)state;
  assert_int_equal(zl_bridge_server_new(on_request, NULL, json_array(), &server, NULL),
                   -ZL_E_INVALID);
  assert_null(server);
  zl_bridge_server_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_new, guest_free)
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(versions_are_negotiated),
    TEST(nothing_comes_before_the_negotiation),
    TEST(a_machine_is_negotiated_with_anew),
    TEST(requests_are_handed_over),
    TEST(a_refusal_may_name_its_result),
    TEST(a_refusal_is_valid_json_whatever_it_quotes),
    TEST(bad_requests_do_not_end_the_bridge),
    cmocka_unit_test(what_is_no_request_ends_it),
    TEST(bytes_come_one_by_one),
    TEST(the_longest_request_is_taken),
    TEST(answers_have_a_longest_length),
    TEST(unsent_answers_are_bounded),
    TEST(notifications_have_their_shape),
    cmocka_unit_test(capabilities_are_an_object),
  };

  return cmocka_run_group_tests_name("bridge server", tests, NULL, NULL);
}
