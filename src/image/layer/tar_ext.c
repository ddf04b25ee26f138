/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_ext.h"

#include <string.h>

#include "base/limits.h"

void zl_tar_ext_init(struct zl_tar_ext *ext)
{
  *ext = (struct zl_tar_ext){ 0 };
  ext->name.max = ext->link.max = ext->local.max = ext->global.max = ZL_MAX_TAR_EXTENSION;
}

void zl_tar_ext_done(struct zl_tar_ext *ext)
{
  zl_buf_done(&ext->name);
  zl_buf_done(&ext->link);
  zl_buf_done(&ext->local);
  zl_buf_done(&ext->global);
  zl_sparse_done(&ext->map);
}

/* Its records are only as good as their number. */
static void clear_windows(struct zl_layer_windows *windows)
{
  windows->n_records = 0;
  windows->more = false;
}

void zl_tar_ext_reset(struct zl_tar_ext *ext)
{
  if (ext->chain == 0)
    return;
  zl_buf_clear(&ext->name);
  zl_buf_clear(&ext->link);
  zl_buf_clear(&ext->local);
  ext->pax = (struct zl_pax){ 0 };
  clear_windows(&ext->windows);
  ext->chain = 0;
  ext->pending = false;
}

static struct zl_buf *payload_of(struct zl_tar_ext *ext, char type)
{
  switch (type) {
  case 'x':
    return &ext->local;
  case 'g':
    return &ext->global;
  case 'L':
    return &ext->name;
  case 'K':
    return &ext->link;
  default:
    return NULL;
  }
}

bool zl_tar_ext_is_type(char type)
{
  return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* A second header of one kind replaces the first, as in Go's reader. */
int zl_tar_ext_open(struct zl_tar_ext *ext, const struct zl_tar_header *header,
                    struct zl_error *err)
{
  if (header->size > ZL_MAX_TAR_EXTENSION)
    return zl_fail(err, ZL_E_LIMIT, 0, "extended header of %llu bytes, the limit is %d",
                   (unsigned long long)header->size, ZL_MAX_TAR_EXTENSION);
  if (++ext->chain > ZL_MAX_TAR_CHAIN)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d extended headers in front of one member",
                   ZL_MAX_TAR_CHAIN);
  ext->type = header->type;
  ext->pending = ext->pending || header->type != 'g';
  ext->open = payload_of(ext, header->type);
  zl_buf_clear(ext->open);
  return 0;
}

int zl_tar_ext_append(struct zl_tar_ext *ext, const void *bytes, size_t len, struct zl_error *err)
{
  return zl_buf_append(ext->open, bytes, len, err);
}

/* GNU writers end the name with a NUL and count it. */
static int close_long_name(const struct zl_buf *buf, struct zl_error *err)
{
  if (buf->len == 0 || buf->data[0] == '\0')
    return zl_fail(err, ZL_E_CORRUPT, 0, "GNU long name header without a name");
  return 0;
}

int zl_tar_ext_close(struct zl_tar_ext *ext, struct zl_error *err)
{
  struct zl_buf *buf = ext->open;

  ext->open = NULL;
  if (ext->type == 'L' || ext->type == 'K')
    return close_long_name(buf, err);
  if (ext->type == 'g')
    return zl_pax_parse_global(buf->data, buf->len, &ext->defaults, err);
  ext->pax = (struct zl_pax){ 0 };
  clear_windows(&ext->windows);
  zl_sparse_clear(&ext->map);
  return zl_pax_parse(buf->data, buf->len, &ext->pax, &ext->map, &ext->windows, err);
}

static int type_of(const struct zl_tar_header *header, enum zl_layer_type *ret,
                   struct zl_error *err)
{
  static const struct {
    char code;
    enum zl_layer_type type;
  } known[] = { { '0', ZL_LAYER_FILE }, { '\0', ZL_LAYER_FILE },    { '7', ZL_LAYER_FILE },
                { 'S', ZL_LAYER_FILE }, { '1', ZL_LAYER_HARDLINK }, { '2', ZL_LAYER_SYMLINK },
                { '3', ZL_LAYER_CHAR }, { '4', ZL_LAYER_BLOCK },    { '5', ZL_LAYER_DIR },
                { '6', ZL_LAYER_FIFO } };

  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (known[i].code == header->type) {
      *ret = known[i].type;
      return 0;
    }
  return zl_fail(err, ZL_E_CORRUPT, 0, "member of unknown type 0x%02x",
                 (unsigned)(unsigned char)header->type);
}

