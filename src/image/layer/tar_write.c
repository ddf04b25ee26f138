/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

enum {
  BLOCK = 512,
  MAX_DIGITS = 20
};

/* A header of ustar; what does not fit into its fields is in the PAX records before it. */
struct header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
  char magic[8], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

size_t zl_tar_padding(uint64_t size)
{
  return (size_t)(-size % BLOCK);
}

static int put_header(struct zl_buf *out, const char *name, char type, uint64_t size,
                      const struct zl_layer_entry *e, struct zl_error *err)
{
  struct header h = { .magic = "ustar", .type = type };
  unsigned sum = 0;

  memcpy(h.magic + 6, "00", 2);
  (void)snprintf(h.name, sizeof(h.name), "%s", name);
  (void)snprintf(h.mode, sizeof(h.mode), "%07o", e->mode & 07777);
  (void)snprintf(h.uid, sizeof(h.uid), "%07o", 0);
  (void)snprintf(h.gid, sizeof(h.gid), "%07o", 0);
  if (size < UINT64_C(1) << 33)
    (void)snprintf(h.size, sizeof(h.size), "%011" PRIo64, size);
  (void)snprintf(h.major, sizeof(h.major), "%07o", e->major);
  (void)snprintf(h.minor, sizeof(h.minor), "%07o", e->minor);
  memset(h.sum, ' ', sizeof(h.sum));
  for (size_t i = 0; i < sizeof(h); i++)
    sum += ((const unsigned char *)&h)[i];
  (void)snprintf(h.sum, sizeof(h.sum), "%06o", sum);
  return zl_buf_append(out, &h, sizeof(h), err);
}

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

static int put_number(struct zl_buf *out, const char *key, uint64_t value, struct zl_error *err)
{
  char text[MAX_DIGITS + 1];
  int n = snprintf(text, sizeof(text), "%" PRIu64, value);

  return put_record(out, key, "", text, (size_t)n, err);
}

/* The fraction counts away from zero. */
static int put_time(struct zl_buf *out, int64_t s, uint32_t ns, struct zl_error *err)
{
  bool negative = s < 0;
  uint64_t whole = negative ? -(uint64_t)s - (ns > 0) : (uint64_t)s;
  char text[MAX_DIGITS + 16];
  int n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu32, negative ? "-" : "", whole,
                   negative && ns > 0 ? 1000000000 - ns : ns);

  return put_record(out, "mtime", "", text, (size_t)n, err);
}

static int put_records(struct zl_buf *out, const struct zl_layer_entry *e, struct zl_error *err)
{
  int r = put_record(out, "path", "", e->path, strlen(e->path), err);

  if (r == 0 && *e->link != '\0')
    r = put_record(out, "linkpath", "", e->link, strlen(e->link), err);
  if (r == 0)
    r = put_number(out, "uid", e->uid, err);
  if (r == 0)
    r = put_number(out, "gid", e->gid, err);
  if (r == 0)
    r = put_time(out, e->mtime_s, e->mtime_ns, err);
  if (r == 0 && e->type == ZL_LAYER_FILE)
    r = put_number(out, "size", e->size, err);
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
  static const char zeros[BLOCK];
  zl_autobuf records = ZL_BUF_INIT((size_t)ZL_MAX_TAR_EXTENSION);
  int r = put_records(&records, e, err);

  if (r == 0)
    r = put_header(out, "pax", 'x', records.len, e, err);
  if (r == 0)
    r = zl_buf_append(out, records.data, records.len, err);
  if (r == 0)
    r = zl_buf_append(out, zeros, zl_tar_padding(records.len), err);
  return r < 0 ? r : put_header(out, "member", types[e->type], e->size, e, err);
}
