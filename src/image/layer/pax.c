/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pax.h"

#include <string.h>

enum {
  MAX_XATTR_NAME = 255
};

struct record {
  const char *key;
  const char *value; /* NUL-terminated; may hold NULs when it is an attribute */
  size_t len;        /* of the value */
};

bool zl_pax_number(const char *text, size_t len, uint64_t *ret)
{
  uint64_t value = 0;

  if (len == 0 || len > 19)
    return false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    value = value * 10 + (uint64_t)(text[i] - '0');
  }
  if (value > INT64_MAX)
    return false;
  *ret = value;
  return true;
}

static int bad_value(const struct record *rec, struct zl_error *err)
{
  return zl_fail(err, ZL_E_CORRUPT, 0, "PAX record '%.64s' has a bad value", rec->key);
}

/* Cuts one record off *text. Its length counts its own digits, the blank and the line end; a wrong
 * one would let the same bytes be read as other records. */
static int next_record(char **text, size_t *left, struct record *ret, struct zl_error *err)
{
  char *blank = memchr(*text, ' ', *left < 20 ? *left : 20);
  size_t head = blank != NULL ? (size_t)(blank - *text) : 0;
  uint64_t len = 0;
  char *end, *equals;

  if (blank == NULL || !zl_pax_number(*text, head, &len) || len > *left || len < head + 4)
    return zl_fail(err, ZL_E_CORRUPT, 0, "PAX header with a wrong record length");
  end = *text + len - 1;
  equals = memchr(blank + 1, '=', (size_t)(end - blank - 1));
  if (*end != '\n' || equals == NULL || equals == blank + 1)
    return zl_fail(err, ZL_E_CORRUPT, 0, "PAX record without key, '=' or line end");
  if (memchr(blank + 1, '\0', (size_t)(equals - blank - 1)) != NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "PAX record with a NUL in its key");
  *equals = '\0';
  *end = '\0';
  *ret =
      (struct record){ .key = blank + 1, .value = equals + 1, .len = (size_t)(end - equals - 1) };
  *text = end + 1;
  *left -= len;
  return 0;
}

/* An empty value takes the record back, as POSIX has it. */
static int take_text(const struct record *rec, const char **ret, struct zl_error *err)
{
  if (strlen(rec->value) != rec->len)
    return bad_value(rec, err);
  *ret = rec->len > 0 ? rec->value : NULL;
  return 0;
}

static int take_number(const struct record *rec, bool *ret_has, uint64_t *ret, struct zl_error *err)
{
  *ret_has = rec->len > 0;
  if (rec->len > 0 && !zl_pax_number(rec->value, rec->len, ret))
    return bad_value(rec, err);
  return 0;
}

static int take_id(const struct record *rec, bool *ret_has, uint32_t *ret, struct zl_error *err)
{
  uint64_t value = 0;
  int r = take_number(rec, ret_has, &value, err);

  if (r < 0 || value >= UINT32_MAX)
    return r < 0 ? r : bad_value(rec, err);
  *ret = (uint32_t)value;
  return 0;
}

/* The fraction counts away from zero, so it is turned round for a time before 1970. */
bool zl_pax_time(const char *text, size_t len, int64_t *ret_s, uint32_t *ret_ns)
{
  bool negative = len > 0 && text[0] == '-';
  const char *digits = text + negative, *point = memchr(text, '.', len), *end = text + len;
  size_t whole = (size_t)((point != NULL ? point : end) - digits);
  uint64_t seconds = 0;
  uint32_t ns = 0, unit = 100000000;

  if (!zl_pax_number(digits, whole, &seconds))
    return false;
  for (const char *p = digits + whole + 1; p < end; p++, unit /= 10) {
    if (*p < '0' || *p > '9')
      return false;
    ns += unit * (uint32_t)(*p - '0');
  }
  *ret_s = negative ? -(int64_t)seconds - (ns > 0) : (int64_t)seconds;
  *ret_ns = negative && ns > 0 ? 1000000000 - ns : ns;
  return true;
}

static int take_time(const struct record *rec, struct zl_pax *pax, struct zl_error *err)
{
  pax->has_mtime = rec->len > 0;
  if (rec->len > 0 && !zl_pax_time(rec->value, rec->len, &pax->mtime_s, &pax->mtime_ns))
    return bad_value(rec, err);
  return 0;
}

static int take_xattr(const struct record *rec, const char *name, struct zl_pax *pax,
                      struct zl_error *err)
{
  size_t len = strlen(name), at = 0;

  if (len == 0 || len > MAX_XATTR_NAME)
    return zl_fail(err, ZL_E_CORRUPT, 0, "extended attribute with a name of %zu bytes", len);
  if (rec->len > ZL_MAX_XATTR_VALUE)
    return zl_fail(err, ZL_E_LIMIT, 0, "extended attribute '%.64s' of %zu bytes", name, rec->len);
  while (at < pax->n_xattrs && strcmp(pax->xattrs[at].name, name) != 0)
    at++;
  if (at == ZL_MAX_TAR_XATTRS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d extended attributes", ZL_MAX_TAR_XATTRS);
  pax->xattrs[at] = (struct zl_layer_xattr){ .name = name, .value = rec->value, .len = rec->len };
  if (at == pax->n_xattrs)
    pax->n_xattrs++;
  return 0;
}

/* 0.0 repeats a pair of records for each segment. */
static int take_segment(const struct record *rec, bool is_offset, struct zl_pax *pax,
                        struct zl_sparse *map, struct zl_error *err)
{
  uint64_t value;

