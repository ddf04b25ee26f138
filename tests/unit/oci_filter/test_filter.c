/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../scratch.h"
#include "base/fd.h"
#include "base/path.h"
#include "oci/filter.h"

#define CACHE  ".filters~"
#define KILLER "{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\"}"

/* A root with the state directories of two containers. */
struct box {
  struct scratch root;
  unsigned containers;
};

static int set_up(void **state)
{
  struct box *box = calloc(1, sizeof(*box));

  assert_non_null(box);
  scratch_make(&box->root, "/tmp", "filter");
  *state = box;
  return 0;
}

static int tear_down(void **state)
{
  struct box *box = *state;

  scratch_remove(&box->root);
  free(box);
  return 0;
}

/* What reading one document for one container has given. */
struct outcome {
  int r;
  struct zl_error err;
  json_t *doc;
  struct zl_engine_config *config;
  struct zl_seccomp_filter filter;
  struct zl_buf text;
  struct oci_container c;
};

static void read_text(struct box *box, const char *text, struct outcome *o)
{
  char id[16];

  *o = (struct outcome){ .text = ZL_BUF_INIT(ZL_MAX_BUNDLE), .c = { .id = "x" } };
  (void)snprintf(id, sizeof(id), "c%u", box->containers++);
  assert_int_equal(mkdirat(box->root.fd, id, 0711), 0);
  o->c.root_fd = box->root.fd;
  o->c.dir_fd = zl_fd_open(box->root.fd, id, O_RDONLY | O_DIRECTORY, 0);
  assert_true(o->c.dir_fd >= 0);
  assert_int_equal(zl_buf_puts(&o->text, text, NULL), 0);
  o->r = oci_filter_read(&o->c, &o->text, &o->doc, &o->config, &o->filter, &o->err);
}

static void outcome_done(struct outcome *o)
{
  json_decref(o->doc);
  zl_engine_config_free(o->config);
  zl_seccomp_filter_done(&o->filter);
  zl_buf_done(&o->text);
  (void)close(o->c.dir_fd);
}

static bool has_file(const struct outcome *o)
{
  return faccessat(o->c.dir_fd, "filter", F_OK, 0) == 0;
}

/* With and without the cache the engine must get the same; *ret_kept: the short way was taken. */
static void assert_as_plain(const struct outcome *o, const char *text, bool *ret_kept)
{
  struct zl_engine_config *plain = NULL;
  zl_autofilter filter = { 0 };
  struct zl_error err = { 0 };
  int r = zl_engine_config_parse(text, strlen(text), &plain, &err);

  assert_int_equal(o->r, r);
  *ret_kept = has_file(o);
  if (r < 0) {
    assert_string_equal(o->err.msg, err.msg);
    assert_false(*ret_kept);
    return;
  }
  assert_int_equal(plain->seccomp != NULL, o->config->seccomp != NULL);
  assert_int_equal(plain->n_mounts, o->config->n_mounts);
  if (plain->seccomp != NULL && o->config->filter != NULL) {
    assert_int_equal(zl_seccomp_compile(plain->seccomp, &filter, &err), 0);
    assert_int_equal(filter.len, o->config->filter->len);
    assert_int_equal(filter.flags, o->config->filter->flags);
    assert_memory_equal(filter.insns, o->config->filter->insns, filter.len * sizeof(*filter.insns));
  }
  /* The killer itself is shortened to what it is. */
  if (strstr(text, KILLER) == NULL)
    assert_int_equal(*ret_kept, strcmp(o->text.data, text) != 0);
  zl_engine_config_free(plain);
}

static bool read_as_plain(struct box *box, const char *text)
{
  struct outcome o;
  bool kept;

  read_text(box, text, &o);
  assert_as_plain(&o, text, &kept);
  outcome_done(&o);
  return kept;
}

#define PROFILE                                                                              \
  "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"exit_group\"]" \
  ",\"action\":\"SCMP_ACT_ALLOW\"}]}"
#define DOCUMENT(linux_members)                                                                  \
  "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},"                      \
  "\"root\":{\"path\":\"/r\"}, \"linux\" : {" linux_members ",\"namespaces\":[{\"type\":\"mount" \
  "\"}]} }"

