/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/path.h"
#include "engine/users.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "\n"
                             "# a comment\n"
                             "broken line\n"
                             "noid:x::7:nobody:/home/noid:/bin/sh\n"
                             "minus:x:-1:7::/:/bin/sh\n"
                             "hex:x:0x0:7::/:/bin/sh\n"
                             "huge:x:4294967296:7::/:/bin/sh\n"
                             "last:x:4294967295:7::/:/bin/sh\n"
                             "badgid:x:77:-7::/:/bin/sh\n"
                             "web:x:1000:1001:Web,,,:/srv/web:/bin/sh\n"
                             "web:x:0:0:second line of one name:/root:/bin/sh\n"
                             "twin:x:1000:1005::/srv/twin:/bin/sh\n"
                             "0815:x:0:0:digits as a name:/root:/bin/sh\n"
                             "4711:x:12:13:digits as a name:/x:/bin/sh\n"
                             "relative:x:1002:1002::tmp:/bin/sh\n"
                             "nohome:x:1003:1003\n"
                             "dos:x:1004:1004::/dos:/bin/sh\r\n"
                             "host$:x:1006:1006::/h:/bin/sh\n"
                             "a.b-c_d@e:x:1007:1007::/h:/bin/sh\n"
                             "max:x:4294967294:4294967294::/max:/bin/sh";

static const char group[] = "root:x:0:\n"
                            "wheel:x:10:root,web\n"
                            "web:x:1001:web\n"
                            "video:x:44:web,other\n"
                            "prefix:x:45:we,webb,xweb,web2\n"
                            "bad:x:-5:web\n"
                            "dup:x:44:web\n"
                            "empty:x:46:\n"
                            "nomembers:x:47\n"
                            "1000:x:48:\n"
                            "twins:x:49:twin";

struct box {
  char path[64];
  int fd;
};

static void put(const struct box *box, const char *name, const void *data, size_t len)
{
  int fd = openat(box->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, data, len), (ssize_t)len);
  (void)close(fd);
}

