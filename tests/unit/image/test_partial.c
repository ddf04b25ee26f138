/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked for next, and what a partial file remembers, shortens and gives up.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../scratch.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/partial.h"

#define MIB    (UINT64_C(1) << 20)
#define PIECE  ((uint64_t)ZL_PIECE_BYTES)
#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NAME   "sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- The map --------------------------------------------------------------------------------- */

static struct zl_partial_map new_map(uint64_t size)
{
  struct zl_partial_map map;

  assert_int_equal(zl_partial_map_init(&map, size, NULL), 0);
  return map;
}

static void assert_takes(struct zl_partial_map *map, bool whole, uint64_t first, uint64_t end)
{
  struct zl_span span = { 0 };

  assert_true(zl_partial_map_take(map, whole, &span));
  assert_int_equal(span.first, first);
  assert_int_equal(span.end, end);
}

static void test_pieces(void **state)
{
  static const uint64_t sizes[] = { 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7 };

  (void)state;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    struct zl_partial_map map = new_map(sizes[i]);
    uint64_t sum = 0;

    for (size_t k = 0; k < map.count; k++) {
      sum += zl_partial_piece_bytes(&map, k);
      assert_int_equal(zl_partial_map_ready(&map, k * PIECE), k * PIECE);
    }
    assert_int_equal(sum, sizes[i]);
    assert_int_equal(zl_partial_map_ready(&map, sizes[i]), sizes[i]);
    zl_partial_map_done(&map);
  }
}

static void test_too_many_pieces(void **state)
{
  struct zl_partial_map map;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_partial_map_init(&map, UINT64_MAX, &err), -ZL_E_LIMIT);
  assert_int_equal(zl_partial_map_init(&map, ZL_MAX_BLOB_PIECES * PIECE + 1, &err), -ZL_E_LIMIT);
  assert_int_equal(zl_partial_map_init(&map, ZL_MAX_BLOB_PIECES * PIECE, &err), 0);
  zl_partial_map_done(&map);
}

static void test_small_blob_is_one_request(void **state)
{
  struct zl_partial_map map = new_map(2 * PIECE - 1);
  struct zl_span span;

  (void)state;
  assert_takes(&map, false, 0, 2 * PIECE - 1);
  assert_false(zl_partial_map_take(&map, false, &span));
  zl_partial_map_done(&map);
}

static void test_large_blob_is_cut(void **state)
{
  struct zl_partial_map map = new_map(4 * PIECE + 5);
  struct zl_span span;

  (void)state;
  assert_takes(&map, false, 0, PIECE);
  assert_takes(&map, false, PIECE, 2 * PIECE);
  assert_takes(&map, false, 2 * PIECE, 3 * PIECE);
  /* Less than two pieces are left. */
  assert_takes(&map, false, 3 * PIECE, 4 * PIECE + 5);
  assert_false(zl_partial_map_take(&map, false, &span));
  zl_partial_map_done(&map);
}

static void test_resumed_in_the_middle(void **state)
{
  struct zl_partial_map map = new_map(6 * PIECE);

  (void)state;
  map.have[0] = ZL_PIECE_BYTES;
  map.have[1] = 100;
  map.have[3] = 7;
  assert_int_equal(zl_partial_map_total(&map), PIECE + 107);
  assert_int_equal(zl_partial_map_ready(&map, 0), PIECE + 100);
  assert_int_equal(zl_partial_map_ready(&map, PIECE + 40), PIECE + 100);
  assert_int_equal(zl_partial_map_ready(&map, PIECE + 100), PIECE + 100);
  assert_int_equal(zl_partial_map_ready(&map, PIECE + 101), PIECE + 101);
  assert_takes(&map, false, PIECE + 100, 2 * PIECE);
  assert_takes(&map, false, 2 * PIECE, 3 * PIECE);
  assert_takes(&map, false, 3 * PIECE + 7, 4 * PIECE);
  zl_partial_map_done(&map);
}

