/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller's side against the real child. argv[1]: zlayer-unpack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../scratch.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/time.h"
#include "image/layer/unpack.h"
#include "image/layer/unpack_report.h"

static const char *helper;

enum {
  BLOCK = 512,
  BIG = 64 << 20
};

static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "unpack");
  *state = &box;
  return 0;
}

/* No child, no descriptor and no file may be left. */
static int box_free(void **state)
{
  scratch_remove(*state);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  return 0;
}

static void make_header(unsigned char *block, const char *name, char type, size_t size)
{
  unsigned sum = 0;

  memset(block, 0, BLOCK);
  (void)snprintf((char *)block, 100, "%s", name);
  (void)snprintf((char *)block + 100, 8, "%07o", 0755);
  (void)snprintf((char *)block + 108, 8, "%07o", 0);
  (void)snprintf((char *)block + 116, 8, "%07o", 0);
  (void)snprintf((char *)block + 124, 12, "%011zo", size);
  (void)snprintf((char *)block + 136, 12, "%011o", 1);
  block[156] = (unsigned char)type;
  (void)snprintf((char *)block + 257, 6, "ustar");
  block[263] = block[264] = '0';
  memset(block + 148, ' ', 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += block[i];
  (void)snprintf((char *)block + 148, 7, "%06o", sum);
}

static struct zl_unpack *start(const struct scratch *box, uint64_t max_bytes)
{
  struct zl_unpack_options options = { .helper = helper,
                                       .staging_fd = box->fd,
                                       .compression = ZL_COMPRESSION_NONE,
                                       .max_bytes = max_bytes,
                                       .reserve_bytes = 1 };
  struct zl_unpack *u = NULL;
  struct zl_error err = { 0 };

  if (zl_unpack_start(&options, &u, &err) < 0)
    fail_msg("%s", err.msg);
  return u;
}

/* The only child of this process. */
static pid_t child_of(void)
{
  char path[64], text[32] = "";
  int fd;

  (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
  fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_true(read(fd, text, sizeof(text) - 1) > 0);
  (void)close(fd);
  return (pid_t)strtol(text, NULL, 10);
}

/* Feeds one file of `size` zeros; the first failure. */
static int feed_file(struct zl_unpack *u, size_t size, struct zl_error *err)
{
  static const unsigned char zeros[1 << 20];
  unsigned char block[BLOCK];
  int r;

  make_header(block, "big", '0', size);
  r = zl_unpack_write(u, block, BLOCK, err);
  for (size_t done = 0; done < size && r == 0; done += sizeof(zeros))
    r = zl_unpack_write(u, zeros, sizeof(zeros), err);
  return r < 0 ? r : zl_unpack_write(u, zeros, (size_t)2 * BLOCK, err);
}

static void unpacks_and_reports(void **state)
{
  struct scratch *box = *state;
  struct zl_unpack *u = start(box, 0);
  struct zl_unpack_result result;
  struct zl_error err = { 0 };
  struct stat st;

  assert_int_equal(feed_file(u, BIG, &err), 0);
  assert_int_equal(zl_unpack_finish(u, &result, &err), 0);
  assert_int_equal(result.bytes, BIG);
  assert_int_equal(result.stream_bytes, BIG + 3 * BLOCK);
  assert_int_equal(result.entries, 1);
  assert_null(result.fixup);
  assert_false(result.root_entry);
  assert_true(zl_digest_is_valid(result.diff_id, NULL));
  assert_int_equal(fstatat(box->fd, "big", &st, AT_SYMLINK_NOFOLLOW), 0);
  assert_int_equal(st.st_size, BIG);
  assert_int_equal(fstat(box->fd, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0755);
  assert_int_equal(zl_unpack_finish(u, &result, &err), -ZL_E_INVALID);
  assert_int_equal(zl_unpack_write(u, "x", 1, &err), -ZL_E_INVALID);
  zl_unpack_result_done(&result);
  zl_unpack_free(u);
}

static void marks_opaque_directories(void **state)
{
  struct scratch *box = *state;
  struct zl_unpack *u = start(box, 0);
  struct zl_unpack_result result;
  struct zl_error err = { 0 };
  unsigned char blocks[4][BLOCK];
  char path[96], value[4];

  make_header(blocks[0], "a/b/.wh..wh..opq", '0', 0);
  make_header(blocks[1], "a/b/f", '0', 0);
  make_header(blocks[2], ".wh..wh..opq", '0', 0);
  make_header(blocks[3], "a", '5', 0);
  assert_int_equal(zl_unpack_write(u, blocks, sizeof(blocks), &err), 0);
  assert_int_equal(zl_unpack_finish(u, &result, &err), 0);
  assert_int_equal(result.n_implicit, 1);
  assert_string_equal(result.fixup, "d a/b\no .\n");
  (void)snprintf(path, sizeof(path), "%s/a/b", box->path);
  assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), 1);
  assert_int_equal(value[0], 'y');
  (void)snprintf(path, sizeof(path), "%s/a", box->path);
  assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), -1);
  zl_unpack_result_done(&result);
  zl_unpack_free(u);
}