static void a_second_container_gets_the_same_filter(void **state)
{
  static const char text[] = DOCUMENT("\"seccomp\" : " PROFILE " ");
  struct zl_seccomp_filter own = { 0 };
  struct outcome o;
  bool kept;

  for (int i = 0; i < 2; i++) {
    read_text(*state, text, &o);
    assert_as_plain(&o, text, &kept);
    assert_true(kept);
    assert_non_null(strstr(o.text.data, KILLER " "));
    assert_int_equal(oci_filter_open(&o.c, &own, &o.err), 1);
    assert_int_equal(own.len, o.config->filter->len);
    assert_memory_equal(own.insns, o.config->filter->insns, own.len * sizeof(*own.insns));
    zl_seccomp_filter_done(&own);
    outcome_done(&o);
  }
}

/* The short way must not be taken where a reader of JSON could see something else. */
static void whatever_the_text_it_is_read_as_ever(void **state)
{
  static const struct {
    const char *text;
    bool kept;
  } cases[] = {
    { DOCUMENT("\"seccomp\":" PROFILE), true },
    { DOCUMENT("\"x\":\"{\\\"seccomp\\\":{\",\"seccomp\":" PROFILE), true },
    { DOCUMENT("\"x\":{\"seccomp\":{}},\"seccomp\":" PROFILE), true },
    { DOCUMENT("\"x\":[1,{\"a\":\"]\"},-1.5e3],\"seccomp\":" PROFILE), true },
    { DOCUMENT("\"seccomp\":null"), false },
    { DOCUMENT("\"seccomp\":[]"), false },
    { DOCUMENT("\"seccomp\":{}"), false },
    { DOCUMENT("\"seccomp\":" PROFILE ",\"seccomp\":" PROFILE), false },
    { DOCUMENT("\"seccomp\":" PROFILE ",\"secc\\u006fmp\":null"), false },
    { DOCUMENT("\"secc\\u006fmp\":" PROFILE), false },
    { DOCUMENT("\"seccomp\":" PROFILE " x"), false },
    { DOCUMENT("\"seccomp\":" PROFILE "}"), false },
    { DOCUMENT("\"seccomp\":{\"defaultAction\":\"nothing\"}"), false },
    { DOCUMENT("\"seccomp\":" KILLER), true },
    { DOCUMENT("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\"}"),
      false },
    { DOCUMENT("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}"), false },
    { "{\"seccomp\":" PROFILE "}", false },
    { "{\"linux\":{},\"linux\":{\"seccomp\":" PROFILE "}}", false },
    { "{\"linux\":{\"seccomp\":" PROFILE, false },
    { "{\"linux\":{\"seccomp\":{\"", false },
    { "{\"linux\":{\"seccomp\":{]}", false },
    { "{\"linux\":{\"seccomp\":{]}}", false },
    { "{\"linux\":{\"seccomp\":{\"\\", false },
    { "{\"linux\"", false },
    { "{\"linux\":{}", false },
    { "[]", false },
    { "", false },
  };

  for (int round = 0; round < 2; round++)
    for (size_t i = 0; i < ZL_COUNT(cases); i++)
      assert_int_equal(read_as_plain(*state, cases[i].text), cases[i].kept);
}

/* ---- The files ----------------------------------------------------------------------------- */

static void change(const struct box *box, const char *name, size_t at)
{
  int fd = openat(box->root.fd, name, O_RDWR | O_CLOEXEC);
  char byte;

  assert_true(fd >= 0);
  assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
  byte = (char)~byte;
  assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
  (void)close(fd);
}

/* The name of the only file in the cache, below the root. */
static void find_file(const struct box *box, char name[64])
{
  char command[160];
  FILE *list;

  (void)snprintf(command, sizeof(command), "cd %s && echo -n " CACHE "/*", box->root.path);
  list = popen(command, "re"); // NOLINT(cert-env33-c): a test
  assert_non_null(list);
  assert_non_null(fgets(name, 64, list));
  (void)pclose(list);
}

