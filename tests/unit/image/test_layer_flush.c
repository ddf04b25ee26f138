/* SPDX-License-Identifier: Apache-2.0
 *
 * Which layers count before and after a flush, in this boot and in the next one. The next boot is
 * made by giving the metadata another boot's id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "image/layer_flush.h"
#include "image/layer_store.h"

#define DIFF_ID   "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER     "00000000-0000-0000-0000-000000000000"
#define META_TAIL "\"diff_id\": \"" DIFF_ID "\", \"bytes\": 1, \"files\": 1}"

enum {
  WAIT_STEPS = 1000, /* of 10 ms */
  MANY = 150         /* more than are flushed at a time */
};

static struct {
  char path[64];
  int fd;
} box;

static int set_up(void **state)
{
  (void)state;
  (void)snprintf(box.path, sizeof(box.path), "/tmp/zl-test-flush-XXXXXX");
  assert_non_null(mkdtemp(box.path));
  box.fd = zl_fd_open(AT_FDCWD, box.path, O_RDONLY | O_DIRECTORY, 0);
  assert_true(box.fd >= 0);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  zl_fd_closep(&box.fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box.path), 0);
  return 0;
}

static void publish(const char *key)
{
  const struct zl_layer_meta meta = { .diff_id = DIFF_ID, .bytes = 100, .files = 2 };
  struct zl_staging staging = ZL_STAGING_INIT;
  struct zl_error err = { 0 };

  assert_int_equal(zl_staging_make(box.fd, ZL_LAYER_KIND_DIRECTORY, &staging, NULL), 0);
  if (zl_staging_publish(box.fd, &staging, key, &meta, &err) < 0)
    fail_msg("%s", err.msg);
}

/* Other content, the mode as it was: writing does not change it. */
static void set_meta(const char *key, const char *text)
{
  char name[ZL_LAYER_NAME + 16];
  zl_autofd fd = -1;

  (void)snprintf(name, sizeof(name), "%s/meta.json", key);
  fd = openat(box.fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC); /* as root, whatever the mode */
  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, text, strlen(text)), 0);
}

static void next_boot(const char *key)
{
  set_meta(key, "{\"boot\": \"" OTHER "\", " META_TAIL);
}

static bool is_flushed(const char *key)
{
  zl_autofd fd = zl_fd_open(box.fd, key, O_PATH | O_DIRECTORY, 0);

  assert_true(fd >= 0);
  return zl_layer_trust(fd) == ZL_LAYER_FLUSHED;
}

static void flush_well(void)
{
  struct zl_error err = { 0 };

  if (zl_layers_flush(box.fd, &err) < 0)
    fail_msg("%s", err.msg);
}

static void counts_in_its_own_boot(void **state)
{
  struct zl_layer_meta meta;

  (void)state;
  publish("one");
  assert_true(zl_layer_is_published(box.fd, "one"));
  assert_true(zl_layer_is_pending(box.fd, "one"));
  assert_int_equal(zl_layer_meta_read(box.fd, "one", &meta, NULL), 0);
  assert_string_equal(meta.diff_id, DIFF_ID);
  assert_int_equal(meta.bytes, 100);
  assert_int_equal(meta.files, 2);
  next_boot("one");
  assert_false(zl_layer_is_published(box.fd, "one"));
  assert_false(zl_layer_is_pending(box.fd, "one"));
}

static void counts_for_ever_once_flushed(void **state)
{
  (void)state;
  publish("one");
  publish("two");
  flush_well();
  assert_true(is_flushed("one") && is_flushed("two"));
  assert_false(zl_layer_is_pending(box.fd, "one"));
  next_boot("one");
  assert_true(zl_layer_is_published(box.fd, "one"));
  flush_well(); /* nothing to do */
}

/* No flush of this boot comes after what an earlier one left. */
static void a_flush_does_not_redeem_an_earlier_boot(void **state)
{
  (void)state;
  publish("one");
  publish("two");
  next_boot("one");
  flush_well();
  assert_false(zl_layer_is_published(box.fd, "one"));
  assert_true(is_flushed("two"));
}