/* The child refuses the first block; the writer must hear why, and not of a broken pipe. */
static void write_returns_the_childs_error(void **state)
{
  struct zl_unpack *u = start(*state, 0);
  static unsigned char junk[1 << 20];
  struct zl_error err = { 0 };
  int r = 0;

  memset(junk, 'j', sizeof(junk));
  for (int i = 0; i < 1000 && r == 0; i++)
    r = zl_unpack_write(u, junk, sizeof(junk), &err);
  assert_int_equal(r, -ZL_E_CORRUPT);
  assert_non_null(strstr(err.msg, "checksum"));
  zl_unpack_free(u);
}

static void limits_end_a_bomb_early(void **state)
{
  struct zl_unpack *u = start(*state, 1 << 20);
  struct zl_error err = { 0 };

  assert_int_equal(feed_file(u, BIG, &err), -ZL_E_LIMIT);
  zl_unpack_free(u);
}

static void a_killed_child_is_an_error(void **state)
{
  struct zl_unpack *u = start(*state, 0);
  struct zl_error err = { 0 };

  assert_int_equal(kill(child_of(), SIGKILL), 0);
  assert_int_equal(feed_file(u, BIG, &err), -ZL_E_INTERNAL);
  assert_non_null(strstr(err.msg, "killed by signal 9"));
  zl_unpack_free(u);
}

static void a_missing_helper_is_named(void **state)
{
  struct scratch *box = *state;
  struct zl_unpack_options options = { .helper = "/no/such/helper", .staging_fd = box->fd };
  struct zl_unpack *u = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_unpack_start(&options, &u, &err), -ZL_E_NO_COMMAND);
  assert_non_null(strstr(err.msg, "/no/such/helper"));
  assert_null(u);
}

/* In the middle of a file; box_free finds whatever is left. */
static void free_ends_a_running_child(void **state)
{
  struct zl_unpack *u = start(*state, 0);
  unsigned char block[BLOCK];

  make_header(block, "f", '0', BIG);
  assert_int_equal(zl_unpack_write(u, block, BLOCK, NULL), 0);
  zl_unpack_free(u);
  zl_unpack_free(NULL);
}

