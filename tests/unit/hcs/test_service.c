/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a service and its image: command, environment, paths, resources, mounts, and what
 * is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/strv.h"
#include "image/image.h"
#include "runtime/hcs/command.h"
#include "runtime/hcs/env.h"
#include "runtime/hcs/mounts.h"
#include "runtime/hcs/refuse.h"
#include "runtime/hcs/resources.h"
#include "runtime/hcs/wintext.h"

/* Texts and lists of a service are only read here: they may be literals. */
#define LIST(...) ((char **)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })
#define GIB       (UINT64_C(1) << 30)
#define MIB       (UINT64_C(1) << 20)

static char *text_of(const char *literal)
{
  return (char *)(uintptr_t)literal;
}

static struct zl_service web(void)
{
  return (struct zl_service){ .name = text_of("web"), .image = { .name = text_of("nano") } };
}

/* ---- Paths and texts ---- */

static void absolute_paths(void **state)
{
  static const char *const good[] = { "C:\\",
                                      "c:\\data",
                                      "D:\\a b\\c.vhdx",
                                      "\\\\?\\C:\\data",
                                      "\\\\?\\VMSMB\\VSMB-{x}\\s1",
                                      "C:\\\xc3\xa9",
                                      "C:\\..a\\.b\\c..." };
  static const char *const bad[] = { "",
                                     "C:",
                                     "C:data",
                                     "data",
                                     "\\data",
                                     "\\\\server\\x",
                                     "/data",
                                     "C:/data",
                                     "C:\\a\\..\\b",
                                     "C:\\..",
                                     "C:\\a\\.",
                                     "C:\\a*",
                                     "C:\\a:stream",
                                     "C:\\a\nb",
                                     "\\\\?\\",
                                     "\\\\?\\\\a",
                                     "\\\\.\\pipe\\x",
                                     "1:\\a",
                                     "C:\\a\"b",
                                     "C:\\a|b" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(good); i++)
    assert_true(zl_win_is_absolute(good[i]));
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_win_is_absolute(bad[i]));
  assert_false(zl_win_is_absolute(NULL));
}

static void container_paths(void **state)
{
  static const struct {
    const char *path, *result; /* NULL: refused */
  } rows[] = {
    { "", "C:\\" },
    { "/", "C:\\" },
    { "\\", "C:\\" },
    { "C:", "C:\\" },
    { "C:\\", "C:\\" },
    { "/app", "C:\\app" },
    { "app/bin", "C:\\app\\bin" },
    { "C:\\app\\", "C:\\app" },
    { "c:/app//bin/", "c:\\app\\bin" },
    { "D:\\data", "D:\\data" },
    { "./app/./x", "C:\\app\\x" },
    { "C:\\Program Files\\\xc3\xa9", "C:\\Program Files\\\xc3\xa9" },
    { "C:app", NULL },
    { "\\\\server\\share", NULL },
    { "//server/share", NULL },
    { "\\\\?\\C:\\x", NULL },
    { "C:\\a\\..\\b", NULL },
    { "/..", NULL },
    { "C:\\a:b", NULL },
    { "C:\\a?", NULL },
    { "C:\\a\tb", NULL },
    { "C:\\\xff", NULL },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    zl_autofree char *path = NULL;
    struct zl_error err = { 0 };
    int r = zl_win_container_path(rows[i].path, "the.field", &path, &err);

    if (rows[i].result == NULL) {
      assert_int_equal(r, -ZL_E_INVALID);
      assert_int_equal(strncmp(err.msg, "the.field: ", 11), 0);
      assert_null(path);
      continue;
    }
    assert_int_equal(r, 0);
    assert_string_equal(path, rows[i].result);
  }
}