static int box_new(void **state)
{
  static struct box box;

  (void)snprintf(box.path, sizeof(box.path), "/tmp/zl-users-XXXXXX");
  assert_non_null(mkdtemp(box.path));
  box.fd = open(box.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(box.fd >= 0);
  assert_int_equal(mkdirat(box.fd, "etc", 0755), 0);
  put(&box, "etc/passwd", passwd, sizeof(passwd) - 1);
  put(&box, "etc/group", group, sizeof(group) - 1);
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  struct box *box = *state;

  (void)close(box->fd);
  return zl_path_remove_tree(AT_FDCWD, box->path);
}

/* uid < 0: an error of that code. */
struct row {
  const char *spec;
  int64_t uid, gid;
  const char *groups; /* "10,44" */
};

#define BAD    -ZL_E_INVALID
#define ABSENT -ZL_E_NOT_FOUND

static const struct row rows[] = {
  /* Names and ids that are right. */
  { "", 0, 0, "10" },
  { "0", 0, 0, "10" },
  { "root", 0, 0, "10" },
  { "web", 1000, 1001, "10,44,1001" },
  { "1000", 1000, 1001, "10,44,1001" },
  { "web:web", 1000, 1001, "" },
  { "web:video", 1000, 44, "" },
  { "web:44", 1000, 44, "" },
  { "web:0", 1000, 0, "" },
  { "web:12345", 1000, 12345, "" },
  { "1000:1000", 1000, 1000, "" },
  { "1000:video", 1000, 44, "" },
  { "12345", 12345, 0, "" },
  { "12345:12345", 12345, 12345, "" },
  { "12345:video", 12345, 44, "" },
  { "twin", 1000, 1005, "49" },
  { "relative", 1002, 1002, "" },
  { "nohome", 1003, 1003, "" },
  { "dos", 1004, 1004, "" },
  { "host$", 1006, 1006, "" },
  { "a.b-c_d@e", 1007, 1007, "" },
  { "max", 4294967294, 4294967294, "" },
  { "4294967294", 4294967294, 4294967294, "" },
  { "4294967294:4294967294", 4294967294, 4294967294, "" },
  { "web:nomembers", 1000, 47, "" },
  /* Digits are an id, even where a line has them as a name. */
  { "4711", 4711, 0, "" },
  { "web:1000", 1000, 1000, "" },
  /* Lines that are not well-formed are no users. */
  { "noid", ABSENT, 0, NULL },
  { "minus", ABSENT, 0, NULL },
  { "hex", ABSENT, 0, NULL },
  { "huge", ABSENT, 0, NULL },
  { "last", ABSENT, 0, NULL },
  { "badgid", ABSENT, 0, NULL },
  { "broken", ABSENT, 0, NULL },
  { "web:bad", ABSENT, 0, NULL },
  /* Not there. */
  { "nobody", ABSENT, 0, NULL },
  { "Web", ABSENT, 0, NULL },
  { "WEB", ABSENT, 0, NULL },
  { "we", ABSENT, 0, NULL },
  { "webb", ABSENT, 0, NULL },
  { "roo", ABSENT, 0, NULL },
  { "root0", ABSENT, 0, NULL },
  { "web:nogroup", ABSENT, 0, NULL },
  { "nobody:web", ABSENT, 0, NULL },
  { "0x0", ABSENT, 0, NULL },
  { "0x10", ABSENT, 0, NULL },
  { "0X0", ABSENT, 0, NULL },
  { "1e3", ABSENT, 0, NULL },
  { "0b1", ABSENT, 0, NULL },
  { "0o7", ABSENT, 0, NULL },
  { "1000L", ABSENT, 0, NULL },
  { "1000u", ABSENT, 0, NULL },
  { "1_000", ABSENT, 0, NULL },
  { "1.0", ABSENT, 0, NULL },
  { "1000.", ABSENT, 0, NULL },
  { ".1000", ABSENT, 0, NULL },
  { "nan", ABSENT, 0, NULL },
  { "inf", ABSENT, 0, NULL },
  { "NULL", ABSENT, 0, NULL },
  { "x", ABSENT, 0, NULL },
  { "web:0x0", ABSENT, 0, NULL },
  { "0:0x0", ABSENT, 0, NULL },
  { "0:1e3", ABSENT, 0, NULL },
  /* Signs. */
  { "-1", BAD, 0, NULL },
  { "-0", BAD, 0, NULL },
  { "+0", BAD, 0, NULL },
  { "+1000", BAD, 0, NULL },
  { "--1", BAD, 0, NULL },
  { "-web", BAD, 0, NULL },
  { "+web", BAD, 0, NULL },
  { "1000:-1", BAD, 0, NULL },
  { "1000:+1", BAD, 0, NULL },
  { "-1:-1", BAD, 0, NULL },
  { "-1:0", BAD, 0, NULL },
  { "0:-0", BAD, 0, NULL },
  { "-2147483648", BAD, 0, NULL },
  { "-4294967296", BAD, 0, NULL },
  { "-18446744073709551616", BAD, 0, NULL },
  /* Overflow, of every width that somebody may compute in. */
  { "4294967295", BAD, 0, NULL },
  { "4294967296", BAD, 0, NULL },
  { "4294967297", BAD, 0, NULL },
  { "4294968296", BAD, 0, NULL },
  { "8589934592", BAD, 0, NULL },
  { "9223372036854775807", BAD, 0, NULL },
  { "9223372036854775808", BAD, 0, NULL },
  { "18446744073709551615", BAD, 0, NULL },
  { "18446744073709551616", BAD, 0, NULL },
  { "18446744073709551617", BAD, 0, NULL },
  { "18446744073709552616", BAD, 0, NULL },
  { "36893488147419103232", BAD, 0, NULL },
  { "340282366920938463463374607431768211456", BAD, 0, NULL },
  { "99999999999999999999999999999999999999999", BAD, 0, NULL },
  { "0:4294967295", BAD, 0, NULL },
  { "0:4294967296", BAD, 0, NULL },
  { "0:18446744073709551616", BAD, 0, NULL },
  { "1000:99999999999999999999", BAD, 0, NULL },
  { "4294967296:0", BAD, 0, NULL },
  { "4294967296:4294967296", BAD, 0, NULL },
  { "web:4294967296", BAD, 0, NULL },
  /* Leading zeros: octal for some. */
  { "00", BAD, 0, NULL },
  { "000", BAD, 0, NULL },
  { "01", BAD, 0, NULL },
  { "0815", BAD, 0, NULL },
  { "01000", BAD, 0, NULL },
  { "0:00", BAD, 0, NULL },
  { "0:010", BAD, 0, NULL },
  { "00000000000000000000000000000000000", BAD, 0, NULL },
  /* Blanks and control characters. */
  { " ", BAD, 0, NULL },
  { " 0", BAD, 0, NULL },
  { "0 ", BAD, 0, NULL },
  { " 1000", BAD, 0, NULL },
  { "1000 ", BAD, 0, NULL },
  { "1 000", BAD, 0, NULL },
  { "\t0", BAD, 0, NULL },
  { "0\t", BAD, 0, NULL },
  { "0\n", BAD, 0, NULL },
  { "\n0", BAD, 0, NULL },
  { "0\r", BAD, 0, NULL },
  { "0\v", BAD, 0, NULL },
  { "0\f", BAD, 0, NULL },
  { "web ", BAD, 0, NULL },
  { " web", BAD, 0, NULL },
  { "web\n", BAD, 0, NULL },
  { "web\nroot", BAD, 0, NULL },
  { "web root", BAD, 0, NULL },
  { "0 :0", BAD, 0, NULL },
  { "0: 0", BAD, 0, NULL },
  { "0:0 ", BAD, 0, NULL },
  { "0:0\n", BAD, 0, NULL },
  { "web: web", BAD, 0, NULL },
  { "\x7f", BAD, 0, NULL },
  { "\x01", BAD, 0, NULL },
  { "\xc2\xa0"
    "0",
    BAD, 0, NULL },
  { "\xef\xbb\xbf"
    "0",
    BAD, 0, NULL },
  { "\xd9\xa0", BAD, 0, NULL },
  { "\xef\xbc\x90", BAD, 0, NULL },
  { "w\xc3\xa4"
    "b",
    BAD, 0, NULL },
  { "\xff", BAD, 0, NULL },
  /* Halves. */
  { ":", BAD, 0, NULL },
  { "::", BAD, 0, NULL },
  { ":::", BAD, 0, NULL },
  { ":0", BAD, 0, NULL },
  { ":web", BAD, 0, NULL },
  { "0:", BAD, 0, NULL },
  { "1000:", BAD, 0, NULL },
  { "web:", BAD, 0, NULL },
  { "web::web", BAD, 0, NULL },
  { "web:web:", BAD, 0, NULL },
  { "web:web:web", BAD, 0, NULL },
  { "0:0:0", BAD, 0, NULL },
  { "1000:1000:", BAD, 0, NULL },
  { ":1000:1000", BAD, 0, NULL },
  { "root:x:0:0:root:/root:/bin/sh", BAD, 0, NULL },
  /* Other separators and characters. */
  { ",", BAD, 0, NULL },
  { "0,0", BAD, 0, NULL },
  { "1000,1001", BAD, 0, NULL },
  { "1,000", BAD, 0, NULL },
  { "0/0", BAD, 0, NULL },
  { "/", BAD, 0, NULL },
  { "../etc", BAD, 0, NULL },
  { "web/web", BAD, 0, NULL },
  { "0;0", BAD, 0, NULL },
  { "0|0", BAD, 0, NULL },
  { "0&0", BAD, 0, NULL },
  { "#0", BAD, 0, NULL },
  { "$(id)", BAD, 0, NULL },
  { "`id`", BAD, 0, NULL },
  { "%s", BAD, 0, NULL },
  { "%n%n", BAD, 0, NULL },
  { "'0'", BAD, 0, NULL },
  { "\"0\"", BAD, 0, NULL },
  { "(0)", BAD, 0, NULL },
  { "[0]", BAD, 0, NULL },
  { "{0}", BAD, 0, NULL },
  { "<0>", BAD, 0, NULL },
  { "0=0", BAD, 0, NULL },
  { "0*1", BAD, 0, NULL },
  { "~0", BAD, 0, NULL },
  { "!0", BAD, 0, NULL },
  { "^0", BAD, 0, NULL },
  { "0?", BAD, 0, NULL },
  { "\\0", BAD, 0, NULL },
  { "DOMAIN\\web", BAD, 0, NULL },
  { "*", BAD, 0, NULL },
  { "web*", BAD, 0, NULL },
  { "-", BAD, 0, NULL },
  { "--", BAD, 0, NULL },
  { "-rf", BAD, 0, NULL },
  { "+", BAD, 0, NULL },
  { "0:*", BAD, 0, NULL },
  { "0:%d", BAD, 0, NULL },
  { "0:/", BAD, 0, NULL },
  { "0:,", BAD, 0, NULL },
};

static const char *groups_text(const struct zl_user *u, char text[256])
{
  size_t at = 0;

  text[0] = '\0';
  for (size_t i = 0; i < u->n_gids; i++)
    at += (size_t)snprintf(text + at, 256 - at, "%s%u", i > 0 ? "," : "", u->gids[i]);
  return text;
}

static void user_parse(void **state)
{
  const struct box *box = *state;

  assert_true(ZL_COUNT(rows) >= 190);
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    const struct row *row = &rows[i];
    zl_autouser u = { .uid = 99 };
    struct zl_error err = { 0 };
    char text[256];
    int r = zl_user_resolve(box->fd, row->spec, NULL, &u, &err);

    if (row->uid < 0) {
      if (r != row->uid)
        fail_msg("'%s': %d instead of %d (%s)", row->spec, r, (int)row->uid, err.msg);
      assert_int_equal(u.uid, 99);
      assert_null(u.gids);
      assert_true(err.msg[0] != '\0');
      continue;
    }
    if (r != 0 || u.uid != (uint32_t)row->uid || u.gid != (uint32_t)row->gid ||
        strcmp(groups_text(&u, text), row->groups) != 0)
      fail_msg("'%s': %d %u:%u [%s] %s", row->spec, r, u.uid, u.gid, groups_text(&u, text),
               err.msg);
  }
}

