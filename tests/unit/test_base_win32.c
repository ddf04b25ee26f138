/* SPDX-License-Identifier: Apache-2.0
 *
 * What src/base/win32 promises. That no reparse point is followed is not here: Wine 8 makes none
 * (CreateSymbolicLink, FSCTL_SET_REPARSE_POINT), so it has been seen nowhere yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <windows.h>

#include <shellapi.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/os_error.h"
#include "base/proc.h"
#include "base/time.h"
#include "base/win32/pipe.h"
#include "base/win32/wide.h"
#include "scratch.h"

static const char *self; /* this program: with an argument it is its own child */

static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "win32");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static void expect_refused(int fd, const char *path, int os_error)
{
  assert_int_equal(zl_path_open_in_root(fd, path, O_RDONLY, 0), -os_error);
  assert_int_equal(zl_path_open_beneath(fd, path, O_RDONLY, 0), -os_error);
  assert_int_equal(zl_path_open_in_root(fd, path, O_RDWR | O_CREAT, 0600), -os_error);
  errno = 0;
  assert_int_equal(openat(fd, path, O_RDONLY), -1);
  assert_int_equal(errno, os_error);
  assert_int_equal(mkdirat(fd, path, 0700), -1);
  assert_int_equal(errno, os_error);
  assert_int_equal(unlinkat(fd, path, 0), -1);
  assert_int_equal(errno, os_error);
  assert_int_equal(renameat(fd, "file", fd, path), -1);
  assert_int_equal(errno, os_error);
  assert_int_equal(linkat(fd, "file", fd, path, 0), -1);
  assert_int_equal(errno, os_error);
}

static void names_that_mean_another_file_are_refused(void **state)
{
  static const char *const names[] = {
    "..",   "../x", "a/../../x", "a/..",       "x:stream", "x::$DATA", "C:", "C:\\x",
    "a\\b", "\\x",  "x.",        "x ",         "a./b",     "x?",       "*",  "\"x\"",
    "<x",   "x>",   "a|b",       "tab\tbelow", "..\\..",   "...",      " ",
  };
  struct scratch *box = *state;

  assert_int_equal(mkdirat(box->fd, "a", 0700), 0);
  assert_int_equal(zl_file_replace(box->fd, "file", "x", 1, 0600, false, NULL), 0);
  for (size_t i = 0; i < ZL_COUNT(names); i++)
    expect_refused(box->fd, names[i], EINVAL);
  expect_refused(box->fd, "\xff\xfe", EILSEQ);
}

/* In a directory they are names like any other; by path, CON is a console. */
static void names_of_devices_are_files_below_a_descriptor(void **state)
{
  static const char *const names[] = { "CON", "nul", "COM1", "aux.txt" };
  struct scratch *box = *state;

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    zl_autofd fd = openat(box->fd, names[i], O_RDWR | O_CREAT | O_EXCL, 0600);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(unlinkat(box->fd, names[i], 0), 0);
  }
}

static void roots_are_walked_and_made(void **state)
{
  struct scratch *box = *state;
  zl_autofd dir = zl_path_mkdirs_in_root(box->fd, "/a/b//./c", 0755);
  zl_autofd file = -1, again = -1;

  assert_true(dir >= 0);
  assert_int_equal(faccessat(box->fd, "a/b/c", F_OK, 0), 0);
  file = zl_path_touch_in_root(box->fd, "a/d/file", 0644);
  assert_true(file >= 0);
  again = zl_path_open_in_root(box->fd, "/a/d/file", O_RDWR, 0);
  assert_true(again >= 0);
  assert_int_equal(zl_path_open_in_root(box->fd, "a/d/file/below", O_RDONLY, 0), -ENOTDIR);
  assert_int_equal(zl_path_open_in_root(box->fd, "a/none", O_RDONLY, 0), -ENOENT);
  assert_int_equal(unlinkat(box->fd, "a", 0), -1);
  assert_int_equal(errno, EISDIR);
  assert_int_equal(unlinkat(box->fd, "a", AT_REMOVEDIR), -1);
  assert_int_equal(errno, ENOTEMPTY);
}

static void names_are_utf8(void **state)
{
  static const char name[] = "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x99";
  struct scratch *box = *state;
  DIR *dir;
  struct dirent *e;
  bool found = false;

  assert_int_equal(zl_file_replace(box->fd, name, "x", 1, 0600, true, NULL), 0);
  dir = opendir(box->path);
  assert_non_null(dir);
  while ((e = readdir(dir)) != NULL)
    found = found || (strcmp(e->d_name, name) == 0 && e->d_type == DT_REG);
  (void)closedir(dir);
  assert_true(found);
}

