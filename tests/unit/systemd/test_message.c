/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "systemd/unit.h"

static void expect(const struct zl_dbus_out *out, const char *bytes, size_t len)
{
  assert_int_equal(out->r, 0);
  assert_int_equal(out->buf.len, len);
  assert_memory_equal(out->buf.data, bytes, len);
}

#define EXPECT(out, text) expect((out), (text), sizeof(text) - 1)

static void values_are_aligned(void **state)
{
  zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);

  (void)state;
  zl_dbus_put_u8(&out, 7);
  zl_dbus_put_u32(&out, 0x01020304);
  zl_dbus_put_string(&out, "ab");
  zl_dbus_put_u64(&out, 5);
  zl_dbus_put_signature(&out, "as");
  EXPECT(&out, "\7\0\0\0\4\3\2\1\2\0\0\0ab\0\0\5\0\0\0\0\0\0\0\2as\0");
}

static void arrays_have_a_length(void **state)
{
  zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);
  struct zl_dbus_array array;

  (void)state;
  zl_dbus_end_array(&out, zl_dbus_put_array(&out, 8));
  array = zl_dbus_put_array(&out, 8);
  zl_dbus_put_u64(&out, 1);
  zl_dbus_put_u64(&out, 2);
  zl_dbus_end_array(&out, array);
  /* The padding before the first element does not count, and is there without one too. */
  EXPECT(&out, "\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0");
}

static void too_much_is_refused(void **state)
{
  struct zl_error err = { 0 };
  zl_autodbusout out = ZL_DBUS_OUT_INIT(&err);
  static char text[ZL_MAX_DBUS_CALL + 2];

  (void)state;
  memset(text, 'x', sizeof(text) - 1);
  zl_dbus_put_string(&out, text);
  assert_int_equal(out.r, -ZL_E_LIMIT);
  text[ZL_MAX_DBUS_CALL / 2] = '\0';
  zl_dbus_put_string(&out, text); /* the first failure stays */
  assert_int_equal(out.r, -ZL_E_LIMIT);
  assert_int_equal(out.buf.len, 0);
}

/* A call read back: its head is that of any message. */
static void head_is_read_back(void **state)
{
  static const struct zl_dbus_call call = {
    .destination = "a.b", .path = "/p", .interface = "i.j", .member = "M", .signature = "u"
  };
  zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);
  struct zl_dbus_message m;
  size_t len = 0;

  (void)state;
  zl_dbus_put_head(&out, &call, 9, 4);
  assert_int_equal(out.buf.len % 8, 0);
  zl_dbus_put_u32(&out, 1234);
  assert_int_equal(zl_dbus_size((const uint8_t *)out.buf.data, &len, NULL), 0);
  assert_int_equal(len, out.buf.len);
  assert_int_equal(zl_dbus_parse((const uint8_t *)out.buf.data, len, &m, NULL), 0);
  assert_int_equal(m.type, ZL_DBUS_CALL);
  assert_int_equal(m.serial, 9);
  assert_string_equal(m.path, "/p");
  assert_string_equal(m.interface, "i.j");
  assert_string_equal(m.member, "M");
  assert_string_equal(m.signature, "u");
  assert_string_equal(m.sender, "");
  assert_int_equal(zl_dbus_get_u32(&m.body), 1234);
  assert_false(m.body.bad);
  assert_int_equal(zl_dbus_get_u32(&m.body), 0);
  assert_true(m.body.bad);
  /* Each byte less is one too few. */
  for (size_t n = 0; n < len; n++)
    assert_true(zl_dbus_parse((const uint8_t *)out.buf.data, n, &m, NULL) < 0);
}

static void strings_are_checked(void **state)
{
  static const struct {
    const char *bytes;
    size_t len;
    const char *text; /* NULL: it is bad */
  } cases[] = {
    { "\2\0\0\0ab\0", 7, "ab" },         { "\0\0\0\0\0", 5, "" },
    { "\2\0\0\0ab", 6, NULL },           { "\2\0\0\0abc", 7, NULL },
    { "\3\0\0\0a\0b\0", 8, NULL },       { "\377\377\377\377ab\0", 7, NULL },
    { "\376\377\377\377ab\0", 7, NULL }, { "\2\0\0", 3, NULL },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_dbus_in in = { .data = (const uint8_t *)cases[i].bytes, .len = cases[i].len };
    const char *text = zl_dbus_get_string(&in);

    assert_int_equal(in.bad, cases[i].text == NULL);
    assert_string_equal(text, cases[i].text != NULL ? cases[i].text : "");
  }
}

static void padding_is_zero(void **state)
{
  struct zl_dbus_in in = { .data = (const uint8_t *)"\1\0\1\0\5\0\0\0", .len = 8 };

  (void)state;
  assert_int_equal(zl_dbus_get_u8(&in), 1);
  assert_int_equal(zl_dbus_get_u32(&in), 0);
  assert_true(in.bad);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static void silence_has_an_end(void **state)
{
  zl_autosystemd s = ZL_SYSTEMD_INIT;
  struct zl_error err = { 0 };
  const uint64_t began = zl_time_boot();
  int ends[2];

  (void)state;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  zl_systemd_attach(&s, ends[0], ":1.7", 50 * ZL_NS_PER_MS);
  assert_int_equal(zl_systemd_stop(&s, "x.scope", &err), -ZL_E_TIMEOUT);
  assert_non_null(strstr(err.msg, "stopping 'x.scope': StopUnit: systemd does not answer"));
  assert_true(zl_time_boot() - began >= 50 * ZL_NS_PER_MS);
  /* Half a message is silence too. */
  assert_int_equal(write(ends[1], "l\2\0\1", 4), 4);
  assert_int_equal(zl_systemd_stop(&s, "x.scope", &err), -ZL_E_TIMEOUT);
  (void)close(ends[1]);
  assert_int_equal(zl_systemd_stop(&s, "x.scope", &err), -ZL_E_SYSTEM);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_are_aligned),  cmocka_unit_test(arrays_have_a_length),
    cmocka_unit_test(too_much_is_refused), cmocka_unit_test(head_is_read_back),
    cmocka_unit_test(strings_are_checked), cmocka_unit_test(padding_is_zero),
    cmocka_unit_test(silence_has_an_end),
  };

  return cmocka_run_group_tests_name("systemd-message", tests, NULL, NULL);
}
