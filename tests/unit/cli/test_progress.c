/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"
#include "cli/logline.h"
#include "cli/progress.h"

static const char digest[] = "sha256:0123456789abcdef0123456789abcdef";

static struct zl_pull_progress step(enum zl_pull_phase phase, size_t index, uint64_t done)
{
  return (struct zl_pull_progress){
    .phase = phase, .digest = digest, .index = index, .layers = 2, .done = done, .total = 2048
  };
}

static void put(struct zl_progress *progress, struct zl_buf *out, struct zl_pull_progress s,
                uint64_t now)
{
  assert_int_equal(zl_progress_put(progress, &s, out, now), 0);
}

static void plain_lines(void **state)
{
  struct zl_progress progress = { .doing = "pulling", .reference = "busybox" };
  zl_autobuf out = ZL_BUF_INIT(65536);

  (void)state;
  put(&progress, &out, (struct zl_pull_progress){ .phase = ZL_PULL_RESOLVING }, 1);
  put(&progress, &out, step(ZL_PULL_DOWNLOADING, 1, 0), 1);
  put(&progress, &out, step(ZL_PULL_DOWNLOADING, 1, 1024), 2);
  put(&progress, &out, step(ZL_PULL_EXISTS, 0, 0), 3);
  put(&progress, &out, step(ZL_PULL_LAYER_DONE, 1, 2048), 4);
  put(&progress, &out, (struct zl_pull_progress){ .phase = ZL_PULL_DONE, .digest = digest }, 5);
  assert_string_equal(out.data, "pulling busybox\n"
                                "layer 1/2 0123456789ab: exists\n"
                                "layer 2/2 0123456789ab: done, 2.0 KiB\n");
  zl_progress_done(&progress);
}

/* A long layer says every ten seconds where it is; the speed is that of the last seconds. */
static void plain_lines_of_a_slow_layer(void **state)
{
  struct zl_progress progress = { .reference = "busybox" };
  struct zl_pull_progress s = step(ZL_PULL_DOWNLOADING, 0, 10 << 20);
  zl_autobuf out = ZL_BUF_INIT(65536);

  (void)state;
  s.total = 40 << 20;
  s.resumed = 10 << 20;
  for (uint64_t second = 1; second <= 25; second++, s.done += 1 << 20)
    put(&progress, &out, s, second * ZL_NS_PER_S);
  s.done = s.total;
  put(&progress, &out, s, 31 * ZL_NS_PER_S);
  s.phase = ZL_PULL_LAYER_DONE;
  put(&progress, &out, s, 32 * ZL_NS_PER_S);
  assert_string_equal(
      out.data,
      "layer 1/2 0123456789ab: 20 MiB / 40 MiB, 1.0 MiB/s, 21 s left\n"
      "layer 1/2 0123456789ab: 30 MiB / 40 MiB, 1.0 MiB/s, 11 s left\n"
      "layer 1/2 0123456789ab: 40 MiB / 40 MiB, unpacking\n"
      "layer 1/2 0123456789ab: done, 40 MiB in 31 s, 10 MiB of it from an earlier pull\n");
  zl_progress_done(&progress);
}

static void rates(void **state)
{
  static const struct {
    uint64_t left;
    double per_second;
    const char *text;
  } cases[] = {
    { 100, 0, "" },
    { 0, 100, "" },
    { 100, 100, "2 s left" },
    { 9900, 100, "100 s left" },
    { 10000, 100, "2 min left" },
    { UINT64_C(7200) * 100, 100, "3 h left" },
    { UINT64_MAX, 1, "" },
  };
  struct zl_rate rate = { 0 };
  char text[ZL_HUMAN_TEXT];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    rate.per_second = cases[i].per_second;
    assert_string_equal(zl_rate_left(&rate, cases[i].left, text), cases[i].text);
  }
  rate = (struct zl_rate){ 0 };
  zl_rate_note(&rate, 5000, 1); /* what is there already was not fast */
  zl_rate_note(&rate, 6000, 1 + ZL_NS_PER_S);
  assert_int_equal((int)rate.per_second, 1000);
  for (uint64_t i = 2; i < 30; i++)
    zl_rate_note(&rate, 6000, 1 + i * ZL_NS_PER_S);
  assert_true(rate.per_second < 1); /* a stall shows */
}

/* The longest line fits into the columns that are asked for. */
static void lines_fit(void **state)
{
  struct zl_progress progress = { .reference = "busybox", .moving = true };
  struct zl_pull_progress s = step(ZL_PULL_DOWNLOADING, 0, 0);
  zl_autobuf out = ZL_BUF_INIT(65536);
  const char *line;

  (void)state;
  s.total = UINT64_C(999) << 30;
  for (uint64_t i = 1; i < 4; i++, s.done += UINT64_C(222) << 20) {
    zl_buf_clear(&out);
    put(&progress, &out, s, i * ZL_NS_PER_S);
  }
  line = strstr(out.data, "0123456789ab");
  assert_non_null(line);
  assert_non_null(strstr(line, "left\n"));
  assert_in_range(strcspn(line, "\n"), 60, 76);
  zl_progress_done(&progress);
}

