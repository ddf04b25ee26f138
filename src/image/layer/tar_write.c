/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_write.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

enum {
  BLOCK = 512,
  NARROW = 7, /* octal digits of a field, before its NUL */
  WIDE = 11,
  MAX_DIGITS = 20
};

/* A header of ustar. */
struct header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
  char magic[8], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

size_t zl_tar_padding(uint64_t size)
{
  return (size_t)(-size % BLOCK);
}

/* ---- What a field can hold ------------------------------------------------------------------- */

static bool fits_text(const char *text, size_t field)
{
  return strlen(text) <= field;
}

static bool fits_number(uint64_t value, unsigned digits)
{
  return value < UINT64_C(1) << 3 * digits;
}

static bool fits_time(const struct zl_layer_entry *e)
{
  return e->mtime_s >= 0 && e->mtime_ns == 0 && fits_number((uint64_t)e->mtime_s, WIDE);
}

/* A text that fills its field has no NUL at its end; the whole of a longer one is in a record. */
static void put_text(char *field, size_t len, const char *text)
{
  memcpy(field, text, strnlen(text, len));
}

static void put_octal(char *field, unsigned digits, uint64_t value)
{
  char text[MAX_DIGITS + 4];

  (void)snprintf(text, sizeof(text), "%0*" PRIo64, (int)digits,
                 fits_number(value, digits) ? value : 0);
  memcpy(field, text, digits);
}

static int put_header(struct zl_buf *out, char type, const char *name, uint64_t size,
                      const struct zl_layer_entry *e, struct zl_error *err)
{
  struct header h = { .magic = "ustar", .type = type };
  unsigned sum = 0;

  memcpy(h.magic + 6, "00", 2);
  put_text(h.name, sizeof(h.name), name);
  put_octal(h.mode, NARROW, e->mode & 07777);
  put_octal(h.uid, NARROW, e->uid);
  put_octal(h.gid, NARROW, e->gid);
  put_octal(h.size, WIDE, size);
  put_octal(h.mtime, WIDE, fits_time(e) ? (uint64_t)e->mtime_s : 0);
  put_text(h.link, sizeof(h.link), e->link);
  put_octal(h.major, NARROW, e->major);
  put_octal(h.minor, NARROW, e->minor);
  memset(h.sum, ' ', sizeof(h.sum));
  for (size_t i = 0; i < sizeof(h); i++)
    sum += ((const unsigned char *)&h)[i];
  (void)snprintf(h.sum, sizeof(h.sum), "%06o", sum);
  return zl_buf_append(out, &h, sizeof(h), err);
}

/* ---- What only a record can hold ------------------------------------------------------------- */

static size_t digits_of(size_t n)
{
  size_t digits = 1;

  for (; n > 9; n /= 10)
    digits++;
  return digits;
}

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static int put_record(struct zl_buf *out, const char *key, const char *suffix, const void *value,
                      size_t len, struct zl_error *err)
{
  size_t rest = strlen(key) + strlen(suffix) + len + 3, total = rest + digits_of(rest);
  int r;

  total = rest + digits_of(total);
  r = zl_buf_printf(out, err, "%zu %s%s=", total, key, suffix);
  if (r == 0)
    r = zl_buf_append(out, value, len, err);
  return r < 0 ? r : zl_buf_append(out, "\n", 1, err);
}

static int record_text(struct zl_buf *out, const char *key, const char *text, size_t field,
                       struct zl_error *err)
{
  return fits_text(text, field) ? 0 : put_record(out, key, "", text, strlen(text), err);
}

static int record_number(struct zl_buf *out, const char *key, uint64_t value, unsigned digits,
                         struct zl_error *err)
{
  char text[MAX_DIGITS + 1];
  int n = snprintf(text, sizeof(text), "%" PRIu64, value);

  return fits_number(value, digits) ? 0 : put_record(out, key, "", text, (size_t)n, err);
}

/* The fraction counts away from zero. */
static int record_time(struct zl_buf *out, const struct zl_layer_entry *e, struct zl_error *err)
{
  const bool negative = e->mtime_s < 0;
  uint64_t whole = negative ? -(uint64_t)e->mtime_s - (e->mtime_ns > 0) : (uint64_t)e->mtime_s;
  char text[MAX_DIGITS + 16];
  int n;

  if (fits_time(e))
    return 0;
  n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu32, negative ? "-" : "", whole,
               negative && e->mtime_ns > 0 ? 1000000000 - e->mtime_ns : e->mtime_ns);
  return put_record(out, "mtime", "", text, (size_t)n, err);
}

static int put_records(struct zl_buf *out, const struct zl_layer_entry *e, struct zl_error *err)
{
  const struct header *h = NULL;
  int r = record_text(out, "path", e->path, sizeof(h->name), err);

  if (r == 0)
    r = record_text(out, "linkpath", e->link, sizeof(h->link), err);
  if (r == 0)
    r = record_number(out, "uid", e->uid, NARROW, err);
  if (r == 0)
    r = record_number(out, "gid", e->gid, NARROW, err);
  if (r == 0)
    r = record_time(out, e, err);
  if (r == 0)
    r = record_number(out, "size", e->size, WIDE, err);
  for (size_t i = 0; i < e->n_xattrs && r == 0; i++)
    r = put_record(out, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len,
                   err);
  return r;
}

int zl_tar_write_entry(struct zl_buf *out, const struct zl_layer_entry *e, struct zl_error *err)
{
  static const char types[] = {
    [ZL_LAYER_FILE] = '0', [ZL_LAYER_HARDLINK] = '1', [ZL_LAYER_SYMLINK] = '2',
    [ZL_LAYER_CHAR] = '3', [ZL_LAYER_BLOCK] = '4',    [ZL_LAYER_DIR] = '5',
    [ZL_LAYER_FIFO] = '6'
  };
  static const struct zl_layer_entry plain = { .link = "", .mode = 0644 };
  static const char zeros[BLOCK];
  zl_autobuf records = ZL_BUF_INIT((size_t)ZL_MAX_TAR_EXTENSION);
  int r = put_records(&records, e, err);

  if (r == 0 && records.len > 0) {
    r = put_header(out, 'x', "PaxHeader", records.len, &plain, err);
    if (r == 0)
      r = zl_buf_append(out, records.data, records.len, err);
    if (r == 0)
      r = zl_buf_append(out, zeros, zl_tar_padding(records.len), err);
  }
  return r < 0 ? r : put_header(out, types[e->type], e->path, e->size, e, err);
}