static void nothing_but_a_whole_record_counts(void **state)
{
  static const char *const damaged[] = {
    "", "{", "{}", "[]", "{\"boot\": 7, " META_TAIL, "{\"boot\": \"no\", " META_TAIL
  };
  const char zeros[64] = { 0 };
  zl_autofd fd = -1;

  (void)state;
  publish("one");
  for (size_t i = 0; i < ZL_COUNT(damaged); i++) {
    set_meta("one", damaged[i]);
    if (zl_layer_is_published(box.fd, "one"))
      fail_msg("'%s' counts", damaged[i]);
  }
  fd = openat(box.fd, "one/meta.json", O_WRONLY | O_TRUNC | O_CLOEXEC);
  assert_int_equal(zl_fd_write_full(fd, zeros, sizeof(zeros)), 0);
  assert_false(zl_layer_is_published(box.fd, "one"));
  assert_int_equal(unlinkat(box.fd, "one/meta.json", 0), 0);
  assert_false(zl_layer_is_published(box.fd, "one"));
}

/* They were flushed before they got their name. */
static void layers_of_older_versions_count(void **state)
{
  (void)state;
  publish("one");
  set_meta("one", "{" META_TAIL);
  assert_true(zl_layer_is_published(box.fd, "one"));
  assert_false(zl_layer_is_pending(box.fd, "one"));
}

/* What had its place is moved aside: a container may run on it. */
static void a_void_layer_is_made_again(void **state)
{
  zl_autofd used = -1;

  (void)state;
  publish("one");
  assert_int_equal(mkdirat(box.fd, "one/fs/rest", 0755), 0);
  used = zl_fd_open(box.fd, "one/fs", O_PATH | O_DIRECTORY, 0);
  next_boot("one");
  publish("one");
  assert_true(zl_layer_is_published(box.fd, "one"));
  assert_int_equal(faccessat(box.fd, "one/fs/rest", F_OK, 0), -1);
  assert_int_equal(faccessat(used, "rest", F_OK, 0), 0);
  assert_null(zl_layer_aside_key("one"));
  assert_null(zl_layer_aside_key("void-0123456789abcdef-"));
  assert_string_equal(zl_layer_aside_key("void-0123456789abcdef-one"), "one");
}

static void no_umask_says_that_it_was_flushed(void **state)
{
  mode_t before = umask(0277);

  (void)state;
  publish("one");
  (void)umask(before);
  assert_true(zl_layer_is_pending(box.fd, "one"));
}

#ifdef ZL_FAULTS
static void a_disk_that_fails_leaves_no_layer(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  publish("before");
  flush_well();
  publish("one");
  assert_int_equal(setenv("ZLAYER_FAULTS", "image.flush=error(EIO)", 1), 0);
  assert_int_equal(zl_layers_flush(box.fd, &err), -ZL_E_SYSTEM);
  (void)unsetenv("ZLAYER_FAULTS");
  assert_int_equal(err.os_error, EIO);
  assert_false(zl_layer_is_published(box.fd, "one"));
  assert_true(zl_layer_is_published(box.fd, "before"));
  flush_well(); /* the error was reported once: a flush that works says nothing about the layer */
  assert_false(zl_layer_is_published(box.fd, "one"));
}

static void other_failures_lose_nothing(void **state)
{
  (void)state;
  publish("one");
  assert_int_equal(setenv("ZLAYER_FAULTS", "image.flush=error(EPERM)", 1), 0);
  assert_int_equal(zl_layers_flush(box.fd, NULL), -ZL_E_SYSTEM);
  (void)unsetenv("ZLAYER_FAULTS");
  assert_true(zl_layer_is_pending(box.fd, "one"));
  flush_well();
  assert_true(is_flushed("one"));
}
#endif

