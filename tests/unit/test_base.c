/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/json_plain.h"
#include "base/json_text.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/sha256.h"
#include "base/strv.h"
#include "base/thread.h"
#include "base/time.h"
#include "scratch.h"

/* Each case works in its own directory, which must be removable at the end. */
static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "base");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static void errors_carry_context_outermost_first(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_fail(&err, ZL_E_NOT_FOUND, ENOENT, "no container '%s'", "a\nb"),
                   -ZL_E_NOT_FOUND);
  assert_int_equal(zl_wrap(&err, "stats of '%s'", "web"), -ZL_E_NOT_FOUND);
  assert_string_equal(err.msg, "stats of 'web': no container 'a b': No such file or directory");
  assert_int_equal(zl_fail(NULL, ZL_E_LIMIT, 0, "x"), -ZL_E_LIMIT);
  assert_int_equal(zl_fail(NULL, ZL_E_LIMIT, 0, "x"), -ZL_E_LIMIT);
  assert_int_equal(zl_wrap(NULL, "around"), -ZL_E_LIMIT);
  for (int i = 0; i < 2 * ZL_ERROR_MSG_MAX; i++)
    (void)zl_wrap(&err, "again");
  assert_true(strlen(err.msg) < sizeof(err.msg));
}

static void buffers_keep_their_maximum(void **state)
{
  zl_autobuf buf = ZL_BUF_INIT(8);
  struct zl_error err = { 0 };
  zl_autofree char *text = NULL;

  (void)state;
  assert_int_equal(zl_buf_puts(&buf, "12345678", &err), 0);
  assert_int_equal(zl_buf_puts(&buf, "9", &err), -ZL_E_LIMIT);
  assert_string_equal(buf.data, "12345678");
  zl_buf_consume(&buf, 3);
  assert_int_equal(zl_buf_printf(&buf, &err, "%d", 99), 0);
  text = zl_buf_steal(&buf);
  assert_string_equal(text, "4567899");
}