static void identifiers(void **state)
{
  static const char *const no_guid[] = { "",
                                         "bd9c3ef9-f239-59b5-a27e-15c523b1d14",
                                         "bd9c3ef9-f239-59b5-a27e-15c523b1d1490",
                                         "BD9C3EF9-f239-59b5-a27e-15c523b1d149",
                                         "{bd9c3ef9-f239-59b5-a27e-15c523b1d14}",
                                         "bd9c3ef9xf239-59b5-a27e-15c523b1d149" };

  (void)state;
  assert_true(zl_win_is_guid("bd9c3ef9-f239-59b5-a27e-15c523b1d149"));
  for (size_t i = 0; i < ZL_COUNT(no_guid); i++)
    assert_false(zl_win_is_guid(no_guid[i]));
  assert_false(zl_win_is_guid(NULL));
  assert_true(zl_win_is_volume("\\\\?\\Volume{bd9c3ef9-f239-59b5-a27e-15c523b1d149}\\"));
  assert_true(zl_win_is_volume("\\\\?\\Volume{BD9C3EF9-F239-59b5-a27e-15c523b1d149}\\"));
  assert_false(zl_win_is_volume("\\\\?\\Volume{bd9c3ef9-f239-59b5-a27e-15c523b1d149}"));
  assert_false(zl_win_is_volume("\\\\?\\volume{bd9c3ef9-f239-59b5-a27e-15c523b1d149}\\"));
  assert_false(zl_win_is_volume("\\\\?\\Volume{bd9c3ef9-f239-59b5-a27e-15c523b1d14g}\\"));
  assert_false(zl_win_is_volume("C:\\data"));
  assert_false(zl_win_is_volume(NULL));
}

/* ---- Commands ---- */

static void check_line(const struct zl_service *service, const struct zl_image_config *image,
                       const char *line)
{
  zl_autohcscommand command = { 0 };

  assert_int_equal(zl_hcs_command_merge(service, image, &command, NULL), 0);
  assert_string_equal(command.line, line);
}

static void commands_are_merged(void **state)
{
  struct zl_service s = web();
  struct zl_image_config image = { .entrypoint = LIST("c:\\my app\\run.exe", "-x"),
                                   .cmd = LIST("a b", "c") };
  struct zl_image_config cmd_only = { .cmd = LIST("cmd", "/c", "dir") };

  (void)state;
  check_line(&s, &image, "\"c:\\my app\\run.exe\" -x \"a b\" c");
  check_line(&s, &cmd_only, "cmd /c dir");
  s.command.args = LIST("d");
  check_line(&s, &image, "\"c:\\my app\\run.exe\" -x d");
  check_line(&s, &cmd_only, "d");
  s.command.entrypoint = LIST("e");
  check_line(&s, &image, "e d");
  s.command.args = NULL;
  check_line(&s, &image, "e");
}

/* Docker's builder writes the shell form as one word that is a line already. */
static void lines_of_images_are_kept(void **state)
{
  struct zl_service s = web();
  struct zl_image_config image = { .args_escaped = true,
                                   .cmd = LIST("cmd /S /C \"echo a & echo b\"") };

  (void)state;
  check_line(&s, &image, "cmd /S /C \"echo a & echo b\"");
  image.entrypoint = LIST("powershell -Command \"x\"");
  image.cmd = LIST("a b");
  check_line(&s, &image, "powershell -Command \"x\" \"a b\"");
  s.command.args = LIST("c d");
  check_line(&s, &image, "powershell -Command \"x\" \"c d\"");
  image.entrypoint = NULL;
  s.command.args = LIST("my prog", "c d");
  check_line(&s, &image, "\"my prog\" \"c d\"");
  s.command.entrypoint = LIST("your prog");
  check_line(&s, &image, "\"your prog\" \"my prog\" \"c d\"");
}

static void check_command_fails(const struct zl_service *service,
                                const struct zl_image_config *image, int code, const char *says)
{
  struct zl_hcs_command command = { .line = text_of("untouched") };
  struct zl_error err = { 0 };

  assert_int_equal(zl_hcs_command_merge(service, image, &command, &err), -code);
  assert_string_equal(err.msg, says);
  assert_string_equal(command.line, "untouched");
}