static void only_layers_are_looked_at(void **state)
{
  struct zl_staging live = ZL_STAGING_INIT;
  const struct zl_layer_meta meta = { .diff_id = DIFF_ID };
  struct stat st;
  char name[ZL_LAYER_NAME + 16];

  (void)state;
  assert_int_equal(zl_staging_make(box.fd, ZL_LAYER_KIND_DIRECTORY, &live, NULL), 0);
  assert_int_equal(zl_layer_meta_write(live.dir_fd, &meta, NULL), 0);
  assert_int_equal(mknodat(box.fd, "lock-one", S_IFREG | 0600, 0), 0);
  publish("one");
  flush_well();
  (void)snprintf(name, sizeof(name), "%s/meta.json", live.name);
  assert_int_equal(fstatat(box.fd, name, &st, 0), 0);
  assert_int_equal(st.st_mode & 0777, 0600); /* files may still be written into it */
  zl_staging_remove(box.fd, &live);
}

static void many_are_flushed_in_one_go(void **state)
{
  char key[16];

  (void)state;
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(key, sizeof(key), "k%d", i);
    publish(key);
  }
  flush_well();
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(key, sizeof(key), "k%d", i);
    assert_true(is_flushed(key));
  }
}

/* ---- The helper ------------------------------------------------------------------------------ */

static void wait_until_flushed(const char *key)
{
  for (int i = 0; !is_flushed(key); i++) {
    assert_true(i < WAIT_STEPS);
    (void)usleep(10000);
  }
}

static void the_helper_flushes_when_the_pull_has_ended(void **state)
{
  struct zl_flusher flusher = ZL_FLUSHER_INIT;

  (void)state;
  publish("one");
  zl_flusher_want(&flusher, getenv("ZLAYER_UNPACK"), box.fd);
  assert_true(flusher.fd >= 0);
  zl_flusher_want(&flusher, "/nowhere", box.fd); /* it runs */
  publish("two");
  zl_flusher_end(&flusher, box.fd);
  wait_until_flushed("one");
  wait_until_flushed("two");
}

static void the_pull_flushes_without_a_helper(void **state)
{
  struct zl_flusher flusher = ZL_FLUSHER_INIT;

  (void)state;
  publish("one");
  zl_flusher_want(&flusher, "/nowhere", box.fd);
  assert_int_equal(flusher.fd, -1);
  zl_flusher_end(&flusher, box.fd);
  assert_true(is_flushed("one"));
}

/* As of a pull that was killed with its helper. */
static void whoever_meets_a_pending_layer_rescues_it(void **state)
{
  zl_autofd held = zl_layers_open_for_flush(box.fd);

  (void)state;
  publish("one");
  assert_int_equal(flock(held, LOCK_SH), 0);
  zl_flusher_rescue("/nowhere", box.fd); /* a helper lives: none is started */
  zl_flusher_rescue(getenv("ZLAYER_UNPACK"), box.fd);
  (void)usleep(200000);
  assert_true(zl_layer_is_pending(box.fd, "one"));
  zl_fd_closep(&held);
  zl_flusher_rescue(getenv("ZLAYER_UNPACK"), box.fd);
  wait_until_flushed("one");
}

static void nothing_wanted_is_nothing_done(void **state)
{
  struct zl_flusher flusher = ZL_FLUSHER_INIT;

  (void)state;
  publish("one");
  zl_flusher_end(&flusher, box.fd);
  assert_true(zl_layer_is_pending(box.fd, "one"));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
    CASE(counts_in_its_own_boot),
    CASE(counts_for_ever_once_flushed),
    CASE(a_flush_does_not_redeem_an_earlier_boot),
    CASE(nothing_but_a_whole_record_counts),
    CASE(layers_of_older_versions_count),
    CASE(a_void_layer_is_made_again),
    CASE(no_umask_says_that_it_was_flushed),
#ifdef ZL_FAULTS
    CASE(a_disk_that_fails_leaves_no_layer),
    CASE(other_failures_lose_nothing),
#endif
    CASE(only_layers_are_looked_at),
    CASE(many_are_flushed_in_one_go),
    CASE(the_helper_flushes_when_the_pull_has_ended),
    CASE(the_pull_flushes_without_a_helper),
    CASE(whoever_meets_a_pending_layer_rescues_it),
    CASE(nothing_wanted_is_nothing_done),
  };

  if (getenv("ZLAYER_UNPACK") == NULL)
    fail_msg("ZLAYER_UNPACK has to name zlayer-unpack");
  return cmocka_run_group_tests_name("which layers count", tests, NULL, NULL);
}