static void text_that_is_none_is_refused(void **state)
{
  static const wchar_t lone[] = { L'a', 0xD800, L'b' };

  (void)state;
  assert_null(zl_wide_of("\xc3"));
  assert_int_equal(errno, EILSEQ);
  assert_null(zl_wide_of("\xed\xa0\x80"));
  assert_null(zl_wide_to_utf8(lone, ZL_COUNT(lone)));
  assert_int_equal(errno, EILSEQ);
}

static void expect_nt(const char *path, const wchar_t *wanted)
{
  zl_autofree wchar_t *got = zl_wide_nt_path(path);

  assert_non_null(got);
  assert_int_equal(wcscmp(got, wanted), 0);
}

static void host_paths_become_those_of_the_kernel(void **state)
{
  (void)state;
  expect_nt("C:/a/../b\\c", L"\\??\\C:\\b\\c");
  expect_nt("\\\\server\\share\\x", L"\\??\\UNC\\server\\share\\x");
  expect_nt("\\\\?\\C:\\x.", L"\\??\\C:\\x.");
  expect_nt("/dev/null", L"\\??\\NUL");
  assert_null(zl_wide_nt_path(""));
}

/* Longer than MAX_PATH, by path. */
static void paths_may_be_long(void **state)
{
  struct scratch *box = *state;
  char path[1000], name[101];
  zl_autofd dir = -1, file = -1;

  memset(name, 'n', 100);
  name[100] = '\0';
  (void)snprintf(path, sizeof(path), "%s/%s/%s/%s/%s", box->path, name, name, name, name);
  dir = zl_path_open_dir(AT_FDCWD, path, 0700);
  assert_true(dir >= 0);
  (void)strcat(path, "/file");
  file = open(path, O_RDWR | O_CREAT, 0600);
  assert_true(file >= 0);
}

static void only_whole_paths_are_absolute(void **state)
{
  static const char *const whole[] = { "C:\\x", "c:/x", "Z:\\", "\\\\server\\share", "//s/x" };
  static const char *const others[] = {
    "", "x", "\\x", "/etc/zlayer", "C:", "C:x", "1:\\x", "..\\x"
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(whole); i++)
    assert_true(zl_path_is_absolute(whole[i]));
  for (size_t i = 0; i < ZL_COUNT(others); i++)
    assert_false(zl_path_is_absolute(others[i]));
}

#ifdef ZL_TEST_REAL_WINDOWS
static void read_only_files_are_removed(void **state)
{
  const struct scratch *box = *state;
  int fd = openat(box->fd, "f", O_RDWR | O_CREAT, 0600);
  FILE_BASIC_INFO info = { .FileAttributes = FILE_ATTRIBUTE_READONLY };

  assert_true(fd >= 0);
  assert_true(SetFileInformationByHandle(zl_handle_of(fd), FileBasicInfo, &info, sizeof(info)));
  assert_int_equal(close(fd), 0);
  assert_int_equal(unlinkat(box->fd, "f", 0), 0);
  assert_int_equal(faccessat(box->fd, "f", F_OK, 0), -1);
  assert_int_equal(errno, ENOENT);
}

/* A reader of the old file hinders nobody, and keeps what it has. */
static void open_files_are_replaced_and_removed(void **state)
{
  struct scratch *box = *state;
  char text[4] = "";
  zl_autofd reader = -1;

  assert_int_equal(zl_file_replace(box->fd, "f", "old", 3, 0600, true, NULL), 0);
  reader = openat(box->fd, "f", O_RDONLY);
  assert_true(reader >= 0);
  assert_int_equal(zl_file_replace(box->fd, "f", "new", 3, 0600, true, NULL), 0);
  assert_int_equal(read(reader, text, 3), 3);
  assert_string_equal(text, "old");
  assert_int_equal(unlinkat(box->fd, "f", 0), 0);
  assert_int_equal(faccessat(box->fd, "f", F_OK, 0), -1);
  assert_int_equal(mkdirat(box->fd, "f", 0700), 0);
}
#endif

/* Each of two writers behind what the other has written. */
static void who_appends_writes_at_the_end(void **state)
{
  const struct scratch *box = *state;
  const int flags = O_WRONLY | O_CREAT | O_APPEND;
  zl_autofd one = openat(box->fd, "log", flags, 0600), other = openat(box->fd, "log", flags, 0600);
  zl_autobuf text = ZL_BUF_INIT(100);

  assert_true(one >= 0 && other >= 0);
  assert_int_equal(write(one, "a", 1), 1);
  assert_int_equal(write(other, "b", 1), 1);
  assert_int_equal(write(one, "c", 1), 1);
  assert_int_equal(zl_file_read(box->fd, "log", &text, NULL), 0);
  assert_string_equal(text.data, "abc");
}