static void a_name_may_be_as_long_as_the_limit(void **state)
{
  const struct box *box = *state;
  char name[ZL_MAX_USER_NAME + 2];
  zl_autouser u = { .uid = 0 };
  struct zl_error err = { 0 };

  memset(name, 'a', sizeof(name));
  name[ZL_MAX_USER_NAME] = '\0';
  assert_int_equal(zl_user_resolve(box->fd, name, NULL, &u, &err), -ZL_E_NOT_FOUND);
  name[ZL_MAX_USER_NAME] = 'a';
  name[ZL_MAX_USER_NAME + 1] = '\0';
  assert_int_equal(zl_user_resolve(box->fd, name, NULL, &u, &err), -ZL_E_INVALID);
}

static void homes(void **state)
{
  static const struct {
    uint32_t uid;
    const char *home;
  } list[] = { { 0, "/root" }, { 1000, "/srv/web" }, { 1002, "/" }, { 1003, "/" }, { 9, "/" } };
  const struct box *box = *state;

  for (size_t i = 0; i < ZL_COUNT(list); i++) {
    zl_autofree char *home = NULL;
    struct zl_error err = { 0 };

    assert_int_equal(zl_user_home(box->fd, list[i].uid, &home, &err), 0);
    assert_string_equal(home, list[i].home);
  }
}

