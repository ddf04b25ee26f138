/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory sink with its threads: whatever waits for them, what follows finds it done.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "image/layer/fresh_names.h"
#include "image/layer/sink_dir.h"

struct fixture {
  char top[64];
  int root_fd;
  struct zl_sink_dir *sink;
};

enum {
  MANY = 3000,
  NAMES = 24 << 10 /* more than are remembered */
};

static int setup(void **state)
{
  struct fixture *f = calloc(1, sizeof(*f));
  struct zl_sink_dir_options options;

  assert_non_null(f);
  (void)umask(0);
  (void)snprintf(f->top, sizeof(f->top), "/dev/shm/zl-sink-XXXXXX");
  assert_non_null(mkdtemp(f->top));
  f->root_fd = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(f->root_fd >= 0);
  options = (struct zl_sink_dir_options){ .root_fd = f->root_fd };
  assert_int_equal(zl_sink_dir_new(&options, &f->sink, NULL), 0);
  assert_int_equal(zl_sink_dir_ops.start(f->sink, NULL), 0);
  *state = f;
  return 0;
}

static int teardown(void **state)
{
  struct fixture *f = *state;

  zl_sink_dir_free(f->sink);
  (void)close(f->root_fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, f->top), 0);
  free(f);
  return 0;
}

static int put(struct fixture *f, const struct zl_layer_entry *entry, const char *text)
{
  struct zl_layer_entry e = *entry;
  int r;

  e.size = e.type == ZL_LAYER_FILE ? strlen(text) : 0;
  e.link = e.link != NULL ? e.link : "";
  e.mode = e.type == ZL_LAYER_DIR ? 0750 : 0640;
  r = zl_sink_dir_ops.begin(f->sink, &e, NULL);
  if (r == 0 && e.size > 0)
    r = zl_sink_dir_ops.data(f->sink, 0, text, e.size, NULL);
  return r == 0 ? zl_sink_dir_ops.end(f->sink, NULL) : r;
}

static void file(struct fixture *f, const char *path, const char *text)
{
  assert_int_equal(
      put(f, &(struct zl_layer_entry){ .type = ZL_LAYER_FILE, .path = path, .mtime_s = 7 }, text),
      0);
}

static void dir(struct fixture *f, const char *path, int64_t mtime)
{
  assert_int_equal(
      put(f, &(struct zl_layer_entry){ .type = ZL_LAYER_DIR, .path = path, .mtime_s = mtime }, ""),
      0);
}

static void link_to(struct fixture *f, enum zl_layer_type type, const char *path,
                    const char *target)
{
  assert_int_equal(
      put(f, &(struct zl_layer_entry){ .type = type, .path = path, .link = target }, ""), 0);
}

static void finish(struct fixture *f)
{
  assert_int_equal(zl_sink_dir_ops.finish(f->sink, NULL), 0);
}

static void look(const struct fixture *f, const char *path, struct stat *ret)
{
  assert_int_equal(fstatat(f->root_fd, path, ret, AT_SYMLINK_NOFOLLOW), 0);
}

static void check_text(const struct fixture *f, const char *path, const char *text)
{
  char buf[64] = "";
  int fd = openat(f->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

  assert_true(fd >= 0);
  assert_int_equal(read(fd, buf, sizeof(buf) - 1), (int)strlen(text));
  assert_string_equal(buf, text);
  (void)close(fd);
}

/* Files that wait change the time of their directory later; it is the entry's in the end. */
static void times_of_directories(void **state)
{
  struct fixture *f = *state;
  char path[64];
  struct stat st;

  dir(f, "a", 100);
  dir(f, "a/b", 200);
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(path, sizeof(path), i % 3 == 0 ? "a/b/%d" : "a/%d", i);
    file(f, path, "text");
  }
  finish(f);
  look(f, "a", &st);
  assert_int_equal(st.st_mtime, 100);
  look(f, "a/b", &st);
  assert_int_equal(st.st_mtime, 200);
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(path, sizeof(path), i % 3 == 0 ? "a/b/%d" : "a/%d", i);
    look(f, path, &st);
    assert_int_equal(st.st_mtime, 7);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, 4);
  }
}

static void directory_described_again(void **state)
{
  struct fixture *f = *state;
  char path[64];
  struct stat st;

  for (int i = 0; i < 50; i++) {
    dir(f, "a", 100);
    (void)snprintf(path, sizeof(path), "a/%d", i);
    file(f, path, "x");
    dir(f, "a", 300 + i);
  }
  finish(f);
  look(f, "a", &st);
  assert_int_equal(st.st_mtime, 349);
}

static void last_of_a_name_wins(void **state)
{
  struct fixture *f = *state;
  char path[64];
  struct stat st;

  dir(f, "d", 1);
  for (int i = 0; i < 200; i++) {
    (void)snprintf(path, sizeof(path), "d/%d", i);
    file(f, path, "first");
    switch (i % 4) {
    case 0:
      file(f, path, "second");
      break;
    case 1:
      dir(f, path, 5);
      break;
    case 2:
      link_to(f, ZL_LAYER_SYMLINK, path, "x");
      break;
    default:
      dir(f, path, 5);
      (void)snprintf(path, sizeof(path), "d/%d/deep", i);
      file(f, path, "deep");
      (void)snprintf(path, sizeof(path), "d/%d", i);
      file(f, path, "third");
      break;
    }
  }
  finish(f);
  check_text(f, "d/0", "second");
  check_text(f, "d/3", "third");
  look(f, "d/1", &st);
  assert_true(S_ISDIR(st.st_mode));
  look(f, "d/2", &st);
  assert_true(S_ISLNK(st.st_mode));
}