static void test_what_a_request_left_is_taken_again(void **state)
{
  struct zl_partial_map map = new_map(3 * PIECE);
  struct zl_span span;

  (void)state;
  assert_true(zl_partial_map_take(&map, false, &span));
  map.have[0] = 1000;
  zl_partial_map_give(&map, &span);
  assert_takes(&map, false, 1000, PIECE);
  zl_partial_map_done(&map);
}

static void test_server_without_parts(void **state)
{
  struct zl_partial_map map = new_map(5 * PIECE);
  struct zl_span span;

  (void)state;
  map.have[0] = 12;
  map.have[2] = ZL_PIECE_BYTES;
  assert_takes(&map, true, 12, 5 * PIECE);
  assert_false(zl_partial_map_take(&map, true, &span));
  zl_partial_map_done(&map);
}

/* ---- The file -------------------------------------------------------------------------------- */

struct place {
  struct scratch scratch;
  int dir_fd;
};

static int set_up(void **state)
{
  static struct place p;

  scratch_make(&p.scratch, "/tmp", "partial");
  p.dir_fd = zl_partial_open_dir(p.scratch.fd, true);
  *state = &p;
  return p.dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
  struct place *p = *state;

  zl_fd_closep(&p->dir_fd);
  scratch_remove(&p->scratch);
  return 0;
}

static struct zl_partial open_file(const struct place *p, uint64_t size)
{
  struct zl_partial file = ZL_PARTIAL_INIT;
  struct zl_error err = { 0 };

  if (zl_partial_open(p->dir_fd, DIGEST, size, -1, &file, &err) < 0)
    fail_msg("%s", err.msg);
  return file;
}

static bool is_there(const struct place *p)
{
  return faccessat(p->dir_fd, NAME, F_OK, 0) == 0;
}

static void put(struct zl_partial *file, size_t i, const void *data, size_t len)
{
  assert_int_equal(zl_partial_write(file, i * PIECE, data, len), 0);
  assert_int_equal(zl_partial_record(file, i, (uint32_t)len), 0);
}

static void test_remembers(void **state)
{
  struct zl_partial file = open_file(*state, 3 * PIECE);
  char back[6] = { 0 };

  put(&file, 0, "hello", 5);
  put(&file, 2, "there", 5);
  zl_partial_close(&file);
  file = open_file(*state, 3 * PIECE);
  assert_int_equal(file.map.have[0], 5);
  assert_int_equal(file.map.have[1], 0);
  assert_int_equal(file.map.have[2], 5);
  assert_int_equal(zl_partial_read(&file, 2 * PIECE, back, 5), 5);
  assert_string_equal(back, "there");
  zl_partial_remove(&file);
  assert_false(is_there(*state));
}

static void test_begins_anew_what_does_not_fit(void **state)
{
  const struct place *p = *state;
  struct zl_partial file = open_file(p, 3 * PIECE);
  uint32_t too_much = ZL_PIECE_BYTES + 1;
  int fd;

  put(&file, 0, "hello", 5);
  zl_partial_close(&file);
  file = open_file(p, 2 * PIECE); /* another size */
  assert_int_equal(zl_partial_map_total(&file.map), 0);
  put(&file, 0, "hello", 5);
  assert_int_equal(zl_partial_record(&file, 1, too_much), 0); /* more than a piece has */
  zl_partial_close(&file);
  file = open_file(p, 2 * PIECE);
  assert_int_equal(zl_partial_map_total(&file.map), 0);
  put(&file, 0, "hello", 5);
  zl_partial_close(&file);
  fd = zl_fd_open(p->dir_fd, NAME, O_WRONLY | O_TRUNC, 0); /* empty */
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, "garbage", 7, 0), 7);
  zl_fd_closep(&fd);
  file = open_file(p, 2 * PIECE);
  assert_int_equal(zl_partial_map_total(&file.map), 0);
  zl_partial_remove(&file);
}