static void extra_groups(void **state)
{
  static const char *const good[] = { "video", "5000", "wheel", "44", NULL };
  static const char *const absent[] = { "video", "nogroup", NULL };
  static const char *const odd[] = { "-1", NULL };
  const struct box *box = *state;
  struct zl_error err = { 0 };
  char text[256];

  {
    zl_autouser u = { .uid = 0 };

    assert_int_equal(zl_user_resolve(box->fd, "web:web", good, &u, &err), 0);
    assert_string_equal(groups_text(&u, text), "10,44,5000");
  }
  {
    zl_autouser u = { .uid = 0 };

    assert_int_equal(zl_user_resolve(box->fd, "web", good, &u, &err), 0);
    assert_string_equal(groups_text(&u, text), "10,44,1001,5000");
  }
  {
    zl_autouser u = { .uid = 0 };

    assert_int_equal(zl_user_resolve(box->fd, "web", absent, &u, &err), -ZL_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "nogroup"));
    assert_int_equal(zl_user_resolve(box->fd, "web", odd, &u, &err), -ZL_E_INVALID);
  }
}

static void images_without_files_have_ids(void **state)
{
  const struct box *box = *state;
  struct zl_error err = { 0 };
  zl_autouser u = { .uid = 0 };

  assert_int_equal(zl_path_remove_tree(box->fd, "etc"), 0);
  assert_int_equal(zl_user_resolve(box->fd, "1000:5", NULL, &u, &err), 0);
  assert_int_equal(u.uid, 1000);
  assert_int_equal(u.gid, 5);
  assert_string_equal(u.home, "/");
  assert_int_equal(zl_user_resolve(box->fd, "root", NULL, &u, &err), -ZL_E_NOT_FOUND);
}

static void expect_refused(const struct box *box, int code)
{
  struct zl_error err = { 0 };
  struct zl_user u = { .uid = 0 };
  struct timespec start, end;

  clock_gettime(CLOCK_MONOTONIC, &start);
  assert_int_equal(zl_user_resolve(box->fd, "web", NULL, &u, &err), code);
  clock_gettime(CLOCK_MONOTONIC, &end);
  assert_true(end.tv_sec - start.tv_sec <= 1);
}

