/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "image/layer/layer_path.h"
#include "image/layer/notes.h"
#include "image/layer/tar.h"

/* A sink that writes down what it is told: "file a 5 644 0:0 @9 [0+5 hello]". */
struct recorder {
  struct zl_buf text;
  bool open, finished;
  uint64_t next_offset;
};

static int record_begin(void *sink, const struct zl_layer_entry *e, struct zl_error *err)
{
  static const char *const types[] = { "file", "hard", "sym", "char", "block", "dir", "fifo" };
  struct recorder *rec = sink;
  int r;

  assert_false(rec->open);
  rec->open = true;
  rec->next_offset = 0;
  r = zl_buf_printf(&rec->text, err, "%s %s>%s %llu %o %u:%u @%lld.%u %u,%u", types[e->type],
                    e->path, e->link, (unsigned long long)e->size, e->mode, e->uid, e->gid,
                    (long long)e->mtime_s, e->mtime_ns, e->major, e->minor);
  for (size_t i = 0; i < e->n_xattrs && r == 0; i++)
    r = zl_buf_printf(&rec->text, err, " %s=%.*s", e->xattrs[i].name, (int)e->xattrs[i].len,
                      (const char *)e->xattrs[i].value);
  return r;
}

/* Runs that touch are one, however the archive was cut. */
static int record_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                       struct zl_error *err)
{
  struct recorder *rec = sink;
  int r = 0;

  assert_true(rec->open && len > 0 && offset >= rec->next_offset);
  if (offset != rec->next_offset || offset == 0)
    r = zl_buf_printf(&rec->text, err, " %llu+", (unsigned long long)offset);
  rec->next_offset = offset + len;
  return r < 0 ? r : zl_buf_append(&rec->text, bytes, len, err);
}

static int record_end(void *sink, struct zl_error *err)
{
  struct recorder *rec = sink;

  assert_true(rec->open);
  rec->open = false;
  return zl_buf_puts(&rec->text, "\n", err);
}

static int record_finish(void *sink, struct zl_error *err)
{
  struct recorder *rec = sink;

  (void)err;
  assert_false(rec->open || rec->finished);
  rec->finished = true;
  return 0;
}

static const struct zl_sink_ops recorder_ops = {
  .begin = record_begin, .data = record_data, .end = record_end, .finish = record_finish
};

/* One archive in the making. */
struct archive {
  unsigned char bytes[64 << 10];
  size_t len;
};

/* Not inlined: gcc 12 with UBSan takes the block for one of size 0. */
static __attribute__((noinline)) void put_bytes(unsigned char *block, size_t at, const void *bytes,
                                                size_t len)
{
  memcpy(block + at, bytes, len);
}

static void put(unsigned char *block, size_t at, const char *text)
{
  put_bytes(block, at, text, strlen(text));
}

static void seal(unsigned char *block)
{
  char sum_text[9];
  unsigned sum = 0;

  memset(block + 148, ' ', 8);
  for (size_t i = 0; i < 512; i++)
    sum += block[i];
  (void)snprintf(sum_text, sizeof(sum_text), "%06o", sum);
  memcpy(block + 148, sum_text, 7);
}

/* Adds a header block and returns it: change it, then seal it again. */
static unsigned char *add_header(struct archive *a, const char *name, char type, size_t size)
{
  unsigned char *block = a->bytes + a->len;
  char number[13];

  assert_true(a->len + 512 <= sizeof(a->bytes));
  memset(block, 0, 512);
  put(block, 0, name);
  put(block, 100, "0000644");
  put(block, 108, "0000001");
  put(block, 116, "0000002");
  (void)snprintf(number, sizeof(number), "%011zo", size);
  put(block, 124, number);
  put(block, 136, "00000000011");
  block[156] = (unsigned char)type;
  put_bytes(block, 257, "ustar\00000", 8);
  seal(block);
  a->len += 512;
  return block;
}

static void add_data(struct archive *a, const void *data, size_t len)
{
  size_t padded = (len + 511) / 512 * 512;

  assert_true(a->len + padded <= sizeof(a->bytes));
  memset(a->bytes + a->len, 0, padded);
  memcpy(a->bytes + a->len, data, len);
  a->len += padded;
}

static void add(struct archive *a, const char *name, char type, const char *data)
{
  (void)add_header(a, name, type, strlen(data));
  add_data(a, data, strlen(data));
}

static void add_end(struct archive *a)
{
  memset(a->bytes + a->len, 0, 1024);
  a->len += 1024;
}

