/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/attributes.h"

#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "image/layer/layer_path.h"
#include "image/layer/pax.h"
#include "image/windows/descriptor.h"
#include "image/windows/ea.h"
#include "image/windows/path.h"

static const char ea_prefix[] = "MSWINDOWS.xattr.";

void zl_win_attributes_init(struct zl_win_attributes *a)
{
  *a = (struct zl_win_attributes){ .security = ZL_BUF_INIT(ZL_WIN_MAX_DESCRIPTOR),
                                   .ea = ZL_BUF_INIT(ZL_WIN_MAX_EA) };
}

void zl_win_attributes_done(struct zl_win_attributes *a)
{
  zl_buf_done(&a->security);
  zl_buf_done(&a->ea);
}

static int bad(const struct zl_layer_entry *e, const struct zl_layer_record *rec, const char *why,
               struct zl_error *err)
{
  char path[ZL_LAYER_QUOTE], key[ZL_LAYER_QUOTE];

  return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': %s: %s", zl_layer_quote(e->path, path),
                 zl_layer_quote(rec->key, key), why);
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* From 1601 on, as far as 63 bits go; 0 would mean "as it is" to Windows. */
static bool file_time(int64_t seconds, uint32_t ns, int64_t *ret)
{
  const int64_t epoch = INT64_C(11644473600), unit = 10000000;

  if (seconds < -epoch || seconds > INT64_MAX / unit - epoch - 1)
    return false;
  *ret = (seconds + epoch) * unit + ns / 100;
  return *ret > 0;
}

static int take_time(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                     int64_t *ret, struct zl_error *err)
{
  int64_t seconds = 0;
  uint32_t ns = 0;

  if (rec->len == 0)
    return 0;
  if (!zl_pax_time(rec->value, rec->len, &seconds, &ns) || !file_time(seconds, ns, ret))
    return bad(e, rec, "no time that Windows has", err);
  return 0;
}

/* ---- Records --------------------------------------------------------------------------------- */

/* All four digits of a group are there: what others leave out, they also read differently. */
static char *decode(const struct zl_layer_record *rec, size_t *ret_len)
{
  if (rec->len == 0 || rec->len % 4 != 0 || strlen(rec->value) != rec->len)
    return NULL;
  return zl_base64_decode(rec->value, ret_len);
}

static int take_descriptor(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                           struct zl_win_attributes *a, struct zl_error *err)
{
  size_t len = 0;
  zl_autofree char *data = NULL;

  if (rec->len > (size_t)2 * ZL_WIN_MAX_DESCRIPTOR)
    return bad(e, rec, "a security descriptor that is too large", err);
  data = decode(rec, &len);
  if (data == NULL)
    return bad(e, rec, "not base64", err);
  if (!zl_win_descriptor_is_valid(data, len))
    return bad(e, rec, "no self-relative security descriptor", err);
  zl_buf_clear(&a->security);
  return zl_buf_append(&a->security, data, len, err);
}

static int take_sddl(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                     struct zl_win_attributes *a, struct zl_error *err)
{
  if (rec->len == 0 || rec->len > ZL_WIN_MAX_DESCRIPTOR)
    return bad(e, rec, "empty or too long", err);
  for (size_t i = 0; i < rec->len; i++)
    if (rec->value[i] < ' ' || rec->value[i] > '~')
      return bad(e, rec, "a character that the descriptor language does not have", err);
  a->sddl = rec->value;
  return 0;
}

static int take_flags(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                      uint32_t *ret, struct zl_error *err)
{
  uint64_t value = 0;

  if (!zl_pax_number(rec->value, rec->len, &value) || value > UINT32_MAX)
    return bad(e, rec, "no number of 32 bits", err);
  *ret = (uint32_t)value;
  return 0;
}

static int take_ea(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                   struct zl_win_attributes *a, struct zl_error *err)
{
  const char *name = rec->key + strlen(ea_prefix), *fault;
  size_t len = 0;
  zl_autofree char *value = rec->len == 0 ? calloc(1, 1) : decode(rec, &len);

  if (value == NULL)
    return bad(e, rec, "not base64", err);
  fault = zl_win_ea_add(&a->ea, name, value, len);
  return fault == NULL ? 0 : bad(e, rec, fault, err);
}