/* Messages stay apart, whoever is slow or gone. */
static void pipes_carry_messages(void **state)
{
  char text[8];
  HANDLE ends[2];

  (void)state;
  assert_int_equal(zl_pipe_pair(ends, NULL), 0);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), zl_time_boot() + 1000000, NULL),
                   -ETIMEDOUT);
  assert_int_equal(zl_pipe_send(ends[1], "one", 3, 1000), 0);
  assert_int_equal(zl_pipe_send(ends[1], "much too long", 13, 1000), 0);
  assert_int_equal(zl_pipe_send(ends[1], "two", 3, 1000), 0);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), UINT64_MAX, NULL), 3);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), UINT64_MAX, NULL), -EMSGSIZE);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), UINT64_MAX, NULL), 3);
  assert_memory_equal(text, "two", 3);
  assert_int_equal(zl_pipe_send(ends[1], "last", 4, 1000), 0);
  (void)CloseHandle(ends[1]);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), UINT64_MAX, NULL), 4);
  assert_int_equal(zl_pipe_recv(ends[0], text, sizeof(text), UINT64_MAX, NULL), 0);
  assert_int_equal(zl_pipe_send(ends[0], "gone", 4, 1000), -EPIPE);
  (void)CloseHandle(ends[0]);
}

static void links_count(void **state)
{
  struct scratch *box = *state;
  struct stat a, b;

  assert_int_equal(zl_file_replace(box->fd, "a", "12345", 5, 0600, false, NULL), 0);
  assert_int_equal(linkat(box->fd, "a", box->fd, "b", 0), 0);
  assert_int_equal(linkat(box->fd, "a", box->fd, "b", 0), -1);
  assert_int_equal(errno, EEXIST);
  assert_int_equal(zl_file_replace(box->fd, "c", "1", 1, 0600, false, NULL), 0);
  assert_int_equal(renameat2(box->fd, "c", box->fd, "b", RENAME_NOREPLACE), -1);
  assert_int_equal(errno, EEXIST);
  assert_int_equal(fstatat(box->fd, "a", &a, AT_SYMLINK_NOFOLLOW), 0);
  assert_int_equal(fstatat(box->fd, "b", &b, AT_SYMLINK_NOFOLLOW), 0);
  assert_int_equal(a.st_nlink, 2);
  assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  assert_int_equal(a.st_size, 5);
  assert_true(a.st_mtim.tv_sec > 1600000000);
}

static void events_wake_who_waits(void **state)
{
  zl_autofd event = eventfd(0, 0);
  struct pollfd p = { .fd = event, .events = POLLIN };
  const uint64_t one = 1;
  uint64_t before = zl_time_boot();

  (void)state;
  assert_true(event >= ZL_OBJECT_FD);
  assert_int_equal(poll(&p, 1, 30), 0);
  assert_true(zl_time_boot() - before >= 29 * ZL_NS_PER_MS);
  assert_int_equal(write(event, &one, sizeof(one)), sizeof(one));
  assert_int_equal(poll(&p, 1, -1), 1);
  assert_int_equal(p.revents, POLLIN);
}

/* ---- Children -------------------------------------------------------------------------------- */

static int run(const char *const *argv, const char *const *envp, struct zl_buf *out)
{
  int ends[2], status;
  struct zl_proc_fd fd;
  struct zl_proc_options opt = {
    .path = self, .exec_fd = -1, .argv = argv, .envp = envp, .fds = &fd, .n_fds = 1
  };
  struct zl_proc proc = { .pidfd = -1 };

  assert_int_equal(zl_fd_pipe(ends, NULL), 0);
  fd = (struct zl_proc_fd){ .from = ends[1], .to = 1 };
  assert_int_equal(zl_proc_spawn(&opt, &proc, NULL), 0);
  (void)close(ends[1]);
  assert_int_equal(zl_fd_read_all(ends[0], "the child", out, NULL), 0);
  (void)close(ends[0]);
  assert_int_equal(zl_proc_wait(&proc, &status, NULL), 0);
  return WEXITSTATUS(status);
}

static void children_get_their_arguments_and_variables(void **state)
{
  const char *const argv[] = { "name",     "",       "a b",        "say \"hi\"", "back\\slash\\",
                               "b\\\\\"q", "%PATH%", "\xc3\xbc^&", NULL };
  const char *const envp[] = { "ZL_TEST=\xc3\xbc x", NULL };
  zl_autobuf out = ZL_BUF_INIT(4096);

  (void)state;
  assert_int_equal(run(argv, envp, &out), 7);
  assert_string_equal(out.data,
                      "|a b|say \"hi\"|back\\slash\\|b\\\\\"q|%PATH%|\xc3\xbc^&|\xc3\xbc x");
}