/* Reads the archive cut into pieces of `step` bytes. */
static int read_cut(const struct archive *a, size_t step, struct recorder *rec,
                    struct zl_error *err)
{
  const struct zl_tar_limits limits = { .bytes = 1 << 20, .entries = 100 };
  ZL_CLEANUP(zl_tar_freep) struct zl_tar *tar = NULL;

  assert_int_equal(zl_tar_new(&limits, &recorder_ops, rec, &tar, err), 0);
  for (size_t at = 0; at < a->len; at += step) {
    size_t n = a->len - at < step ? a->len - at : step;
    int r = zl_tar_feed(tar, a->bytes + at, n, err);

    if (r < 0)
      return r;
  }
  return zl_tar_finish(tar, err);
}

static const size_t steps[] = { 1, 7, 511, 512, 513, 4096, sizeof(((struct archive *)0)->bytes) };

static void expect_text(const struct archive *a, const char *wanted)
{
  for (size_t i = 0; i < ZL_COUNT(steps); i++) {
    struct recorder rec = { .text = ZL_BUF_INIT(1 << 20) };
    struct zl_error err = { 0 };

    if (read_cut(a, steps[i], &rec, &err) < 0)
      fail_msg("cut at %zu: %s", steps[i], err.msg);
    assert_true(rec.finished);
    assert_string_equal(rec.text.data != NULL ? rec.text.data : "", wanted);
    zl_buf_done(&rec.text);
  }
}

static void expect_failure(const struct archive *a, enum zl_code code, const char *says)
{
  for (size_t i = 0; i < ZL_COUNT(steps); i++) {
    struct recorder rec = { .text = ZL_BUF_INIT(1 << 20) };
    struct zl_error err = { 0 };

    assert_int_equal(read_cut(a, steps[i], &rec, &err), -(int)code);
    if (strstr(err.msg, says) == NULL)
      fail_msg("'%s' is not in '%s'", says, err.msg);
    assert_false(rec.finished);
    zl_buf_done(&rec.text);
  }
}

static void reads_all_types(void **state)
{
  struct archive a = { .len = 0 };
  unsigned char *h;

  (void)state;
  add(&a, "f", '0', "hello");
  add(&a, "old", '\0', "x");
  add(&a, "contiguous", '7', "y");
  h = add_header(&a, "h", '1', 0);
  put(h, 157, "f");
  seal(h);
  h = add_header(&a, "s", '2', 0);
  put(h, 157, "/to");
  seal(h);
  h = add_header(&a, "c", '3', 0);
  put(h, 329, "0000005");
  put(h, 337, "0000001");
  seal(h);
  (void)add_header(&a, "d", '5', 0);
  (void)add_header(&a, "olddir/", '\0', 0);
  (void)add_header(&a, "p", '6', 0);
  add_end(&a);
  expect_text(&a, "file f> 5 644 1:2 @9.0 0,0 0+hello\n"
                  "file old> 1 644 1:2 @9.0 0,0 0+x\n"
                  "file contiguous> 1 644 1:2 @9.0 0,0 0+y\n"
                  "hard h>f 0 644 1:2 @9.0 0,0\n"
                  "sym s>/to 0 644 1:2 @9.0 0,0\n"
                  "char c> 0 644 1:2 @9.0 5,1\n"
                  "dir d> 0 644 1:2 @9.0 0,0\n"
                  "dir olddir/> 0 644 1:2 @9.0 0,0\n"
                  "fifo p> 0 644 1:2 @9.0 0,0\n");
}

static void joins_prefixes(void **state)
{
  struct archive a = { .len = 0 };
  unsigned char *h;

  (void)state;
  h = add_header(&a, "name", '0', 0);
  put(h, 345, "a/prefix");
  seal(h);
  h = add_header(&a, "gnu", '0', 0); /* has other things there */
  put_bytes(h, 257, "ustar  \0", 8);
  put(h, 345, "12345670");
  seal(h);
  add_end(&a);
  expect_text(&a, "file a/prefix/name> 0 644 1:2 @9.0 0,0\n"
                  "file gnu> 0 644 1:2 @9.0 0,0\n");
}

static void lays_pax_over_headers(void **state)
{
  struct archive a = { .len = 0 };

  (void)state;
  add(&a, "g", 'g', "10 uid=42\n11 mtime=5\n");
  add(&a, "x", 'x', "12 path=new\n14 mtime=-1.5\n11 uid=777\n27 SCHILY.xattr.user.k=v\nw\n");
  add(&a, "f", '0', "data");
  add(&a, "plain", '0', "");
  add_end(&a);
  expect_text(&a, "file new> 4 644 777:2 @-2.500000000 0,0 user.k=v\nw 0+data\n"
                  "file plain> 0 644 42:2 @5.0 0,0\n");
}

