/* SPDX-License-Identifier: Apache-2.0
 *
 * The host for Windows layers on a real file system of Windows, or Wine's. BackupRead and
 * BackupWrite, which Wine lacks, are doubles that keep the streams as a file's content, and
 * ImportLayer moves what is staged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <cmocka.h>

#include "base/path.h"
#include "image/windows/sink_windows.h"
#include "image/windows/win32/host_win32.h"
#include "scratch_win32.h"

struct fixture {
  char *top;
  int layer_fd, staging_fd, parent_fd;
  struct zl_win_host_options host;
  unsigned secured, imported, based, utility;
};

static struct fixture *current;

/* ---- Doubles --------------------------------------------------------------------------------- */

static bool is_directory(HANDLE file)
{
  BY_HANDLE_FILE_INFORMATION info;

  return GetFileInformationByHandle(file, &info) &&
         (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static int double_write(void *file, uint8_t *data, uint32_t len, uint32_t *done, int abort,
                        int security, void **context)
{
  DWORD n = 0;

  current->secured += security && !abort;
  *context = abort ? NULL : current;
  if (abort || is_directory(file)) {
    *done = len;
    return 1;
  }
  if (!WriteFile(file, data, len, &n, NULL))
    return 0;
  *done = n;
  return 1;
}

static int double_read(void *file, uint8_t *data, uint32_t len, uint32_t *done, int abort,
                       int security, void **context)
{
  DWORD n = 0;

  (void)security;
  *context = abort ? NULL : current;
  *done = 0;
  if (abort || is_directory(file))
    return 1;
  if (!ReadFile(file, data, len, &n, NULL))
    return 0;
  *done = n;
  return 1;
}

static int import_layer(void *ctx, struct zl_error *err)
{
  struct fixture *f = ctx;

  (void)err;
  f->imported++;
  return renameat(f->staging_fd, "Files", f->layer_fd, "Files");
}

static int process_base(void *ctx, struct zl_error *err)
{
  (void)err;
  ((struct fixture *)ctx)->based++;
  return 0;
}

static int process_utility(void *ctx, struct zl_error *err)
{
  (void)err;
  ((struct fixture *)ctx)->utility++;
  return 0;
}

/* ---- Fixture --------------------------------------------------------------------------------- */

static int make(int top, const char *name)
{
  int fd;

  assert_int_equal(mkdirat(top, name, 0755), 0);
  fd = openat(top, name, O_RDONLY | O_DIRECTORY);
  assert_true(fd >= 0);
  return fd;
}

static int setup(void **state)
{
  struct fixture *f = calloc(1, sizeof(*f));
  const char *temp = getenv("TEMP");
  char path[512];
  int top;

  assert_non_null(f);
  assert_non_null(temp);
  (void)snprintf(path, sizeof(path), "%s\\zl-winlayer-XXXXXX", temp);
  assert_non_null(mkdtemp(path));
  f->top = strdup(path);
  top = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  assert_true(top >= 0);
  f->layer_fd = make(top, "layer");
  f->staging_fd = make(top, "staging");
  f->parent_fd = make(top, "parent");
  (void)close(top);
  f->host = (struct zl_win_host_options){ .layer_fd = f->layer_fd,
                                          .staging_fd = f->staging_fd,
                                          .parent_fds = &f->parent_fd,
                                          .n_parents = 1,
                                          .backup_read = double_read,
                                          .backup_write = double_write,
                                          .import_layer = import_layer,
                                          .process_base = process_base,
                                          .process_utility = process_utility,
                                          .ctx = f };
  current = f;
  *state = f;
  return 0;
}

static int teardown(void **state)
{
  struct fixture *f = *state;

  (void)close(f->layer_fd);
  (void)close(f->staging_fd);
  (void)close(f->parent_fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, f->top), 0);
  free(f->top);
  free(f);
  return 0;
}

static struct zl_win_place at(int root, const char *path)
{
  return (struct zl_win_place){ .root = root, .path = path };
}

static void put(struct fixture *f, int root, const char *path, const char *text)
{
  const struct zl_win_host_ops *ops = &zl_win_host_win32;
  struct zl_win_file *file = NULL;

  assert_int_equal(ops->open(&f->host, at(root, path),
                             text != NULL ? ZL_WIN_NEW_FILE : ZL_WIN_NEW_DIRECTORY, false, &file,
                             NULL),
                   0);
  if (text != NULL)
    assert_int_equal(ops->write(file, text, strlen(text), NULL), 0);
  assert_int_equal(ops->close(file, NULL), 0);
}

static void expect(int fd, const char *path, const void *content, size_t len)
{
  char got[512];
  int file = openat(fd, path, O_RDONLY | O_BINARY);

  assert_true(file >= 0);
  assert_int_equal(read(file, got, sizeof(got)), len);
  assert_memory_equal(got, content, len);
  (void)close(file);
}

/* ---- The operations -------------------------------------------------------------------------- */

static void opens_below_a_root(void **state)
{
  struct fixture *f = *state;
  const struct zl_win_host_ops *ops = &zl_win_host_win32;
  struct zl_win_file *file = NULL;
  struct zl_error err = { 0 };

  put(f, ZL_WIN_LAYER, "Files", NULL);
  put(f, ZL_WIN_LAYER, "Files/a", "one");
  expect(f->layer_fd, "Files/a", "one", 3);
  assert_int_equal(
      ops->open(&f->host, at(ZL_WIN_LAYER, "Files/A"), ZL_WIN_NEW_FILE, false, &file, &err),
      -ZL_E_CONFLICT);
  assert_int_equal(
      ops->open(&f->host, at(ZL_WIN_LAYER, "Files"), ZL_WIN_NEW_DIRECTORY, false, &file, &err),
      -ZL_E_CONFLICT);
  assert_int_equal(
      ops->open(&f->host, at(ZL_WIN_LAYER, "None/a"), ZL_WIN_NEW_FILE, false, &file, &err),
      -ZL_E_NOT_FOUND);
  assert_int_equal(
      ops->open(&f->host, at(ZL_WIN_LAYER, "None"), ZL_WIN_OLD_DIRECTORY, false, &file, &err),
      -ZL_E_NOT_FOUND);
  assert_int_equal(ops->open(&f->host, at(7, "Files/b"), ZL_WIN_NEW_FILE, false, &file, &err),
                   -ZL_E_INVALID);
  assert_null(file);
}

static void sets_times(void **state)
{
  struct fixture *f = *state;
  const struct zl_win_host_ops *ops = &zl_win_host_win32;
  const struct zl_win_basic basic = { .created = INT64_C(125000000000000000),
                                      .accessed = INT64_C(125000010000000000),
                                      .written = INT64_C(125000020000000000),
                                      .changed = INT64_C(125000030000000000),
                                      .attributes = 0x20 };
  struct zl_win_basic got = { 0 };
  struct zl_win_file *file = NULL;

  assert_int_equal(ops->open(&f->host, at(ZL_WIN_LAYER, "a"), ZL_WIN_NEW_FILE, false, &file, NULL),
                   0);
  assert_int_equal(ops->set_basic(file, &basic, NULL), 0);
  assert_int_equal(ops->write(file, "x", 1, NULL), 0);
  assert_int_equal(ops->close(file, NULL), 0);
  assert_int_equal(ops->stat(&f->host, at(ZL_WIN_LAYER, "a"), &got, NULL), 0);
  /* Wine's writes move the time of the last one, which on Windows stays as it was set. */
  assert_true(got.accessed == basic.accessed);
  assert_int_equal(ops->stat(&f->host, at(ZL_WIN_LAYER, "b"), &got, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(ops->remove(&f->host, at(ZL_WIN_LAYER, "a"), NULL), 0);
}

static int count(void *ctx, const char *name, uint32_t attributes, struct zl_error *err)
{
  unsigned *seen = ctx;

  (void)err;
  *seen |= strcmp(name, "d") == 0 && (attributes & ZL_WIN_DIRECTORY) != 0 ? 1U : 0;
  *seen |= strcmp(name, "\xc3\xbc") == 0 && (attributes & ZL_WIN_DIRECTORY) == 0 ? 2U : 0;
  *seen += 16;
  return 0;
}

static void links_lists_and_removes(void **state)
{
  struct fixture *f = *state;
  const struct zl_win_host_ops *ops = &zl_win_host_win32;
  struct zl_win_basic got;
  unsigned seen = 0;

  put(f, 0, "Files", NULL);
  put(f, 0, "Files/d", NULL);
  put(f, 0, "Files/\xc3\xbc", "data");
  put(f, ZL_WIN_LAYER, "Files", NULL);
  assert_int_equal(ops->list(&f->host, at(0, "Files"), count, &seen, NULL), 0);
  assert_int_equal(seen, 2 * 16 + 3);
  assert_int_equal(ops->link(&f->host, at(0, "Files/\xc3\xbc"), at(ZL_WIN_LAYER, "Files/x"), NULL),
                   0);
  expect(f->layer_fd, "Files/x", "data", 4);
  assert_int_equal(ops->copy(&f->host, at(0, "Files/\xc3\xbc"), at(ZL_WIN_LAYER, "Files/y"), NULL),
                   0);
  expect(f->layer_fd, "Files/y", "data", 4);
  assert_int_equal(ops->copy(&f->host, at(0, "Files/d"), at(ZL_WIN_LAYER, "Files/d"), NULL), 0);
  assert_int_equal(ops->link(&f->host, at(0, "Files/d"), at(ZL_WIN_LAYER, "Files/z"), NULL) < 0,
                   true);
  assert_int_equal(ops->remove(&f->host, at(ZL_WIN_LAYER, "Files"), NULL), -ZL_E_CONFLICT);
  assert_int_equal(ops->remove(&f->host, at(ZL_WIN_LAYER, "Files/x"), NULL), 0);
  assert_int_equal(ops->stat(&f->host, at(ZL_WIN_LAYER, "Files/x"), &got, NULL), -ZL_E_NOT_FOUND);
  expect(f->parent_fd, "Files/\xc3\xbc", "data", 4);
}

static void reads_descriptors(void **state)
{
  struct fixture *f = *state;
  zl_autobuf got = ZL_BUF_INIT(4096);

  assert_int_equal(zl_win_host_win32.read_sddl(&f->host, "O:WDG:WD", &got, NULL), 0);
  assert_true(got.len >= 20 && got.data[0] == 1 && (got.data[3] & 0x80) != 0);
  assert_int_equal(zl_win_host_win32.read_sddl(&f->host, "nonsense", &got, NULL), -ZL_E_CORRUPT);
}

/* ---- Whole layers ---------------------------------------------------------------------------- */

static int add(struct zl_sink_windows *sink, enum zl_layer_type type, const char *path,
               const char *link, const char *text, struct zl_error *err)
{
  const struct zl_sink_ops *ops = &zl_sink_windows_ops;
  const struct zl_layer_entry e = {
    .type = type, .path = path, .link = link, .size = strlen(text), .mtime_s = 1000000000
  };
  int r = ops->begin(sink, &e, err);

  if (r == 0 && e.size > 0)
    r = ops->data(sink, 0, text, e.size, err);
  return r == 0 ? ops->end(sink, err) : r;
}

static void imports_a_base_layer(void **state)
{
  static const uint8_t streams[] = { 1, 0, 0, 0, 0, 0, 0, 0, 3,   0,   0,  0,
                                     0, 0, 0, 0, 0, 0, 0, 0, 'o', 'n', 'e' };
  struct fixture *f = *state;
  struct zl_sink_windows *sink = NULL;

  f->host.n_parents = 0;
  assert_int_equal(zl_sink_windows_new(&zl_win_host_win32, &f->host, 0, &sink, NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_DIR, "Files", "", "", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_DIR, "Hives", "", "", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_DIR, "UtilityVM", "", "", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_FILE, "Files/a", "", "one", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_HARDLINK, "Files/b", "Files/a", "", NULL), 0);
  assert_int_equal(zl_sink_windows_ops.finish(sink, NULL), 0);
  assert_int_equal(zl_sink_windows_ops.seal(sink, NULL), 0);
  zl_sink_windows_ops.free(sink);
  expect(f->layer_fd, "Files/a", streams, sizeof(streams));
  expect(f->layer_fd, "Files/b", streams, sizeof(streams));
  assert_int_equal(f->based, 1);
  assert_int_equal(f->utility, 1);
  assert_true(f->secured > 0);
}

static void imports_a_layer_above(void **state)
{
  struct fixture *f = *state;
  struct zl_sink_windows *sink = NULL;
  struct zl_win_basic got;

  put(f, 0, "Files", NULL);
  put(f, 0, "Files/old", "old");
  assert_int_equal(zl_sink_windows_new(&zl_win_host_win32, &f->host, 1, &sink, NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_DIR, "Files", "", "", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_FILE, "Files/a", "", "one", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_HARDLINK, "Files/b", "Files/OLD", "", NULL), 0);
  assert_int_equal(add(sink, ZL_LAYER_FILE, "Files/.wh.gone", "", "", NULL), 0);
  assert_int_equal(zl_sink_windows_ops.finish(sink, NULL), 0);
  assert_int_equal(zl_sink_windows_ops.seal(sink, NULL), 0);
  zl_sink_windows_ops.free(sink);
  assert_int_equal(f->imported, 1);
  expect(f->layer_fd, "Files/b", "old", 3);
  assert_int_equal(
      zl_win_host_win32.stat(&f->host, at(ZL_WIN_STAGING, "Files.$wcidirs$"), &got, NULL), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(opens_below_a_root, setup, teardown),
    cmocka_unit_test_setup_teardown(sets_times, setup, teardown),
    cmocka_unit_test_setup_teardown(links_lists_and_removes, setup, teardown),
    cmocka_unit_test_setup_teardown(reads_descriptors, setup, teardown),
    cmocka_unit_test_setup_teardown(imports_a_base_layer, setup, teardown),
    cmocka_unit_test_setup_teardown(imports_a_layer_above, setup, teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