/* CVE-2026-47262 and its kin: what the image puts there must neither hang nor fill memory. */
static void passwd_bombs(void **state)
{
  const struct box *box = *state;
  int fd;

  assert_int_equal(unlinkat(box->fd, "etc/passwd", 0), 0);
  assert_int_equal(mkfifoat(box->fd, "etc/passwd", 0666), 0);
  expect_refused(box, -ZL_E_INVALID);

  assert_int_equal(unlinkat(box->fd, "etc/passwd", 0), 0);
  assert_int_equal(mknodat(box->fd, "etc/passwd", S_IFCHR | 0666, makedev(1, 5)), 0);
  expect_refused(box, -ZL_E_INVALID);

  assert_int_equal(unlinkat(box->fd, "etc/passwd", 0), 0);
  assert_int_equal(mkdirat(box->fd, "etc/passwd", 0755), 0);
  expect_refused(box, -ZL_E_INVALID);

  assert_int_equal(unlinkat(box->fd, "etc/passwd", AT_REMOVEDIR), 0);
  fd = openat(box->fd, "etc/passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(ftruncate(fd, (off_t)4 << 30), 0);
  (void)close(fd);
  expect_refused(box, -ZL_E_LIMIT);

  /* A link to a file of the host means a file of the image, which is not there. */
  assert_int_equal(unlinkat(box->fd, "etc/passwd", 0), 0);
  assert_int_equal(symlinkat("/etc/hostname", box->fd, "etc/passwd"), 0);
  expect_refused(box, -ZL_E_NOT_FOUND);
  assert_int_equal(unlinkat(box->fd, "etc/passwd", 0), 0);
  assert_int_equal(symlinkat("../../../../etc/passwd", box->fd, "etc/passwd"), 0);
  expect_refused(box, -ZL_E_SYSTEM);
}

static void a_file_of_exactly_the_limit_is_read(void **state)
{
  const struct box *box = *state;
  char *text = malloc(ZL_MAX_PASSWD + 1);
  static const char line[] = "\nweb:x:1000:1001::/srv/web:/bin/sh";
  zl_autouser u = { .uid = 0 };
  struct zl_error err = { 0 };

  assert_non_null(text);
  memset(text, '#', ZL_MAX_PASSWD + 1);
  memcpy(text + ZL_MAX_PASSWD - (sizeof(line) - 1), line, sizeof(line) - 1);
  put(box, "etc/passwd", text, ZL_MAX_PASSWD);
  assert_int_equal(zl_user_resolve(box->fd, "web", NULL, &u, &err), 0);
  put(box, "etc/passwd", text, ZL_MAX_PASSWD + 1);
  expect_refused(box, -ZL_E_LIMIT);
  free(text);
}

/* A NUL must not let a line be another one for us than for the container's own tools. */
static void lines_with_nul_are_skipped(void **state)
{
  static const char text[] = "evil:x:0:0::/\0:/bin/sh\nroot\0:x:5:5::/:/\nok:x:8:8::/:/\n";
  const struct box *box = *state;
  zl_autouser u = { .uid = 0 };
  struct zl_error err = { 0 };

  put(box, "etc/passwd", text, sizeof(text) - 1);
  assert_int_equal(zl_user_resolve(box->fd, "evil", NULL, &u, &err), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_user_resolve(box->fd, "root", NULL, &u, &err), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_user_resolve(box->fd, "ok", NULL, &u, &err), 0);
}

static void too_many_groups(void **state)
{
  const struct box *box = *state;
  char *text = malloc(64 << 10);
  size_t len = 0;
  struct zl_user u = { .uid = 0 };
  struct zl_error err = { 0 };

  assert_non_null(text);
  for (int i = 0; i < ZL_MAX_GROUPS; i++)
    len += (size_t)sprintf(text + len, "g%d:x:%d:web\n", i, 9000 - i);
  put(box, "etc/group", text, len);
  assert_int_equal(zl_user_resolve(box->fd, "web", NULL, &u, &err), 0);
  assert_int_equal(u.n_gids, ZL_MAX_GROUPS);
  for (size_t i = 1; i < u.n_gids; i++)
    assert_true(u.gids[i - 1] < u.gids[i]);
  zl_user_done(&u);
  len += (size_t)sprintf(text + len, "one:x:1:web\n");
  put(box, "etc/group", text, len);
  assert_int_equal(zl_user_resolve(box->fd, "web", NULL, &u, &err), -ZL_E_LIMIT);
  free(text);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, box_new, box_free)
  const struct CMUnitTest tests[] = {
    CASE(user_parse),
    CASE(a_name_may_be_as_long_as_the_limit),
    CASE(homes),
    CASE(extra_groups),
    CASE(images_without_files_have_ids),
    CASE(passwd_bombs),
    CASE(a_file_of_exactly_the_limit_is_read),
    CASE(lines_with_nul_are_skipped),
    CASE(too_many_groups),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