static void gnu_long_names_win(void **state)
{
  struct archive a = { .len = 0 };

  (void)state;
  (void)add_header(&a, "L", 'L', 5);
  add_data(&a, "long\0", 5);
  add(&a, "x", 'x', "12 path=pax\n16 linkpath=pax\n");
  (void)add_header(&a, "K", 'K', 3);
  add_data(&a, "to\0", 3);
  (void)add_header(&a, "short", '2', 0);
  (void)add_header(&a, "next", '0', 0);
  add_end(&a);
  expect_text(&a, "sym long>to 0 644 1:2 @9.0 0,0\nfile next> 0 644 1:2 @9.0 0,0\n");
}

static void reads_base256(void **state)
{
  struct archive a = { .len = 0 };
  unsigned char *h;

  (void)state;
  h = add_header(&a, "f", '0', 0);
  put_bytes(h, 108, "\x80\0\0\0\xff\xff\xff\xfe", 8);
  put_bytes(h, 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
  seal(h);
  add_end(&a);
  expect_text(&a, "file f> 0 644 4294967294:2 @-1.0 0,0\n");
  put_bytes(h, 108, "\x80\0\0\0\xff\xff\xff\xff", 8);
  seal(h);
  expect_failure(&a, ZL_E_CORRUPT, "uid");
  put_bytes(h, 108, "0000001", 8);
  put_bytes(h, 136, "\x80\x01\0\0\0\0\0\0\0\0\0\0", 12);
  seal(h);
  expect_failure(&a, ZL_E_CORRUPT, "mtime");
}

static void reads_sparse_files(void **state)
{
  struct archive a = { .len = 0 };
  unsigned char *h;

  (void)state;
  h = add_header(&a, "old", 'S', 8);
  put_bytes(h, 257, "ustar  \0", 8);
  put(h, 386, "00000000000");
  put(h, 398, "00000000003");
  put(h, 410, "00000001000");
  put(h, 422, "00000000005");
  put(h, 483, "00000010000");
  seal(h);
  add_data(&a, "abcdefgh", 8);
  add(&a, "x", 'x',
      "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
      "21 GNU.sparse.name=v\n28 GNU.sparse.realsize=9000\n");
  (void)add_header(&a, "GNUSparseFile.0/v", '0', 512 + 4);
  add_data(&a, "2\n0\n1\n8000\n3\n", 13);
  add_data(&a, "ABCD", 4);
  add(&a, "x", 'x', "22 GNU.sparse.size=10\n26 GNU.sparse.map=1,1,5,2\n");
  add(&a, "w", '0', "xyz");
  add_end(&a);
  expect_text(&a, "file old> 4096 644 1:2 @9.0 0,0 0+abc 512+defgh\n"
                  "file v> 9000 644 1:2 @9.0 0,0 0+A 8000+BCD\n"
                  "file w> 10 644 1:2 @9.0 0,0 1+x 5+yz\n");
}

static void refuses_hard_links_with_content(void **state)
{
  struct archive a = { .len = 0 };
  unsigned char *h = add_header(&a, "h", '1', 5);

  (void)state;
  put(h, 157, "f");
  seal(h);
  add_data(&a, "hello", 5);
  add_end(&a);
  expect_failure(&a, ZL_E_CORRUPT, "hard link");
}

static void enforces_limits(void **state)
{
  struct archive a = { .len = 0 };

  (void)state;
  for (int i = 0; i < 101; i++)
    (void)add_header(&a, "f", '0', 0);
  expect_failure(&a, ZL_E_LIMIT, "100 members");
  a.len = 0;
  (void)add_header(&a, "f", '0', (1 << 20) + 1);
  expect_failure(&a, ZL_E_LIMIT, "bytes");
}

/* Every prefix of an archive is either whole members or refused, and never crashes. */
static void refuses_every_truncation(void **state)
{
  static const size_t whole[] = { 0, 1024, 1536, 2048, 2560 };
  struct archive a = { .len = 0 };

  (void)state;
  add(&a, "f", '0', "0123456789");
  (void)add_header(&a, "e", '0', 0);
  (void)add_header(&a, "d", '5', 0);
  add_end(&a);
  for (size_t len = a.len; len-- > 0;) {
    struct archive cut = a;
    struct recorder rec = { .text = ZL_BUF_INIT(1 << 20) };
    struct zl_error err = { 0 };
    bool fine = false;

    for (size_t i = 0; i < ZL_COUNT(whole); i++)
      fine = fine || len == whole[i];
    cut.len = len;
    assert_int_equal(read_cut(&cut, 512, &rec, &err) == 0, fine);
    zl_buf_done(&rec.text);
  }
}

static void cleans_paths(void **state)
{
  static const struct {
    const char *raw, *clean;
    bool climbs;
  } cases[] = {
    { "a", "a", false },
    { "/a/b", "a/b", false },
    { "./a//./b/", "a/b", false },
    { ".", "", false },
    { "/", "", false },
    { "..", "", true },
    { "../../a", "a", true },
    { "a/..", "", true },
    { "a/../b", "b", true },
    { "a/b/../../c", "c", true },
    { "a/b/../c", "a/c", true },
    { "...", "...", false },
    { "..a/.b", "..a/.b", false },
    { "a/../../../b", "b", true },
  };
  char out[ZL_LAYER_PATH];
  char deep[2 * (ZL_MAX_LAYER_DEPTH + 1) + 1] = "";
  const size_t limit = ZL_MAX_LAYER_DEPTH;
  bool climbs;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    assert_int_equal(zl_layer_path_clean(cases[i].raw, out, &climbs, NULL), 0);
    assert_string_equal(out, cases[i].clean);
    assert_int_equal(climbs, cases[i].climbs);
  }
  for (size_t i = 0; i <= limit; i++)
    put_bytes((unsigned char *)deep, 2 * i, "a/", 3);
  assert_int_equal(zl_layer_path_clean(deep, out, NULL, NULL), -ZL_E_LIMIT);
  deep[2 * limit] = '\0';
  assert_int_equal(zl_layer_path_clean(deep, out, NULL, NULL), 0);
}

