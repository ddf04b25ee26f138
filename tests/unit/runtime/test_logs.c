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

#include "../scratch.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/logs_file.h"

#define T "2026-11-22T03:04:05.000000001Z "

static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "logs");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static void put(struct scratch *box, const char *name, const char *text)
{
  assert_int_equal(zl_file_replace(box->fd, name, text, strlen(text), 0600, false, NULL), 0);
}

static int collect(void *payload, const struct zl_log_entry *entry)
{
  char *text = payload;
  size_t len = strlen(text);

  (void)snprintf(text + len, 256 - len, "%c%.*s%s", entry->stream == ZL_STDERR ? 'e' : 'o',
                 (int)entry->len, entry->text, entry->partial ? "+" : ".");
  return 0;
}

static void expect(struct scratch *box, int64_t tail, unsigned streams, const char *wanted)
{
  struct zl_logs_options options = { .tail = tail, .streams = streams };
  char text[256] = "";
  struct zl_log_file log = { .dir_fd = box->fd,
                             .fd = -1,
                             .rest = ZL_BUF_INIT(64 << 10),
                             .options = &options,
                             .fn = collect,
                             .payload = text };

  assert_int_equal(zl_log_file_seek(&log, NULL), 0);
  assert_int_equal(zl_log_file_drain(&log, NULL), 0);
  zl_log_file_done(&log);
  assert_string_equal(text, wanted);
}

static void entries_are_understood_or_refused(void **state)
{
  static const char *const bad[] = { "",
                                     "no time at all",
                                     "2026-11-22T03:04:05Z",
                                     "2026-11-22T03:04:05Z stdout",
                                     "2026-11-22T03:04:05Z stdout X",
                                     "2026-11-22T03:04:05Z std F x" };
  struct zl_log_entry entry;

  (void)state;
  assert_true(zl_log_entry_parse(T "stderr P a b", strlen(T "stderr P a b"), &entry));
  assert_true(entry.stream == ZL_STDERR && entry.partial && entry.len == 3);
  assert_true(zl_log_entry_parse(T "stdout F ", strlen(T "stdout F "), &entry));
  assert_true(entry.stream == ZL_STDOUT && !entry.partial && entry.len == 0);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_false(zl_log_entry_parse(bad[i], strlen(bad[i]), &entry));
}

static void files_follow_each_other(void **state)
{
  struct scratch *box = *state;

  expect(box, -1, 0, "");
  expect(box, 3, 0, "");
  put(box, "container.log.2", T "stdout F 1\n" T "stderr F 2\n");
  put(box, "container.log.1", T "stdout F 3\n");
  put(box, "container.log", T "stdout P 4\n" T "stdout F 5\n" T "garbage\n" T "stderr F 6\n");
  expect(box, -1, 0, "o1.e2.o3.o4+o5.e6.");
  expect(box, -1, ZL_STDERR, "e2.e6.");
}

static void tails_count_whole_lines(void **state)
{
  struct scratch *box = *state;

  put(box, "container.log.1", T "stdout F 1\n" T "stderr F 2\n" T "stdout F 3\n");
  put(box, "container.log", T "stdout P 4\n" T "stdout F 5\n" T "stderr F 6\n" T "stdout P 7\n");
  expect(box, 0, 0, "");
  expect(box, 1, 0, "o7+");
  expect(box, 2, 0, "e6.o7+");
  expect(box, 3, 0, "o4+o5.e6.o7+");
  expect(box, 4, 0, "o3.o4+o5.e6.o7+");
  expect(box, 99, 0, "o1.e2.o3.o4+o5.e6.o7+");
  expect(box, 2, ZL_STDERR, "e2.e6.");
  expect(box, 1, ZL_STDERR, "e6.");
}

/* Lines longer and shorter than the block that is read backwards. */
static void long_lines_are_found_backwards(void **state)
{
  struct scratch *box = *state;
  struct zl_buf text = ZL_BUF_INIT(1 << 20);
  unsigned file = 9;
  off_t offset = 0;

  for (int i = 0; i < 40; i++)
    assert_int_equal(zl_buf_printf(&text, NULL, T "stdout F %0*d\n", i % 2 == 0 ? 10000 : 1, i), 0);
  put(box, "container.log", text.data);
  assert_int_equal(zl_log_tail(box->fd, 30, 0, &file, &offset, NULL), 0);
  assert_int_equal(file, 0);
  assert_int_equal(text.data[offset - 1], '\n');
  assert_int_equal(strtol(text.data + offset + strlen(T "stdout F "), NULL, 10), 10);
  zl_buf_done(&text);
}

int main(void)
{
  const struct CMUnitTest cases[] = {
    cmocka_unit_test(entries_are_understood_or_refused),
    cmocka_unit_test_setup_teardown(files_follow_each_other, box_new, box_free),
    cmocka_unit_test_setup_teardown(tails_count_whole_lines, box_new, box_free),
    cmocka_unit_test_setup_teardown(long_lines_are_found_backwards, box_new, box_free),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