static size_t count(const char *text, const char *part)
{
  size_t n = 0;

  for (; (text = strstr(text, part)) != NULL; text += strlen(part))
    n++;
  return n;
}

static void a_picture_at_most_ten_times_a_second(void **state)
{
  struct zl_progress progress = { .doing = "pulling", .reference = "busybox", .moving = true };
  zl_autobuf out = ZL_BUF_INIT(65536);
  uint64_t now = ZL_NS_PER_S;

  (void)state;
  for (uint64_t i = 0; i <= 100; i++, now += 10 * ZL_NS_PER_MS)
    put(&progress, &out, step(ZL_PULL_DOWNLOADING, 0, i * 20), now);
  assert_in_range(count(out.data, "0123456789ab"), 10, 12);
  assert_int_equal(count(out.data, "\x1b[2A"), count(out.data, "0123456789ab") - 1);
  assert_non_null(strstr(out.data, "/ 2.0 KiB"));
  assert_non_null(strstr(out.data, "KiB/s"));
  zl_buf_clear(&out);
  put(&progress, &out, (struct zl_pull_progress){ .phase = ZL_PULL_DONE, .digest = digest }, now);
  assert_int_equal(count(out.data, "\x1b[2A"), 1); /* the last picture is always drawn */
  zl_progress_done(&progress);
}

static void quiet_says_nothing(void **state)
{
  struct zl_progress progress = { .doing = "pulling", .reference = "busybox", .quiet = true };
  zl_autobuf out = ZL_BUF_INIT(65536);

  (void)state;
  put(&progress, &out, (struct zl_pull_progress){ .phase = ZL_PULL_RESOLVING }, 1);
  put(&progress, &out, step(ZL_PULL_LAYER_DONE, 1, 2048), 4);
  assert_int_equal(out.len, 0);
}

/* Sends entries through a writer and returns what came out of the given descriptor. */
static void written(int fd, bool json, const struct zl_log_entry *entries, size_t n,
                    struct zl_buf *out)
{
  struct zl_error err = { 0 };
  struct zl_log_writer writer;
  zl_autofd saved = zl_fd_copy(fd);
  int ends[2];
  char chunk[4096];
  ssize_t len;

  assert_int_equal(zl_fd_pipe(ends, &err), 0);
  assert_true(saved >= 0 && dup2(ends[1], fd) == fd);
  zl_log_writer_init(&writer, &err);
  writer.json = json;
  for (size_t i = 0; i < n; i++)
    (void)zl_log_writer_put(&writer, &entries[i]);
  assert_int_equal(zl_log_writer_finish(&writer), 0);
  assert_true(dup2(saved, fd) == fd);
  zl_fd_closep(&ends[1]);
  while ((len = zl_fd_read_full(ends[0], chunk, sizeof(chunk))) > 0)
    assert_int_equal(zl_buf_append(out, chunk, (size_t)len, &err), 0);
  zl_fd_closep(&ends[0]);
}

static void log_lines(void **state)
{
  static const struct zl_log_entry entries[] = {
    { .time_ns = 1, .stream = ZL_STDERR, .text = "first ", .len = 6, .partial = true },
    { .time_ns = 2, .stream = ZL_STDERR, .text = "half", .len = 4 },
    { .time_ns = 3, .stream = ZL_STDERR, .text = "", .len = 0 },
  };
  zl_autobuf out = ZL_BUF_INIT(65536);

  (void)state;
  written(STDERR_FILENO, false, entries, ZL_COUNT(entries), &out);
  assert_string_equal(out.data, "first half\n\n");
}

static void log_json(void **state)
{
  static const struct zl_log_entry entries[] = {
    { .time_ns = 1, .stream = ZL_STDERR, .text = "a\"b\xff", .len = 4 },
  };
  zl_autobuf out = ZL_BUF_INIT(65536);

  (void)state;
  written(STDOUT_FILENO, true, entries, ZL_COUNT(entries), &out);
  assert_string_equal(out.data,
                      "{\"time\":\"1970-01-01T00:00:00.000000001Z\",\"stream\":\"stderr\","
                      "\"text\":\"a\\\"b\xef\xbf\xbd\",\"partial\":false}\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_lines),
    cmocka_unit_test(a_picture_at_most_ten_times_a_second),
    cmocka_unit_test(quiet_says_nothing),
    cmocka_unit_test(log_lines),
    cmocka_unit_test(log_json),
    cmocka_unit_test(plain_lines_of_a_slow_layer),
    cmocka_unit_test(rates),
    cmocka_unit_test(lines_fit),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