static void notes_survive_any_name(void **state)
{
  static const char *const bad[] = { "d\n",   "x a\n",     "d a",     "d a b\n",
                                     "l a\n", "d %0\n",    "d %00\n", "d a/../b\n",
                                     "d \n",  "l a b c\n", "d %zz\n" };
  zl_autobuf text = ZL_BUF_INIT(1 << 20);
  struct zl_note note;
  const char *p;

  (void)state;
  assert_int_equal(zl_note_write(&text, 'l', "a b\n%\xff", "t\x01", NULL), 0);
  assert_int_equal(zl_note_write(&text, 'o', "", NULL, NULL), 0);
  assert_string_equal(text.data, "l a%20b%0A%25%FF t%01\no .\n");
  p = text.data;
  assert_int_equal(zl_note_read(&p, &note, NULL), 1);
  assert_string_equal(note.path, "a b\n%\xff");
  assert_string_equal(note.target, "t\x01");
  assert_int_equal(zl_note_read(&p, &note, NULL), 1);
  assert_int_equal(note.kind, 'o');
  assert_string_equal(note.path, "");
  assert_int_equal(zl_note_read(&p, &note, NULL), 0);
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    p = bad[i];
    assert_int_equal(zl_note_read(&p, &note, NULL), -ZL_E_CORRUPT);
  }
}

static void path_sets_forget_and_remember(void **state)
{
  struct zl_path_set set = { 0 };
  char name[32];

  (void)state;
  zl_path_set_drop(&set, "nothing");
  for (int i = 0; i < 1000; i++) {
    (void)snprintf(name, sizeof(name), "dir/%d", i % 500);
    assert_int_equal(zl_path_set_add(&set, name, NULL), 0);
  }
  assert_int_equal(set.n, 500);
  zl_path_set_drop(&set, "dir/499");
  assert_true(set.dropped[499]);
  assert_int_equal(zl_path_set_add(&set, "dir/499", NULL), 0);
  assert_false(set.dropped[499]);
  zl_path_set_done(&set);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_all_types),
    cmocka_unit_test(joins_prefixes),
    cmocka_unit_test(lays_pax_over_headers),
    cmocka_unit_test(gnu_long_names_win),
    cmocka_unit_test(reads_base256),
    cmocka_unit_test(reads_sparse_files),
    cmocka_unit_test(refuses_hard_links_with_content),
    cmocka_unit_test(enforces_limits),
    cmocka_unit_test(refuses_every_truncation),
    cmocka_unit_test(cleans_paths),
    cmocka_unit_test(notes_survive_any_name),
    cmocka_unit_test(path_sets_forget_and_remember),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