static void hard_links_to_files_that_wait(void **state)
{
  struct fixture *f = *state;
  char path[64], other[64];
  struct stat st;

  dir(f, "d", 1);
  for (int i = 0; i < 100; i++) {
    (void)snprintf(path, sizeof(path), "d/%d", i);
    (void)snprintf(other, sizeof(other), "d/link-%d", i);
    file(f, path, "text");
    link_to(f, ZL_LAYER_HARDLINK, other, path);
  }
  finish(f);
  look(f, "d/link-99", &st);
  assert_int_equal(st.st_nlink, 2);
}

/* A whiteout concerns lower layers only; the name of a directory behind a link is the same name. */
static void whiteouts_and_links(void **state)
{
  struct fixture *f = *state;
  struct stat st;

  dir(f, "d", 9);
  link_to(f, ZL_LAYER_SYMLINK, "l", "d");
  for (int i = 0; i < 100; i++) {
    char path[64];

    (void)snprintf(path, sizeof(path), "d/%d", i);
    file(f, path, "first");
    (void)snprintf(path, sizeof(path), "d/.wh.%d", i);
    file(f, path, "");
    (void)snprintf(path, sizeof(path), "l/%d", i);
    file(f, path, "second");
  }
  finish(f);
  check_text(f, "d/0", "second");
  check_text(f, "d/99", "second");
  look(f, "d", &st);
  assert_int_equal(st.st_mtime, 9);
}

static void file_as_parent(void **state)
{
  struct fixture *f = *state;
  const struct zl_layer_entry below = { .type = ZL_LAYER_FILE, .path = "d/file/x" };
  struct stat st;

  dir(f, "d", 1);
  file(f, "d/file", "text");
  assert_true(put(f, &below, "x") < 0);
  look(f, "d/file", &st);
  assert_true(S_ISREG(st.st_mode));
}

static void more_names_than_are_remembered(void **state)
{
  struct fixture *f = *state;
  char path[64];
  struct stat st;

  dir(f, "d", 3);
  for (int i = 0; i < NAMES; i++) {
    (void)snprintf(path, sizeof(path), "d/%d", i);
    file(f, path, "1");
  }
  for (int i = 0; i < NAMES; i += NAMES / 8) {
    (void)snprintf(path, sizeof(path), "d/%d", i);
    file(f, path, "again");
  }
  finish(f);
  check_text(f, "d/0", "again");
  check_text(f, "d/1", "1");
  look(f, "d", &st);
  assert_int_equal(st.st_mtime, 3);
}

static void holes(void **state)
{
  struct fixture *f = *state;
  const struct zl_layer_entry e = {
    .type = ZL_LAYER_FILE, .path = "d/sparse", .link = "", .size = 9000, .mode = 0644, .mtime_s = 7
  };
  struct stat st;

  dir(f, "d", 1);
  assert_int_equal(zl_sink_dir_ops.begin(f->sink, &e, NULL), 0);
  assert_int_equal(zl_sink_dir_ops.data(f->sink, 0, "head", 4, NULL), 0);
  assert_int_equal(zl_sink_dir_ops.data(f->sink, 8000, "tail", 4, NULL), 0);
  assert_int_equal(zl_sink_dir_ops.end(f->sink, NULL), 0);
  finish(f);
  look(f, "d/sparse", &st);
  assert_int_equal(st.st_size, 9000);
  assert_int_equal(st.st_mtime, 7);
}

static void names(void **state)
{
  struct zl_fresh_names set;
  char name[16];
  int i = 0;

  (void)state;
  zl_fresh_names_init(&set);
  assert_int_equal(zl_fresh_names_take(&set, 1, "a"), ZL_NAME_UNKNOWN);
  zl_fresh_names_add_dir(&set, 1);
  assert_int_equal(zl_fresh_names_take(&set, 1, "a"), ZL_NAME_FREE);
  assert_int_equal(zl_fresh_names_take(&set, 1, "a"), ZL_NAME_TAKEN);
  assert_int_equal(zl_fresh_names_take(&set, 2, "a"), ZL_NAME_UNKNOWN);
  while (!zl_fresh_names_is_full(&set)) {
    (void)snprintf(name, sizeof(name), "%d", i++);
    assert_int_equal(zl_fresh_names_take(&set, 1, name), ZL_NAME_FREE);
  }
  zl_fresh_names_forget(&set);
  assert_false(zl_fresh_names_is_full(&set));
  assert_int_equal(zl_fresh_names_take(&set, 1, "a"), ZL_NAME_UNKNOWN);
  zl_fresh_names_done(&set);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(times_of_directories, setup, teardown),
    cmocka_unit_test_setup_teardown(directory_described_again, setup, teardown),
    cmocka_unit_test_setup_teardown(last_of_a_name_wins, setup, teardown),
    cmocka_unit_test_setup_teardown(hard_links_to_files_that_wait, setup, teardown),
    cmocka_unit_test_setup_teardown(whiteouts_and_links, setup, teardown),
    cmocka_unit_test_setup_teardown(file_as_parent, setup, teardown),
    cmocka_unit_test_setup_teardown(more_names_than_are_remembered, setup, teardown),
    cmocka_unit_test_setup_teardown(holes, setup, teardown),
    cmocka_unit_test(names),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