static void impossible_commands(void **state)
{
  struct zl_service s = web();
  struct zl_image_config image = { 0 };

  (void)state;
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "services.web.command: image 'nano' has no command of its own, give one");
  s.command.entrypoint = LIST("a\"b");
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "services.web.command: the program's name 'a\"b' has a quote; give each "
                      "argument as an entry of its own");
  s.command.entrypoint = LIST("a", "\xff");
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "services.web.command: not UTF-8, which Windows needs");
  s.command.entrypoint = LIST("a");
  s.command.workdir = text_of("C:app");
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "services.web.command.workdir: 'C:app' depends on a drive's current "
                      "directory");
  s.command.workdir = NULL;
  image.working_dir = text_of("\\\\server\\x");
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "image 'nano': WorkingDir: '\\\\server\\x' is not below a drive of the "
                      "container");
  image.working_dir = NULL;
  image.user = text_of("1000:1000");
  check_command_fails(&s, &image, ZL_E_INVALID,
                      "image 'nano': User: '1000:1000' is no user of Windows; there are no groups "
                      "and no numbers");
  s.user = text_of("a\tb");
  check_command_fails(&s, &image, ZL_E_INVALID, "services.web.user: has a control character");
}

static void a_directory_has_a_longest(void **state)
{
  struct zl_service s = web();
  struct zl_image_config image = { .cmd = LIST("a") };
  char path[264] = "C:\\";
  zl_autohcscommand command = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  memset(path + 3, 'x', sizeof(path) - 4);
  s.command.workdir = path;
  path[260] = '\0';
  assert_int_equal(zl_hcs_command_merge(&s, &image, &command, &err), -ZL_E_LIMIT);
  assert_string_equal(err.msg, "services.web.command.workdir: 260 characters of UTF-16, Windows "
                               "takes at most 259");
  path[259] = '\0';
  assert_int_equal(zl_hcs_command_merge(&s, &image, &command, &err), 0);
  assert_string_equal(command.directory, path);
}

static void directory_and_user(void **state)
{
  struct zl_service s = web();
  struct zl_image_config image = { .cmd = LIST("a") };
  zl_autohcscommand none = { 0 }, images = { 0 }, own = { 0 };

  (void)state;
  assert_int_equal(zl_hcs_command_merge(&s, &image, &none, NULL), 0);
  assert_string_equal(none.directory, "C:\\");
  assert_null(none.user);
  image.working_dir = text_of("/inetpub/wwwroot");
  image.user = text_of("ContainerUser");
  assert_int_equal(zl_hcs_command_merge(&s, &image, &images, NULL), 0);
  assert_string_equal(images.directory, "C:\\inetpub\\wwwroot");
  assert_string_equal(images.user, "ContainerUser");
  s.command.workdir = text_of("D:\\");
  s.user = text_of("NT AUTHORITY\\SYSTEM");
  assert_int_equal(zl_hcs_command_merge(&s, &image, &own, NULL), 0);
  assert_string_equal(own.directory, "D:\\");
  assert_string_equal(own.user, "NT AUTHORITY\\SYSTEM");
}

/* ---- Environment ---- */

static void check_env(char *const *env, const char *const *expected)
{
  size_t i = 0;

  for (; expected[i] != NULL; i++) {
    assert_non_null(env);
    assert_string_equal(env[i], expected[i]);
  }
  assert_true(env == NULL || env[i] == NULL);
}
#define CHECK_ENV(env, ...) check_env(env, (const char *const[]){ __VA_ARGS__, NULL })

static void names_have_no_case(void **state)
{
  struct zl_pair own[] = { { text_of("path"), text_of("D:\\bin") },
                           { text_of("NEW"), text_of("1") },
                           { text_of("gone"), text_of("") } };
  struct zl_service s = web();
  struct zl_image_config image = { .cmd = LIST("a"),
                                   .env = LIST("Path=C:\\bin", "Gone=x", "Keep=a=b", "PATH=C:\\b2",
                                               "nothing", "=C:=C:\\x", "Empty=") };
  zl_autohcscommand command = { 0 };

  (void)state;
  s.env = (struct zl_pairs){ own, ZL_COUNT(own) };
  assert_int_equal(zl_hcs_command_merge(&s, &image, &command, NULL), 0);
  CHECK_ENV(command.env, "path=D:\\bin", "Keep=a=b", "NEW=1");
}