static void deep_trees_are_removed(void **state)
{
  struct scratch *box = *state;
  int dir = zl_fd_copy(box->fd);

  for (int i = 0; i < 200; i++) {
    int next;

    assert_int_equal(mkdirat(dir, "deeper", 0755), 0);
    assert_int_equal(zl_file_replace(dir, "file", "x", 1, 0600, false, NULL), 0);
    next = openat(dir, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(next >= 0);
    (void)close(dir);
    dir = next;
  }
  (void)close(dir);
  assert_int_equal(zl_path_remove_tree(box->fd, "deeper"), 0);
  assert_int_equal(faccessat(box->fd, "deeper", F_OK, 0), -1);
  assert_int_equal(zl_path_remove_tree(box->fd, "deeper"), 0);
}

static void names_are_one_safe_component(void **state)
{
  (void)state;
  assert_true(zl_path_is_name("a.b-c_D9", 8));
  assert_false(zl_path_is_name("a.b-c_D9", 7));
  assert_false(zl_path_is_name("", 8));
  assert_false(zl_path_is_name("..", 8));
  assert_false(zl_path_is_name("-a", 8));
  assert_false(zl_path_is_name("a/b", 8));
}

static void files_are_replaced_whole(void **state)
{
  struct scratch *box = *state;
  zl_autobuf buf = ZL_BUF_INIT(64);
  struct zl_error err = { 0 };

  assert_int_equal(zl_file_replace(box->fd, "f", "one", 3, 0600, true, &err), 0);
  assert_int_equal(zl_file_replace(box->fd, "f", "two!", 4, 0600, false, &err), 0);
  assert_int_equal(zl_file_read(box->fd, "f", &buf, &err), 0);
  assert_string_equal(buf.data, "two!");
  assert_int_equal(zl_file_read(box->fd, "none", &buf, &err), -ZL_E_NOT_FOUND);
}

static void locks_exclude_and_die_with_their_holder(void **state)
{
  struct scratch *box = *state;
  int a = -1, b = -1;
  struct zl_error err = { 0 };

  assert_false(zl_lock_is_held(box->fd, "l"));
  assert_int_equal(zl_lock_acquire(box->fd, "l", 0, &a, &err), 0);
  assert_true(zl_lock_is_held(box->fd, "l"));
  assert_int_equal(zl_lock_acquire(box->fd, "l", 0, &b, &err), -ZL_E_CONFLICT);
  assert_int_equal(zl_lock_acquire(box->fd, "l", 20 * ZL_NS_PER_MS, &b, &err), -ZL_E_TIMEOUT);
  (void)close(a);
  assert_false(zl_lock_is_held(box->fd, "l"));
  assert_int_equal(zl_lock_acquire(box->fd, "l", 0, &b, &err), 0);
  (void)close(b);
}

static void a_lock_is_looked_for_without_making_it(void **state)
{
  struct scratch *box = *state;
  int a = -1, b = -1;

  assert_int_equal(zl_lock_acquire_existing(box->fd, "l", &a, NULL), -ZL_E_NOT_FOUND);
  assert_true(faccessat(box->fd, "l", F_OK, 0) < 0);
  assert_int_equal(zl_lock_acquire(box->fd, "l", 0, &a, NULL), 0);
  assert_int_equal(zl_lock_acquire_existing(box->fd, "l", &b, NULL), -ZL_E_CONFLICT);
  (void)close(a);
  assert_int_equal(zl_lock_acquire_existing(box->fd, "l", &b, NULL), 0);
  assert_true(zl_lock_is_held(box->fd, "l"));
  (void)close(b);
}

/* jansson's answer is the right one; NULL may be ours to everything. */
static bool is_plain(const char *text, size_t len)
{
  zl_autojson *ours = zl__json_plain(text, len);
  zl_autojson *theirs = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

  if (ours != NULL && (theirs == NULL || !json_equal(ours, theirs)))
    fail_msg("read differently: %.*s", (int)len, text);
  return ours != NULL;
}

static void plain_json_is_read_alike(void **state)
{
  static const char *const plain[] = {
    "{}", " [ ] ", "[true,false,null,0,-0,-7,9223372036854775807]",
    "{ \"a\" : \"\\\"\\\\\\/\\b\\f\\n\\r\\t\" ,\n\"\":{\"b\":[[],{}]}}\r\n\t", "[\"\x7f\"]"
  };
  static const char *const other[] = { "",
                                       "7",
                                       "\"a\"",
                                       "{",
                                       "[1,]",
                                       "[,1]",
                                       "{\"a\":1,}",
                                       "{\"a\" 1}",
                                       "{a:1}",
                                       "[1 2]",
                                       "[1]]",
                                       "[01]",
                                       "[-]",
                                       "[1.0]",
                                       "[1e3]",
                                       "[9223372036854775808]",
                                       "[truE]",
                                       "[nul",
                                       "[\"\\u0041\"]",
                                       "[\"\\x\"]",
                                       "[\"\\",
                                       "[\"\xc3\xa4\"]",
                                       "[\"\n\"]",
                                       "{\"a\":1,\"a\":1}",
                                       "{\"\\n\":1}",
                                       "[\"a" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(plain); i++)
    if (!is_plain(plain[i], strlen(plain[i])))
      fail_msg("not read: %s", plain[i]);
  for (size_t i = 0; i < ZL_COUNT(other); i++)
    if (is_plain(other[i], strlen(other[i])))
      fail_msg("read: %s", other[i]);
  assert_false(is_plain("[\"a\0b\"]", 7));
  assert_false(is_plain("[]\0", 3));
}

/* Bytes of a document are replaced and moved at random, some 30,000 times. */
static void plain_json_is_read_alike_whatever_comes(void **state)
{
  static const char seed[] =
      "{\"a\":[1,-20,{\"b\":\"x\\ny\",\"c\":null}],\"d\" : \"\\\\\", \"e\":true,\"f\":[]}";
  static const char bytes[] = "{}[]\",:\\ 019-.enutrl\n\xc3\x01";
  size_t read = 0;
  uint32_t random = 1;

  (void)state;
  for (int round = 0; round < 30000; round++) {
    char text[sizeof(seed)];
    size_t len = sizeof(seed) - 1;

    memcpy(text, seed, sizeof(seed));
    for (int change = 0; change <= round % 3; change++) {
      random = random * 1664525 + 1013904223;
      text[(random >> 8) % len] =
          random & 64 ? bytes[(random >> 24) % (sizeof(bytes) - 1)] : seed[(random >> 20) % len];
    }
    read += is_plain(text, round % 5 == 0 ? random % len : len);
  }
  assert_true(read > 500);
}

/* jansson's text is the right one; NULL may be ours to everything. */
static bool is_written(const json_t *json)
{
  zl_autofree char *ours = zl__json_text(json);
  zl_autofree char *theirs = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

  if (ours != NULL && (theirs == NULL || strcmp(ours, theirs) != 0))
    fail_msg("written as '%s', not '%s'", ours, theirs != NULL ? theirs : "nothing");
  return ours != NULL;
}

static bool is_written_text(const char *text)
{
  zl_autojson *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

  assert_non_null(json);
  return is_written(json);
}

static void json_is_written_as_by_jansson(void **state)
{
  static const char *const ours[] = {
    "{}",
    "[]",
    "7",
    "\"a\"",
    "[true,false,null,0,-7,9223372036854775807,-9223372036854775808]",
    "{\"a\":[1,[],{}],\"\":{\"b\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"},\"\\n\":\"\\u007f\"}"
  };
  static const char *const others[] = { "[1.5]", "[\"\\u0001\"]", "[\"a\\u0000b\"]",
                                        "[\"\xc3\xa4\"]", "{\"\xc3\xa4\":1}" };
  zl_autojson *deep = json_array(), *wide = json_array(), *bad = json_stringn_nocheck("\xff", 1);
  zl_autofree char *text = NULL;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(ours); i++)
    if (!is_written_text(ours[i]))
      fail_msg("not written: %s", ours[i]);
  for (size_t i = 0; i < ZL_COUNT(others); i++) {
    zl_autojson *json = json_loads(others[i], JSON_ALLOW_NUL, NULL);
    zl_autofree char *all = NULL;

    assert_false(is_written(json));
    assert_int_equal(zl_json_render(json, &all, NULL), 0); /* jansson does it then */
  }
  for (int level = 0; level < 32; level++) {
    assert_true(is_written(deep));
    deep = json_pack("[o]", deep);
  }
  assert_false(is_written(deep));
  for (int i = 0; i < 500; i++) {
    assert_int_equal(json_array_append_new(wide, json_integer(i)), 0);
    assert_true(is_written(wide));
  }
  assert_int_equal(zl_json_render(bad, &text, NULL), -ZL_E_NO_MEMORY);
}