static int take_record(const struct zl_layer_entry *e, const struct zl_layer_record *rec,
                       struct zl_win_attributes *a, uint32_t *flags, struct zl_error *err)
{
  if (strcmp(rec->key, "MSWINDOWS.fileattr") == 0)
    return take_flags(e, rec, flags, err);
  if (strcmp(rec->key, "MSWINDOWS.rawsd") == 0)
    return take_descriptor(e, rec, a, err);
  if (strcmp(rec->key, "MSWINDOWS.sd") == 0)
    return take_sddl(e, rec, a, err);
  if (strcmp(rec->key, "MSWINDOWS.mountpoint") == 0) {
    a->mount_point = strcmp(rec->value, "1") == 0 && rec->len == 1;
    return a->mount_point ? 0 : bad(e, rec, "a value other than 1", err);
  }
  if (strcmp(rec->key, "LIBARCHIVE.creationtime") == 0)
    return take_time(e, rec, &a->basic.created, err);
  if (strcmp(rec->key, "atime") == 0)
    return take_time(e, rec, &a->basic.accessed, err);
  if (strcmp(rec->key, "ctime") == 0)
    return take_time(e, rec, &a->basic.changed, err);
  if (zl_has_prefix(rec->key, ea_prefix))
    return take_ea(e, rec, a, err);
  return bad(e, rec, "an unknown property of Windows files", err);
}

/* ---- All together ---------------------------------------------------------------------------- */

/* What the type of the member says, and its attributes may not contradict. */
static const char *flags_fault(const struct zl_layer_entry *e, uint32_t flags, bool given)
{
  bool directory = (flags & ZL_WIN_DIRECTORY) != 0;

  if ((flags & ZL_WIN_DEVICE) != 0)
    return "the attributes of a device";
  if (e->type == ZL_LAYER_FILE && (flags & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT)) != 0)
    return "a file with the attributes of a directory or a link";
  if (e->type == ZL_LAYER_DIR && given && !directory)
    return "a directory without the attribute of one";
  if (e->type == ZL_LAYER_DIR && (flags & ZL_WIN_REPARSE_POINT) != 0)
    return "a directory that is a reparse point without its data";
  return NULL;
}

/* What is not said is what programs assume. */
static int complete(const struct zl_layer_entry *e, struct zl_win_attributes *a,
                    struct zl_error *err)
{
  struct zl_win_basic *b = &a->basic;

  if (!file_time(e->mtime_s, e->mtime_ns, &b->written))
    return zl_win_refuse(e->path, "a time that Windows does not have", err);
  b->created = b->created != 0 ? b->created : b->written;
  b->accessed = b->accessed != 0 ? b->accessed : b->written;
  b->changed = b->changed != 0 ? b->changed : b->written;
  if (e->type == ZL_LAYER_DIR || a->mount_point)
    b->attributes |= ZL_WIN_DIRECTORY;
  if (e->type == ZL_LAYER_SYMLINK)
    b->attributes |= ZL_WIN_REPARSE_POINT;
  if (a->mount_point && e->type != ZL_LAYER_SYMLINK)
    return zl_win_refuse(e->path, "a mount point that is not a link", err);
  if (a->security.len > 0)
    a->sddl = NULL; /* the older way to say the same */
  return zl_win_ea_end(&a->ea, err);
}

int zl_win_attributes_read(const struct zl_layer_entry *e, struct zl_win_attributes *a,
                           struct zl_error *err)
{
  static const struct zl_layer_windows nothing;
  const struct zl_layer_windows *w = e->windows != NULL ? e->windows : &nothing;
  uint32_t flags = 0;
  bool given = false;
  const char *fault;

  zl_buf_clear(&a->security);
  zl_buf_clear(&a->ea);
  a->sddl = NULL;
  a->mount_point = false;
  a->basic = (struct zl_win_basic){ 0 };
  if (w->more)
    return zl_win_refuse(e->path, "too many properties of Windows", err);
  for (size_t i = 0; i < w->n_records; i++) {
    int r = take_record(e, &w->records[i], a, &flags, err);

    if (r < 0)
      return r;
    given = given || strcmp(w->records[i].key, "MSWINDOWS.fileattr") == 0;
  }
  fault = flags_fault(e, flags, given);
  if (fault != NULL)
    return zl_win_refuse(e->path, fault, err);
  a->basic.attributes = flags;
  return complete(e, a, err);
}