static void children_report_failure_to_start(void **state)
{
  const char *const argv[] = { "x", NULL };
  struct zl_proc_options opt = { .path = "C:\\none.exe", .exec_fd = -1, .argv = argv };
  struct zl_proc proc = { .pidfd = -1 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_proc_spawn(&opt, &proc, &err), -ZL_E_NO_COMMAND);
  assert_non_null(strstr(err.msg, "C:\\none.exe"));
}

static void children_are_ended(void **state)
{
  const char *const argv[] = { "x", "--sleep", NULL };
  struct zl_proc_options opt = { .path = self, .exec_fd = -1, .argv = argv, .bound = true };
  struct zl_proc proc = { .pidfd = -1 };
  struct pollfd p;
  uint64_t ticks = 0;

  (void)state;
  assert_int_equal(zl_proc_spawn(&opt, &proc, NULL), 0);
  p = (struct pollfd){ .fd = proc.pidfd, .events = POLLIN };
  assert_int_equal(poll(&p, 1, 50), 0);
  assert_int_equal(zl_proc_start_time(proc.pid, &ticks, NULL), 0);
  assert_true(ticks > 0);
  zl_proc_kill(&proc);
  assert_int_equal(proc.pidfd, -1);
}

static int child_main(void)
{
  int argc = 0;
  wchar_t **argv = CommandLineToArgvW(GetCommandLineW(), &argc);
  const wchar_t *value = _wgetenv(L"ZL_TEST");

  for (int i = 1; argv != NULL && i < argc; i++) {
    zl_autofree char *text = zl_wide_to_utf8(argv[i], wcslen(argv[i]));

    (void)zl_fd_write_full(1, text, strlen(text));
    (void)zl_fd_write_full(1, "|", 1);
  }
  if (value != NULL) {
    zl_autofree char *text = zl_wide_to_utf8(value, wcslen(value));

    (void)zl_fd_write_full(1, text, strlen(text));
  }
  return 7;
}

/* ---- Errors and times ------------------------------------------------------------------------ */

static void system_errors_have_their_text_and_number(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  (void)zl_fail(&err, ZL_E_SYSTEM, (int)0x80070005, "opening it");
  assert_non_null(strstr(err.msg, "opening it: "));
  assert_non_null(strstr(err.msg, "0x80070005"));
  (void)zl_fail(&err, ZL_E_SYSTEM, ELOOP, "opening it");
  assert_string_equal(err.msg, "opening it: A link, junction or mount point is in the way");
}

static void a_boot_has_one_identity(void **state)
{
  char a[ZL_BOOT_ID_TEXT], b[ZL_BOOT_ID_TEXT];

  (void)state;
  assert_int_equal(zl_time_boot_id(a, NULL), 0);
  assert_int_equal(zl_time_boot_id(b, NULL), 0);
  assert_string_equal(a, b);
  assert_int_equal(strlen(a), ZL_BOOT_ID_TEXT - 1);
  assert_string_not_equal(a, "00000000-0000-0000-0000-000000000000");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(names_that_mean_another_file_are_refused, box_new, box_free),
    cmocka_unit_test_setup_teardown(names_of_devices_are_files_below_a_descriptor, box_new,
                                    box_free),
    cmocka_unit_test_setup_teardown(roots_are_walked_and_made, box_new, box_free),
    cmocka_unit_test_setup_teardown(names_are_utf8, box_new, box_free),
    cmocka_unit_test(text_that_is_none_is_refused),
    cmocka_unit_test(host_paths_become_those_of_the_kernel),
    cmocka_unit_test_setup_teardown(paths_may_be_long, box_new, box_free),
    cmocka_unit_test(only_whole_paths_are_absolute),
#ifdef ZL_TEST_REAL_WINDOWS /* Wine 8 has no POSIX semantics of renaming and removing */
    cmocka_unit_test_setup_teardown(open_files_are_replaced_and_removed, box_new, box_free),
    cmocka_unit_test_setup_teardown(read_only_files_are_removed, box_new, box_free),
#endif
    cmocka_unit_test_setup_teardown(who_appends_writes_at_the_end, box_new, box_free),
    cmocka_unit_test(pipes_carry_messages),
    cmocka_unit_test_setup_teardown(links_count, box_new, box_free),
    cmocka_unit_test(events_wake_who_waits),
    cmocka_unit_test(children_get_their_arguments_and_variables),
    cmocka_unit_test(children_report_failure_to_start),
    cmocka_unit_test(children_are_ended),
    cmocka_unit_test(system_errors_have_their_text_and_number),
    cmocka_unit_test(a_boot_has_one_identity),
  };

  if (argc == 2 && strcmp(argv[1], "--sleep") == 0) {
    Sleep(60000);
    return 0;
  }
  if (argc > 1)
    return child_main();
  self = argv[0];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