static void json_is_strict(void **state)
{
  struct zl_error err = { 0 };
  zl_autojson *json = NULL;
  zl_autostrv list = NULL;
  char deep[200];
  int64_t n;

  (void)state;
  assert_int_equal(zl_json_parse("{\"a\":1,\"a\":2}", 13, "m", &json, &err), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "m: line 1"));
  memset(deep, '[', sizeof(deep));
  assert_int_equal(zl_json_parse(deep, sizeof(deep), "m", &json, &err), -ZL_E_LIMIT);
  assert_int_equal(zl_json_parse("{\"a\":7,\"l\":[\"x\"],\"s\":[1]}", 25, "m", &json, &err), 0);
  assert_int_equal(zl_json_get_int(json, "p", "a", 0, 5, 0, &n, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "p.a: 7 is not within 0..5");
  assert_int_equal(zl_json_get_strv(json, "p", "s", 9, &list, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "p.s: expected an array of strings");
  assert_int_equal(zl_json_get_strv(json, "p", "l", 9, &list, &err), 0);
  assert_string_equal(list[0], "x");
}

static void expect_sha256(const char *text, size_t times, const char *wanted)
{
  struct zl_sha256 sha;
  uint8_t raw[ZL_SHA256_RAW];
  char got[2 * ZL_SHA256_RAW + 1];

  zl_sha256_init(&sha);
  for (size_t i = 0; i < times; i++)
    zl_sha256_update(&sha, text, strlen(text));
  zl_sha256_final(&sha, raw);
  for (size_t i = 0; i < ZL_SHA256_RAW; i++)
    (void)snprintf(got + 2 * i, 3, "%02x", raw[i]);
  assert_string_equal(got, wanted);
}

/* The examples of FIPS 180-2, and lengths around the edge of a block against libcrypto. */
static void sha256_without_libcrypto(void **state)
{
  char text[ZL_DIGEST_TEXT], filler[130] = "";

  (void)state;
  expect_sha256("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  expect_sha256("aaaaaaaaaa", 100000,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (size_t len = 0; len < sizeof(filler) - 1; len++) {
    assert_int_equal(zl_digest_of(ZL_SHA256, filler, len, text, NULL), 0);
    expect_sha256(filler, 1, text + strlen("sha256:"));
    filler[len] = (char)('a' + len % 26);
  }
}

static void digests_are_checked_and_computed(void **state)
{
  char text[ZL_DIGEST_TEXT];
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_digest_of(ZL_SHA256, "abc", 3, text, &err), 0);
  assert_string_equal(text,
                      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_true(zl_digest_is_valid(text, NULL));
  text[10] = 'A';
  assert_false(zl_digest_is_valid(text, NULL));
  assert_false(zl_digest_is_valid("sha256:../../x", NULL));
  assert_false(zl_digest_is_valid("md5:00", NULL));
}

static void times_survive_a_round_trip(void **state)
{
  char text[ZL_TIME_TEXT];
  uint64_t ns;

  (void)state;
  assert_string_equal(zl_time_format(UINT64_C(1795316645123456789), text),
                      "2026-11-22T03:04:05.123456789Z");
  assert_int_equal(zl_time_parse(text, &ns, NULL), 0);
  assert_true(ns == UINT64_C(1795316645123456789));
  assert_int_equal(zl_time_parse("2026-11-22T04:04:05.5+01:00", &ns, NULL), 0);
  assert_true(ns == UINT64_C(1795316645500000000));
  assert_string_equal(zl_time_format(0, text), "1970-01-01T00:00:00.000000000Z");
  /* Every day of 500 years as the C library has it. */
  for (time_t day = 0; day < (time_t)500 * 366; day++) {
    time_t seconds = day * 86400 + 86399;
    char expected[ZL_TIME_TEXT];
    struct tm tm;

    assert_true(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000000Z",
                         gmtime_r(&seconds, &tm)) > 0);
    assert_string_equal(zl_time_format((uint64_t)seconds * ZL_NS_PER_S, text), expected);
  }
  assert_int_equal(zl_time_parse("2024-02-29T23:59:59Z", &ns, NULL), 0);
  assert_int_equal(ns, 1709251199 * ZL_NS_PER_S);
  assert_int_equal(zl_time_parse("1970-01-01T00:00:00Z", &ns, NULL), 0);
  assert_int_equal(ns, 0);
  assert_int_equal(zl_time_parse("yesterday", &ns, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_time_parse("1969-12-31T23:59:59Z", &ns, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_time_parse("2026-13-01T00:00:00Z", &ns, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_time_parse("2026-1-1T00:00:00Z", &ns, NULL), -ZL_E_INVALID);
}

/* ---- Threads ---- */

enum {
  MAKERS = 4,
  RELEASED = 500 /* by each */
};

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t counted = PTHREAD_COND_INITIALIZER;
static unsigned char ran[MAKERS * RELEASED];
static unsigned runs;

static void *note_run(void *arg)
{
  (void)pthread_mutex_lock(&counting);
  (*(unsigned char *)arg)++;
  runs++;
  (void)pthread_cond_signal(&counted);
  (void)pthread_mutex_unlock(&counting);
  return NULL;
}

static void *release_many(void *arg)
{
  unsigned char *own = arg;

  for (int i = 0; i < RELEASED; i++)
    while (zl_thread_release(note_run, &own[i]) == EAGAIN)
      (void)sched_yield();
  return NULL;
}

/* pthread_detach of winpthreads loses some, and runs others twice. */
static void each_released_thread_runs_once(void **state)
{
  pthread_t makers[MAKERS];

  (void)state;
  for (int i = 0; i < MAKERS; i++)
    assert_int_equal(
        zl_thread_start(&makers[i], 256 << 10, release_many, &ran[(ptrdiff_t)i * RELEASED]), 0);
  for (int i = 0; i < MAKERS; i++)
    (void)pthread_join(makers[i], NULL);
  (void)pthread_mutex_lock(&counting);
  while (runs < MAKERS * RELEASED)
    (void)pthread_cond_wait(&counted, &counting);
  (void)pthread_mutex_unlock(&counting);
  for (int i = 0; i < MAKERS * RELEASED; i++)
    assert_int_equal(ran[i], 1);
}

static void numbers_are_whole_and_bounded(void **state)
{
  uint64_t n;

  (void)state;
  assert_true(zl_parse_u64("18446744073709551615", UINT64_MAX, &n));
  assert_false(zl_parse_u64("18446744073709551616", UINT64_MAX, &n));
  assert_false(zl_parse_u64("-1", UINT64_MAX, &n));
  assert_false(zl_parse_u64("", UINT64_MAX, &n));
  assert_false(zl_parse_u64("11", 10, &n));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(errors_carry_context_outermost_first),
    cmocka_unit_test(buffers_keep_their_maximum),
    cmocka_unit_test_setup_teardown(deep_trees_are_removed, box_new, box_free),
    cmocka_unit_test(names_are_one_safe_component),
    cmocka_unit_test_setup_teardown(files_are_replaced_whole, box_new, box_free),
    cmocka_unit_test_setup_teardown(locks_exclude_and_die_with_their_holder, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_lock_is_looked_for_without_making_it, box_new, box_free),
    cmocka_unit_test(plain_json_is_read_alike),
    cmocka_unit_test(plain_json_is_read_alike_whatever_comes),
    cmocka_unit_test(json_is_written_as_by_jansson),
    cmocka_unit_test(json_is_strict),
    cmocka_unit_test(digests_are_checked_and_computed),
    cmocka_unit_test(sha256_without_libcrypto),
    cmocka_unit_test(times_survive_a_round_trip),
    cmocka_unit_test(numbers_are_whole_and_bounded),
    cmocka_unit_test(each_released_thread_runs_once),
  };

  return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