/* After a power cut the counts may be there and the bytes not. */
static void test_shortened_to_what_is_on_disk(void **state)
{
  static char block[64 << 10];
  struct zl_partial file = open_file(*state, 2 * PIECE);

  memset(block, 'x', sizeof(block));
  put(&file, 0, block, sizeof(block));
  assert_int_equal(zl_partial_record(&file, 0, 5 << 20), 0);
  assert_int_equal(zl_partial_record(&file, 1, ZL_PIECE_BYTES), 0);
  zl_partial_close(&file);
  file = open_file(*state, 2 * PIECE);
  assert_int_equal(file.map.have[0], sizeof(block));
  assert_int_equal(file.map.have[1], 0);
  zl_partial_remove(&file);
}

static void test_one_at_a_time(void **state)
{
  const struct place *p = *state;
  struct zl_partial file = open_file(p, PIECE), second = ZL_PARTIAL_INIT;
  struct zl_error err = { 0 };
  int cancel[2];

  assert_int_equal(zl_fd_pipe(cancel, NULL), 0);
  assert_int_equal(write(cancel[1], "x", 1), 1);
  assert_int_equal(zl_partial_open(p->dir_fd, DIGEST, PIECE, cancel[0], &second, &err),
                   -ZL_E_CANCELLED);
  zl_partial_discard(p->dir_fd, DIGEST);
  assert_true(is_there(p));
  zl_partial_close(&file);
  zl_partial_discard(p->dir_fd, DIGEST);
  assert_false(is_there(p));
  zl_fd_closep(&cancel[0]);
  zl_fd_closep(&cancel[1]);
}

/* ---- The sweep ------------------------------------------------------------------------------- */

static void make_file(const struct place *p, const char *name, int64_t age_s)
{
  struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = time(NULL) - age_s } };
  int fd = zl_fd_open(p->dir_fd, name, O_WRONLY | O_CREAT, 0600);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, "some bytes", 10), 10);
  assert_int_equal(fsync(fd), 0);
  assert_int_equal(futimens(fd, times), 0);
  zl_fd_closep(&fd);
}

static void assert_sweeps(const struct place *p, bool all, bool dry_run, size_t files)
{
  struct zl_partial_swept swept = { 0 };

  assert_int_equal(zl_partial_sweep(p->dir_fd, all, dry_run, &swept, NULL), 0);
  assert_int_equal(swept.files, files);
  assert_true(files == 0 || swept.bytes > 0);
}

static void test_sweep_by_age(void **state)
{
  const struct place *p = *state;

  make_file(p, "old", ZL_MAX_PARTIAL_AGE_S + 60);
  make_file(p, "young", ZL_MAX_PARTIAL_AGE_S - 3600);
  assert_sweeps(p, false, true, 1);
  assert_sweeps(p, false, false, 1);
  assert_int_equal(faccessat(p->dir_fd, "old", F_OK, 0), -1);
  assert_sweeps(p, false, false, 0);
  assert_sweeps(p, true, true, 1);
  assert_sweeps(p, true, false, 1);
  assert_sweeps(p, true, false, 0);
}

static void test_sweep_leaves_what_is_used(void **state)
{
  const struct place *p = *state;
  struct zl_partial file = open_file(p, PIECE);

  make_file(p, "old", ZL_MAX_PARTIAL_AGE_S + 60);
  assert_sweeps(p, true, false, 1);
  assert_true(is_there(p));
  zl_partial_remove(&file);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_pieces),
    cmocka_unit_test(test_too_many_pieces),
    cmocka_unit_test(test_small_blob_is_one_request),
    cmocka_unit_test(test_large_blob_is_cut),
    cmocka_unit_test(test_resumed_in_the_middle),
    cmocka_unit_test(test_what_a_request_left_is_taken_again),
    cmocka_unit_test(test_server_without_parts),
    cmocka_unit_test_setup_teardown(test_remembers, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_begins_anew_what_does_not_fit, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_shortened_to_what_is_on_disk, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_sweep_by_age, set_up, tear_down),
    cmocka_unit_test_setup_teardown(test_sweep_leaves_what_is_used, set_up, tear_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