/* The child has no file system, network or capability that it does not need. */
static void the_child_is_confined(void **state)
{
  struct scratch *box = *state;
  struct zl_unpack *u = start(box, 0);
  unsigned char block[BLOCK];
  char path[64], text[8192] = "", link[128] = "", ours[128] = "";
  struct zl_error err = { 0 };
  pid_t pid = child_of();
  struct stat root, staging;
  uint64_t deadline = zl_time_boot() + 20 * ZL_NS_PER_S;
  bool filtered = false;
  /* There is no system call filter in a sanitized build. */
  const char *last_step =
      getenv("ZL_TEST_SANITIZED") != NULL ? "CapEff:\t000000008000001b" : "Seccomp:\t2";

  make_header(block, "f", '0', BIG);
  assert_int_equal(zl_unpack_write(u, block, BLOCK, &err), 0);
  (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
  while (!filtered && zl_time_boot() < deadline) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0 && zl_fd_read_full(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    filtered = strstr(text, last_step) != NULL;
  }
  assert_true(filtered);
  assert_non_null(strstr(text, "NoNewPrivs:\t1"));
  assert_non_null(strstr(text, "CapEff:\t000000008000001b"));
  assert_non_null(strstr(text, "CapPrm:\t000000008000001b"));
  assert_non_null(strstr(text, "CapBnd:\t000000008000001b"));
  assert_non_null(strstr(text, "CapInh:\t0000000000000000"));
  (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
  assert_int_equal(stat(path, &root), 0);
  assert_int_equal(fstat(box->fd, &staging), 0);
  assert_int_equal(root.st_ino, staging.st_ino);
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
  assert_true(readlink(path, link, sizeof(link) - 1) > 0);
  assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
  assert_string_not_equal(link, ours);
  zl_unpack_free(u);
}

/* A caller that dies takes its children along, without a word. */
static void the_child_ends_with_its_caller(void **state)
{
  struct scratch *box = *state;
  int ends[2];
  pid_t pid, child = 0;
  uint64_t deadline = zl_time_boot() + 20 * ZL_NS_PER_S;

  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    struct zl_unpack *u = start(box, 0);

    child = child_of();
    (void)zl_fd_write_full(ends[1], &child, sizeof(child));
    (void)zl_unpack_write(u, "x", 1, NULL);
    (void)raise(SIGKILL);
  }
  assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  while (kill(child, 0) == 0 && zl_time_boot() < deadline)
    (void)usleep(1000);
  assert_int_equal(kill(child, 0), -1);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

struct worker {
  pthread_t thread;
  char path[64];
  char diff_id[ZL_DIGEST_TEXT];
  int result;
};

static void *unpack_one(void *arg)
{
  struct worker *w = arg;
  struct scratch box = { .fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
  struct zl_unpack_options options = { .helper = helper, .staging_fd = box.fd, .reserve_bytes = 1 };
  struct zl_unpack_result result = { .fixup = NULL };
  struct zl_unpack *u = NULL;
  struct zl_error err = { 0 };

  w->result = zl_unpack_start(&options, &u, &err);
  if (w->result == 0)
    w->result = feed_file(u, 8 << 20, &err);
  if (w->result == 0)
    w->result = zl_unpack_finish(u, &result, &err);
  memcpy(w->diff_id, result.diff_id, sizeof(w->diff_id));
  zl_unpack_result_done(&result);
  zl_unpack_free(u);
  (void)close(box.fd);
  return NULL;
}

static void threads_unpack_side_by_side(void **state)
{
  struct scratch *box = *state;
  struct worker workers[6];

  for (size_t i = 0; i < ZL_COUNT(workers); i++) {
    (void)snprintf(workers[i].path, sizeof(workers[i].path), "%.40s/%zu", box->path, i);
    assert_int_equal(mkdir(workers[i].path, 0700), 0);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, unpack_one, &workers[i]), 0);
  }
  for (size_t i = 0; i < ZL_COUNT(workers); i++) {
    assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(workers[i].result, 0);
    assert_string_equal(workers[i].diff_id, workers[0].diff_id);
  }
}

/* What a child that was taken over might say. */
static void hostile_reports_are_refused(void **state)
{
  static const char *const texts[] = {
    "",
    "{}",
    "junk\n",
    "{\"ok\":true}\n",
    "{\"ok\":true,\"diff_id\":\"sha256:../../etc\"}\n",
    "{\"ok\":false,\"code\":0}\n",
    "{\"ok\":false,\"code\":-1,\"message\":\"x\"}\n",
    "{\"ok\":false,\"code\":99,\"message\":\"x\"}\n",
    "{\"ok\":true,\"diff_id\":"
    "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}\no ../canary\n",
    "{\"ok\":true,\"diff_id\":"
    "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}\no link\n",
    "{\"ok\":true,\"bytes\":-5,\"diff_id\":"
    "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}\n",
  };
  struct scratch *box = *state;

  assert_int_equal(symlinkat("/tmp", box->fd, "link"), 0);
  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    struct zl_buf text = ZL_BUF_INIT(4096);
    struct zl_unpack_result result = { .fixup = NULL };
    struct zl_error err = { 0 };
    bool pending = false;

    assert_int_equal(zl_buf_puts(&text, texts[i], NULL), 0);
    assert_true(zl_unpack_report_take(&text, box->fd, &result, &pending, &err) < 0);
    assert_true(err.code != ZL_OK && result.fixup == NULL);
    zl_buf_done(&text);
  }
  assert_int_equal(getxattr("/tmp", "trusted.overlay.opaque", NULL, 0), -1);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(unpacks_and_reports, box_new, box_free),
    cmocka_unit_test_setup_teardown(marks_opaque_directories, box_new, box_free),
    cmocka_unit_test_setup_teardown(write_returns_the_childs_error, box_new, box_free),
    cmocka_unit_test_setup_teardown(limits_end_a_bomb_early, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_killed_child_is_an_error, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_missing_helper_is_named, box_new, box_free),
    cmocka_unit_test_setup_teardown(free_ends_a_running_child, box_new, box_free),
    cmocka_unit_test_setup_teardown(the_child_is_confined, box_new, box_free),
    cmocka_unit_test_setup_teardown(the_child_ends_with_its_caller, box_new, box_free),
    cmocka_unit_test_setup_teardown(threads_unpack_side_by_side, box_new, box_free),
    cmocka_unit_test_setup_teardown(hostile_reports_are_refused, box_new, box_free),
  };

  if (argc != 2)
    return 2;
  helper = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