static void a_file_for_something_else_is_not_used(void **state)
{
  static const char text[] = DOCUMENT("\"seccomp\":" PROFILE);
  struct box *box = *state;
  struct stat st;
  char name[64];

  assert_true(read_as_plain(box, text));
  find_file(box, name);
  assert_int_equal(fstatat(box->root.fd, name, &st, 0), 0);
  /* Every part of the head, and the text at the end; it is made anew each time. */
  for (size_t at = 0; at < 80; at += 4) {
    change(box, name, at);
    assert_true(read_as_plain(box, text));
  }
  change(box, name, (size_t)st.st_size - 1);
  assert_true(read_as_plain(box, text));
  for (off_t size = 0; size < st.st_size; size += 40) {
    int fd = openat(box->root.fd, name, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0 && ftruncate(fd, size) == 0);
    (void)close(fd);
    assert_true(read_as_plain(box, text));
  }
}

static void what_others_may_write_is_not_used(void **state)
{
  static const char text[] = DOCUMENT("\"seccomp\":" PROFILE);
  struct box *box = *state;
  char name[64];

  assert_true(read_as_plain(box, text));
  find_file(box, name);
  assert_int_equal(fchmodat(box->root.fd, CACHE, 0777, 0), 0);
  assert_false(read_as_plain(box, text));
  assert_int_equal(fchmodat(box->root.fd, CACHE, 0700, 0), 0);
  assert_int_equal(fchmod(box->root.fd, 0777), 0);
  assert_false(read_as_plain(box, text));
  assert_int_equal(fchmod(box->root.fd, 0711), 0);
  assert_int_equal(fchownat(box->root.fd, CACHE, 1, (gid_t)-1, 0), 0);
  assert_false(read_as_plain(box, text));
  assert_int_equal(fchownat(box->root.fd, CACHE, 0, (gid_t)-1, 0), 0);
  assert_true(read_as_plain(box, text));
  assert_int_equal(renameat(box->root.fd, CACHE, box->root.fd, "other"), 0);
  assert_int_equal(symlinkat("other", box->root.fd, CACHE), 0);
  assert_false(read_as_plain(box, text));
}

static void a_damaged_filter_of_a_container_is_an_error(void **state)
{
  static const char text[] = DOCUMENT("\"seccomp\":" PROFILE);
  struct zl_seccomp_filter filter = { 0 };
  struct outcome o;

  read_text(*state, text, &o);
  assert_int_equal(o.r, 0);
  assert_int_equal(fchmodat(o.c.dir_fd, "filter", 0666, 0), 0);
  assert_int_equal(oci_filter_open(&o.c, &filter, &o.err), -ZL_E_PERMISSION);
  assert_int_equal(fchmodat(o.c.dir_fd, "filter", 0600, 0), 0);
  change(*state, "c0/filter", 0);
  assert_int_equal(oci_filter_open(&o.c, &filter, &o.err), -ZL_E_INVALID);
  assert_null(filter.insns);
  assert_int_equal(unlinkat(o.c.dir_fd, "filter", 0), 0);
  assert_int_equal(oci_filter_open(&o.c, &filter, &o.err), 0);
  outcome_done(&o);
}

static void many_profiles_do_not_pile_up(void **state)
{
  const struct box *box = *state;
  struct stat st;
  char text[512], name[64];

  for (int i = 0; i < 100; i++) {
    (void)snprintf(text, sizeof(text),
                   DOCUMENT("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\","
                            "\"defaultErrnoRet\":%d}"),
                   i + 1);
    assert_true(read_as_plain(*state, text));
  }
  assert_int_equal(fstatat(box->root.fd, CACHE, &st, 0), 0);
  (void)snprintf(name, sizeof(name), "ls %s/" CACHE " | wc -l", box->root.path);
  FILE *list = popen(name, "re"); // NOLINT(cert-env33-c): a test

  assert_non_null(list);
  assert_non_null(fgets(text, sizeof(text), list));
  (void)pclose(list);
  assert_in_range(strtol(text, NULL, 10), 1, 66);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_second_container_gets_the_same_filter, set_up, tear_down),
    cmocka_unit_test_setup_teardown(whatever_the_text_it_is_read_as_ever, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_file_for_something_else_is_not_used, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_others_may_write_is_not_used, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_damaged_filter_of_a_container_is_an_error, set_up, tear_down),
    cmocka_unit_test_setup_teardown(many_profiles_do_not_pile_up, set_up, tear_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