/* Which of the sparse forms the PAX records describe; an unknown version cannot be guessed. */
static int sparse_form(const struct zl_pax *pax, enum zl_sparse_form *ret, struct zl_error *err)
{
  bool versioned = pax->has_sparse_major || pax->has_sparse_minor;

  *ret = pax->sparse_in_header ? ZL_SPARSE_IN_HEADER : ZL_SPARSE_NONE;
  if (versioned && pax->sparse_major == 1 && pax->sparse_minor == 0 && !pax->sparse_in_header)
    *ret = ZL_SPARSE_IN_DATA;
  else if (versioned && (pax->sparse_major != 0 || pax->sparse_minor > 1))
    return zl_fail(err, ZL_E_CORRUPT, 0, "sparse file of an unknown form");
  if (*ret != ZL_SPARSE_NONE && !pax->has_sparse_size)
    return zl_fail(err, ZL_E_CORRUPT, 0, "sparse file without its size");
  return 0;
}

/* The time and owner of the member: own record, else the global one, else the header's field. */
static void apply_common(const struct zl_pax *pax, struct zl_layer_entry *e)
{
  if (pax->has_uid)
    e->uid = pax->uid;
  if (pax->has_gid)
    e->gid = pax->gid;
  if (pax->has_mtime) {
    e->mtime_s = pax->mtime_s;
    e->mtime_ns = pax->mtime_ns;
  }
}

/* Which name wins when an archive has several is what Go's reader does: GNU, sparse, PAX, header.
 */
static void apply_names(const struct zl_tar_ext *ext, const struct zl_tar_header *header,
                        bool sparse, struct zl_layer_entry *e)
{
  e->path = header->name;
  if (ext->pax.path != NULL)
    e->path = ext->pax.path;
  if (sparse && ext->pax.sparse_name != NULL)
    e->path = ext->pax.sparse_name;
  if (ext->name.len > 0)
    e->path = ext->name.data;
  e->link = ext->pax.link != NULL ? ext->pax.link : header->link;
  if (ext->link.len > 0)
    e->link = ext->link.data;
}

/* How many bytes of data follow. Only files have data; sizes of links and directories are hints of
 * old writers. A hard link with a size is read as having data by some and as having none by others.
 */
static int apply_size(const struct zl_tar_ext *ext, const struct zl_tar_header *header,
                      struct zl_layer_entry *e, uint64_t *ret_stored, struct zl_error *err)
{
  uint64_t size = ext->pax.has_size ? ext->pax.size : header->size;

  if (e->type == ZL_LAYER_HARDLINK && size != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "hard link with %llu bytes of content",
                   (unsigned long long)size);
  *ret_stored = e->type == ZL_LAYER_FILE ? size : 0;
  e->size = *ret_stored;
  return 0;
}

/* Before POSIX a directory was a file whose name ends with a slash. */
static int apply_old_directory(const struct zl_tar_header *header, struct zl_layer_entry *e,
                               struct zl_error *err)
{
  size_t len = strlen(e->path);

  if (header->type != '\0' || len == 0 || e->path[len - 1] != '/')
    return 0;
  if (e->size != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "directory with %llu bytes of content",
                   (unsigned long long)e->size);
  e->type = ZL_LAYER_DIR;
  return 0;
}

int zl_tar_ext_apply(const struct zl_tar_ext *ext, const struct zl_tar_header *header,
                     struct zl_layer_entry *ret, uint64_t *ret_stored,
                     enum zl_sparse_form *ret_sparse, struct zl_error *err)
{
  struct zl_layer_entry e = { .mode = header->mode,
                              .uid = header->uid,
                              .gid = header->gid,
                              .major = header->major,
                              .minor = header->minor,
                              .mtime_s = header->mtime,
                              .xattrs = ext->pax.xattrs,
                              .n_xattrs = ext->pax.n_xattrs,
                              .windows = ext->windows.n_records > 0 ? &ext->windows : NULL };
  enum zl_sparse_form form = ZL_SPARSE_NONE;
  int r = type_of(header, &e.type, err);

  if (r == 0 && e.type == ZL_LAYER_FILE && header->type != 'S')
    r = sparse_form(&ext->pax, &form, err);
  if (r == 0)
    r = apply_size(ext, header, &e, ret_stored, err);
  if (r < 0)
    return r;
  apply_names(ext, header, form != ZL_SPARSE_NONE, &e);
  apply_common(&ext->defaults, &e);
  apply_common(&ext->pax, &e);
  if (form != ZL_SPARSE_NONE)
    e.size = ext->pax.sparse_size;
  r = apply_old_directory(header, &e, err);
  if (r < 0)
    return r;
  *ret = e;
  *ret_sparse = form;
  return 0;
}