/* An image may say what Windows says anyway; a service may not say anything else. */
static void windows_sets_some_itself(void **state)
{
  static const char *const names[] = { "SystemRoot", "SYSTEMROOT", "systemdrive", "WinDir" };
  struct zl_service s = web();
  struct zl_image_config image = { .cmd = LIST("a"), .env = LIST("SystemRoot=C:\\Windows") };
  zl_autohcscommand command = { 0 };

  (void)state;
  assert_int_equal(zl_hcs_command_merge(&s, &image, &command, NULL), 0);
  CHECK_ENV(command.env, "SystemRoot=C:\\Windows");
  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    struct zl_pair pair = { text_of(names[i]), text_of("x") };
    zl_autofree char *says =
        zl_asprintf("services.web.env.%s: Windows sets it in every container; remove it", names[i]);

    s.env = (struct zl_pairs){ &pair, 1 };
    check_command_fails(&s, &image, ZL_E_INVALID, says);
    pair.value = text_of("");
    check_command_fails(&s, &image, ZL_E_INVALID, says);
  }
}

static void impossible_variables(void **state)
{
  zl_autostrv env = NULL;
  zl_autobuf value = ZL_BUF_INIT((size_t)1 << 20);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_win_env_set(&env, "", "x", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set(&env, "a=b", "x", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set(&env, "a\x01", "x", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set(&env, "\xff", "x", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set(&env, "a", "\xff", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set_entry(&env, "a=\xff", "f", &err), -ZL_E_INVALID);
  assert_int_equal(zl_win_env_set(&env, "absent", "", "f", &err), 0);
  assert_null(env);
  assert_int_equal(zl_win_env_set(&env, "a", "two\nlines", "f", &err), 0);
  /* "b=", the value and a NUL are 32767. */
  for (size_t i = 0; i < 32764; i++)
    assert_int_equal(zl_buf_puts(&value, "\xc3\xa9", NULL), 0);
  assert_int_equal(zl_win_env_set(&env, "b", value.data, "f", &err), 0);
  assert_int_equal(zl_buf_puts(&value, "x", NULL), 0);
  assert_int_equal(zl_win_env_set(&env, "b", value.data, "f", &err), -ZL_E_LIMIT);
}

static void variables_are_removed_in_place(void **state)
{
  zl_autostrv env = NULL;

  (void)state;
  assert_int_equal(zl_win_env_set_entry(&env, "A=1", "f", NULL), 0);
  assert_int_equal(zl_win_env_set_entry(&env, "AB=2", "f", NULL), 0);
  assert_int_equal(zl_win_env_set_entry(&env, "C=3", "f", NULL), 0);
  assert_int_equal(zl_win_env_set_entry(&env, "a=", "f", NULL), 0);
  CHECK_ENV(env, "AB=2", "C=3");
  assert_int_equal(zl_win_env_set_entry(&env, "c=4", "f", NULL), 0);
  assert_int_equal(zl_win_env_set_entry(&env, "ab=", "f", NULL), 0);
  CHECK_ENV(env, "c=4");
  assert_int_equal(zl_win_env_set_entry(&env, "C=", "f", NULL), 0);
  assert_null(env[0]);
}

/* ---- Resources ---- */

static void limits_of_containers(void **state)
{
  static const struct {
    double cpu;
    uint32_t host, count, maximum;
  } rows[] = {
    { 0, 8, 0, 0 },          { 1, 8, 1, 0 },       { 2, 8, 2, 0 },      { 8, 8, 8, 0 },
    { 9, 8, 8, 0 },          { 8.5, 8, 8, 0 },     { 0.5, 8, 0, 625 },  { 1.5, 4, 0, 3750 },
    { 7.9999, 8, 0, 10000 }, { 0.01, 8192, 0, 1 }, { 0.5, 1, 0, 5000 }, { 0.333, 3, 0, 1110 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_service s = web();
    struct zl_hcs_limits limits;

    s.resources.cpu = rows[i].cpu;
    limits = zl_hcs_container_limits(&s, rows[i].host);
    assert_int_equal(limits.cpu_count, rows[i].count);
    assert_int_equal(limits.cpu_maximum, rows[i].maximum);
    assert_int_equal(limits.cpu_weight, 0);
    assert_int_equal(limits.memory_mib, 0);
  }
}

static void memory_is_rounded_up(void **state)
{
  static const struct {
    uint64_t bytes, container, machine;
  } rows[] = {
    { 0, 0, 1024 },          { 1, 1, 2 },
    { MIB, 1, 2 },           { MIB + 1, 2, 2 },
    { 3 * MIB - 1, 3, 4 },   { 512 * MIB, 512, 512 },
    { 2 * GIB, 2048, 2048 }, { UINT64_C(12288) * GIB, 12582912, 12582912 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_service s = web();
    struct zl_hcs_machine_size size;

    s.resources.memory = rows[i].bytes;
    assert_int_equal(zl_hcs_container_limits(&s, 4).memory_mib, rows[i].container);
    assert_int_equal(zl_hcs_machine_size(&s, 4, &size, NULL), 0);
    assert_int_equal(size.memory_mib, rows[i].machine);
  }
}

static void sizes_of_machines(void **state)
{
  static const struct {
    double cpu;
    uint32_t host, count, limit;
  } rows[] = {
    { 0, 8, 2, 0 },       { 0, 1, 1, 0 },       { 1, 8, 1, 0 },       { 2, 8, 2, 0 },
    { 3.5, 8, 4, 87500 }, { 0.5, 8, 1, 50000 }, { 0.01, 8, 1, 1000 }, { 16, 8, 8, 0 },
    { 8.5, 8, 8, 0 },     { 7.5, 8, 8, 93750 },
  };
  struct zl_service s = web();
  struct zl_hcs_machine_size size;
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    s.resources.cpu = rows[i].cpu;
    assert_int_equal(zl_hcs_machine_size(&s, rows[i].host, &size, NULL), 0);
    assert_int_equal(size.cpu_count, rows[i].count);
    assert_int_equal(size.cpu_limit, rows[i].limit);
    assert_int_equal(size.cpu_weight, 0);
  }
  s.resources.memory = UINT64_C(12288) * GIB + 1;
  assert_int_equal(zl_hcs_machine_size(&s, 8, &size, &err), -ZL_E_LIMIT);
  assert_string_equal(err.msg, "services.web.resources.memory: with isolation hyperv at most 12Ti");
}

static void names_of_hosts(void **state)
{
  static const struct {
    const char *id, *name;
  } of_ids[] = {
    { "web-rep-1", "web-rep-1" },
    { "web_1.rep-2", "web-1-rep-2" },
    { "1web-rep-1", "z1web-rep-1" },
    { "fifteen-letters", "fifteen-letters" },
    { "web-", "web" },
    { "a", "a" },
  };
  static const char *const good[] = { "web", "A", "a1-b", "fifteen-letters" };
  static const char *const bad[] = {
    "", "1web", "-web", "web-", "w_eb", "web.shop", "sixteen-letters-", "sixteenletters16"
  };
  char name[ZL_HCS_HOSTNAME], other[ZL_HCS_HOSTNAME];
  struct zl_service s = web();
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(of_ids); i++) {
    assert_int_equal(zl_hcs_hostname(&s, of_ids[i].id, name, NULL), 0);
    assert_string_equal(name, of_ids[i].name);
  }
  /* Replicas with a long name stay apart, and each always gets the same one. */
  assert_int_equal(zl_hcs_hostname(&s, "shop-frontend-rep-1", name, NULL), 0);
  assert_int_equal(zl_hcs_hostname(&s, "shop-frontend-rep-2", other, NULL), 0);
  assert_string_not_equal(name, other);
  assert_string_equal(name, "shop-f-ac6640d4");
  assert_int_equal(zl_hcs_hostname(&s, "9shop-frontend-rep-1", name, NULL), 0);
  assert_int_equal(strlen(name), 15);
  assert_int_equal(strncmp(name, "z9shop-", 7), 0);
  for (size_t i = 0; i < ZL_COUNT(good); i++) {
    s.hostname = text_of(good[i]);
    assert_int_equal(zl_hcs_hostname(&s, "x", name, NULL), 0);
    assert_string_equal(name, good[i]);
  }
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    s.hostname = text_of(bad[i]);
    assert_int_equal(zl_hcs_hostname(&s, "x", name, &err), -ZL_E_INVALID);
    assert_int_equal(strncmp(err.msg, "services.web.hostname: ", 23), 0);
  }
}

/* ---- Mounts ---- */

static struct zl_storage bind(const char *source, const char *target, bool readonly)
{
  return (struct zl_storage){ .type = ZL_STORAGE_BIND,
                              .source = text_of(source),
                              .target = text_of(target),
                              .readonly = readonly };
}

static void mounts_of_a_service(void **state)
{
  struct zl_storage storage[] = {
    bind("C:/data", "/data", true),
    { .type = ZL_STORAGE_NAMED, .name = text_of("db"), .target = text_of("C:\\db") },
    { .type = ZL_STORAGE_ANONYMOUS, .target = text_of("D:\\cache") },
    bind("\\\\.\\pipe\\docker_engine", "\\\\.\\pipe\\engine", false),
  };
  struct zl_service s = web();
  zl_autohcsmounts m = { 0 };

  (void)state;
  s.storage = storage;
  s.n_storage = ZL_COUNT(storage);
  assert_int_equal(zl_hcs_mounts_of(&s, LIST("", "C:\\zl/volumes/db", "C:\\zl\\c\\volume-2", ""),
                                    ZL_ISOLATION_PROCESS, &m, NULL),
                   0);
  assert_int_equal(m.n_dirs, 3);
  assert_string_equal(m.dirs[0].source, "C:\\data");
  assert_string_equal(m.dirs[0].target, "C:\\data");
  assert_string_equal(m.dirs[0].field, "services.web.storage[0]");
  assert_true(m.dirs[0].readonly);
  assert_string_equal(m.dirs[1].source, "C:\\zl\\volumes\\db");
  assert_false(m.dirs[1].readonly);
  assert_string_equal(m.dirs[2].target, "D:\\cache");
  assert_int_equal(m.n_pipes, 1);
  assert_string_equal(m.pipes[0].source, "\\\\.\\pipe\\docker_engine");
  assert_string_equal(m.pipes[0].target, "engine");
}

static void impossible_mounts(void **state)
{
  static const struct {
    const char *source, *target;
    bool readonly;
    enum zl_isolation isolation;
    int code;
    const char *says;
  } rows[] = {
    { "/data", "C:\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].source: '/data' is not an absolute path of Windows" },
    { "C:\\a\\..\\b", "C:\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].source: " },
    { "", "C:\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].source: no path" },
    { "C:\\a", "C:\\", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].target: C:\\ is the image's" },
    { "C:\\a", "/", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].target: C:\\ is the image's" },
    { "C:\\a", "C:\\..\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].target: " },
    { "\\\\.\\pipe\\a", "C:\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].target: 'C:\\x' is no pipe" },
    { "\\\\.\\pipe\\", "\\\\.\\pipe\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].source: '\\\\.\\pipe\\' is no pipe" },
    { "\\\\.\\pipe\\a\\b", "\\\\.\\pipe\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].source: " },
    { "\\\\.\\pipe\\a", "\\\\.\\pipe\\x", true, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].readonly: " },
    { "\\\\.\\pipe\\a", "\\\\.\\pipe\\x", false, ZL_ISOLATION_HYPERV, ZL_E_UNSUPPORTED,
      "services.web.storage[0].source: with isolation hyperv" },
    { "C:\\a", "\\\\.\\pipe\\x", false, ZL_ISOLATION_PROCESS, ZL_E_INVALID,
      "services.web.storage[0].target: " },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_storage storage = bind(rows[i].source, rows[i].target, rows[i].readonly);
    struct zl_service s = web();
    struct zl_hcs_mounts m = { .n_dirs = 99 };
    struct zl_error err = { 0 };

    s.storage = &storage;
    s.n_storage = 1;
    assert_int_equal(zl_hcs_mounts_of(&s, NULL, rows[i].isolation, &m, &err), -rows[i].code);
    assert_int_equal(strncmp(err.msg, rows[i].says, strlen(rows[i].says)), 0);
    assert_int_equal(m.n_dirs, 99);
  }
}

static void other_kinds_of_storage(void **state)
{
  struct zl_storage storage[] = {
    { .type = ZL_STORAGE_TMPFS, .target = text_of("/tmp") },
    { .type = ZL_STORAGE_S3, .target = text_of("/s3") },
  };
  struct zl_service s = web();
  struct zl_hcs_mounts m;
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(storage); i++) {
    s.storage = &storage[i];
    s.n_storage = 1;
    assert_int_equal(zl_hcs_mounts_of(&s, LIST(""), ZL_ISOLATION_PROCESS, &m, &err),
                     -ZL_E_UNSUPPORTED);
    assert_int_equal(strncmp(err.msg, "services.web.storage[0].type: ", 30), 0);
  }
}

static void one_target_of_two(void **state)
{
  struct zl_storage storage[] = { bind("C:\\a", "C:\\Data", false),
                                  bind("C:\\b", "/data/", false) };
  struct zl_service s = web();
  struct zl_hcs_mounts m;
  struct zl_error err = { 0 };

  (void)state;
  s.storage = storage;
  s.n_storage = 2;
  assert_int_equal(zl_hcs_mounts_of(&s, NULL, ZL_ISOLATION_PROCESS, &m, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "services.web.storage[1].target: 'C:\\data' is that of "
                               "services.web.storage[0], too");
}

/* ---- Refusals ---- */

static void check_refused(const struct zl_service *s, const char *field)
{
  zl_autofree char *says = zl_asprintf("services.web.%s: not for Windows containers: ", field);

  for (int i = ZL_ISOLATION_PROCESS; i <= ZL_ISOLATION_HYPERV; i++) {
    struct zl_error err = { 0 };

    assert_int_equal(zl_hcs_refuse(s, (enum zl_isolation)i, &err), -ZL_E_UNSUPPORTED);
    assert_int_equal(strncmp(err.msg, says, strlen(says)), 0);
  }
}

#define CHECK_REFUSED(field, ...) \
  do {                            \
    struct zl_service s = web();  \
                                  \
    __VA_ARGS__;                  \
    check_refused(&s, field);     \
  } while (0)

static void fields_of_linux(void **state)
{
  struct zl_pair pair = { text_of("a"), text_of("b") };
  struct zl_ulimit ulimit = { .name = text_of("nofile") };
  struct zl_device device = { .path = text_of("/dev/null") };
  struct zl_gpu gpu = { .count = 1 };

  (void)state;
  CHECK_REFUSED("privileged", s.privileged = true);
  CHECK_REFUSED("capabilities", s.capabilities = LIST("NET_ADMIN"));
  CHECK_REFUSED("cap_drop", s.cap_drop = LIST("ALL"));
  CHECK_REFUSED("security_opt", s.security_opt = LIST("x"));
  CHECK_REFUSED("sysctls", s.sysctls = ((struct zl_pairs){ &pair, 1 }));
  CHECK_REFUSED("ulimits", s.ulimits = &ulimit; s.n_ulimits = 1);
  CHECK_REFUSED("extra_groups", s.extra_groups = LIST("x"));
  CHECK_REFUSED("userns_mode", s.userns_mode = ZL_USERNS_PRIVATE);
  CHECK_REFUSED("pid_mode", s.pid_mode = ZL_NS_HOST);
  CHECK_REFUSED("ipc_mode", s.ipc_mode = ZL_NS_HOST);
  CHECK_REFUSED("cgroup_parent", s.cgroup_parent = text_of("x"));
  CHECK_REFUSED("init_container", s.init_container = true);
  CHECK_REFUSED("read_only_root_fs", s.read_only_root_fs = true);
  CHECK_REFUSED("devices", s.devices = &device; s.n_devices = 1);
  CHECK_REFUSED("extra_hosts", s.extra_hosts = LIST("a:1.2.3.4"));
  CHECK_REFUSED("network_mode", s.host_network = true);
  CHECK_REFUSED("network_mode", s.network_mode.kind = ZL_NETWORK_HOST);
  CHECK_REFUSED("network_mode", s.network_mode.kind = ZL_NETWORK_CONTAINER);
  CHECK_REFUSED("network_mode", s.network_mode.kind = ZL_NETWORK_BRIDGE);
  CHECK_REFUSED("resources.gpu", s.resources.gpu = &gpu);
  CHECK_REFUSED("resources.pids_limit", s.resources.pids_limit = 5);
  CHECK_REFUSED("resources.cpuset", s.resources.cpuset = text_of("0"));
  CHECK_REFUSED("resources.cpu_shares", s.resources.cpu_shares = 2);
  CHECK_REFUSED("resources.memory_swap", s.resources.memory_swap = ZL_UNLIMITED);
  CHECK_REFUSED("resources.memory_reservation", s.resources.memory_reservation = 1);
  CHECK_REFUSED("resources.memory_swappiness", s.resources.has_memory_swappiness = true);
  CHECK_REFUSED("resources.oom_score_adj", s.resources.has_oom_score_adj = true);
  CHECK_REFUSED("resources.oom_kill_disable", s.resources.oom_kill_disable = true);
  CHECK_REFUSED("resources.blkio_weight", s.resources.blkio_weight = 10);
}

static void what_windows_has_passes(void **state)
{
  struct zl_service s = web();

  (void)state;
  assert_int_equal(zl_hcs_refuse(&s, ZL_ISOLATION_PROCESS, NULL), 0);
  s.resources.cpu = 2;
  s.resources.memory = s.resources.memory_swap = GIB;
  s.resources.pids_limit = -1; /* unlimited, as it is */
  s.user = text_of("ContainerUser");
  s.network_mode.kind = ZL_NETWORK_NONE;
  s.tty = s.stdin_open = true;
  assert_int_equal(zl_hcs_refuse(&s, ZL_ISOLATION_PROCESS, NULL), 0);
  assert_int_equal(zl_hcs_refuse(&s, ZL_ISOLATION_HYPERV, NULL), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(absolute_paths),
    cmocka_unit_test(container_paths),
    cmocka_unit_test(identifiers),
    cmocka_unit_test(commands_are_merged),
    cmocka_unit_test(lines_of_images_are_kept),
    cmocka_unit_test(impossible_commands),
    cmocka_unit_test(a_directory_has_a_longest),
    cmocka_unit_test(directory_and_user),
    cmocka_unit_test(names_have_no_case),
    cmocka_unit_test(windows_sets_some_itself),
    cmocka_unit_test(impossible_variables),
    cmocka_unit_test(variables_are_removed_in_place),
    cmocka_unit_test(limits_of_containers),
    cmocka_unit_test(memory_is_rounded_up),
    cmocka_unit_test(sizes_of_machines),
    cmocka_unit_test(names_of_hosts),
    cmocka_unit_test(mounts_of_a_service),
    cmocka_unit_test(impossible_mounts),
    cmocka_unit_test(other_kinds_of_storage),
    cmocka_unit_test(one_target_of_two),
    cmocka_unit_test(fields_of_linux),
    cmocka_unit_test(what_windows_has_passes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