  if (pax->has_sparse_offset == is_offset || !zl_pax_number(rec->value, rec->len, &value))
    return bad_value(rec, err);
  pax->has_sparse_offset = is_offset;
  pax->sparse_in_header = true;
  if (!is_offset)
    return zl_sparse_add(map, pax->sparse_offset, value, err);
  pax->sparse_offset = value;
  return 0;
}

static int take_sparse(const struct record *rec, const char *key, struct zl_pax *pax,
                       struct zl_sparse *map, struct zl_error *err)
{
  if (strcmp(key, "name") == 0)
    return take_text(rec, &pax->sparse_name, err);
  if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0)
    return take_number(rec, &pax->has_sparse_size, &pax->sparse_size, err);
  if (strcmp(key, "major") == 0)
    return take_number(rec, &pax->has_sparse_major, &pax->sparse_major, err);
  if (strcmp(key, "minor") == 0)
    return take_number(rec, &pax->has_sparse_minor, &pax->sparse_minor, err);
  if (strcmp(key, "offset") == 0 || strcmp(key, "numbytes") == 0)
    return take_segment(rec, key[0] == 'o', pax, map, err);
  if (strcmp(key, "map") == 0) {
    if (pax->sparse_in_header || strlen(rec->value) != rec->len)
      return bad_value(rec, err);
    pax->sparse_in_header = true;
    return zl_sparse_add_text(map, rec->value, err);
  }
  return 0; /* numblocks says nothing that the map does not */
}

/* The text after `prefix`, or NULL. */
static const char *after(const char *key, const char *prefix)
{
  size_t len = strlen(prefix);

  return strncmp(key, prefix, len) == 0 ? key + len : NULL;
}

/* Whether somebody else may want the record: nothing is said about its value yet. */
static bool is_windows(const char *key)
{
  return after(key, "MSWINDOWS.") != NULL || strcmp(key, "LIBARCHIVE.creationtime") == 0 ||
         strcmp(key, "atime") == 0 || strcmp(key, "ctime") == 0;
}

static void keep_windows(const struct record *rec, struct zl_layer_windows *windows)
{
  if (windows->n_records == ZL_MAX_WINDOWS_RECORDS)
    windows->more = true;
  else
    windows->records[windows->n_records++] =
        (struct zl_layer_record){ .key = rec->key, .value = rec->value, .len = rec->len };
}

/* Owner and time: what both kinds of header may set. Returns 1 when it was one of them. */
static int take_common(const struct record *rec, struct zl_pax *pax, struct zl_error *err)
{
  int r;

  if (strcmp(rec->key, "uid") == 0)
    r = take_id(rec, &pax->has_uid, &pax->uid, err);
  else if (strcmp(rec->key, "gid") == 0)
    r = take_id(rec, &pax->has_gid, &pax->gid, err);
  else if (strcmp(rec->key, "mtime") == 0)
    r = take_time(rec, pax, err);
  else
    return 0;
  return r < 0 ? r : 1;
}

/* Unknown keys (comments, character sets, other vendors') are skipped. */
static int take_local(const struct record *rec, struct zl_pax *pax, struct zl_sparse *map,
                      struct zl_layer_windows *windows, struct zl_error *err)
{
  int r = take_common(rec, pax, err);
  const char *rest;

  if (r != 0)
    return r < 0 ? r : 0;
  if (strcmp(rec->key, "path") == 0)
    return take_text(rec, &pax->path, err);
  if (strcmp(rec->key, "linkpath") == 0)
    return take_text(rec, &pax->link, err);
  if (strcmp(rec->key, "size") == 0)
    return take_number(rec, &pax->has_size, &pax->size, err);
  rest = after(rec->key, "SCHILY.xattr.");
  if (rest != NULL)
    return take_xattr(rec, rest, pax, err);
  if (is_windows(rec->key))
    keep_windows(rec, windows);
  rest = after(rec->key, "GNU.sparse.");
  return rest != NULL ? take_sparse(rec, rest, pax, map, err) : 0;
}

int zl_pax_parse(char *text, size_t len, struct zl_pax *pax, struct zl_sparse *map,
                 struct zl_layer_windows *windows, struct zl_error *err)
{
  while (len > 0) {
    struct record rec = { 0 };
    int r = next_record(&text, &len, &rec, err);

    if (r == 0)
      r = take_local(&rec, pax, map, windows, err);
    if (r < 0)
      return r;
  }
  if (pax->has_sparse_offset)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the map of a sparse file ends within a pair");
  return 0;
}

int zl_pax_parse_global(char *text, size_t len, struct zl_pax *pax, struct zl_error *err)
{
  while (len > 0) {
    struct record rec = { 0 };
    int r = next_record(&text, &len, &rec, err);

    if (r == 0)
      r = take_common(&rec, pax, err);
    if (r < 0)
      return r;
    if (strcmp(rec.key, "path") == 0 || strcmp(rec.key, "linkpath") == 0 ||
        strcmp(rec.key, "size") == 0 || after(rec.key, "GNU.sparse.") != NULL ||
        after(rec.key, "SCHILY.xattr.") != NULL)
      return zl_fail(err, ZL_E_CORRUPT, 0, "global PAX header sets '%.64s' for every member",
                     rec.key);
  }
  return 0;
}
