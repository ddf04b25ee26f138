/* SPDX-License-Identifier: Apache-2.0
 *
 * A file, directory or link: made, and filled with its streams. In place, and for hives, they go
 * through BackupWrite; else those of a staged layer are content of a file, after the attributes.
 * Those of a directory stand in a file beside it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "image/windows/little.h"
#include "image/windows/reparse.h"
#include "image/windows/sink_private.h"
#include "image/windows/streams.h"
#include "image/windows/text.h"

static const char directory_mark[] = ".$wcidirs$";

/* ---- Writing --------------------------------------------------------------------------------- */

static int put(struct zl_sink_windows *s, const void *data, size_t len, struct zl_error *err)
{
  struct zl_win_current *c = &s->current;
  int r = c->staged ? s->ops->write(c->file, data, len, err)
                    : s->ops->write_backup(c->file, data, len, err);

  if (r == 0 && c->copy != NULL)
    r = s->ops->write_backup(c->copy, data, len, err);
  return r;
}

/* Who is given no rights for descriptors is given none. */
static int put_security(struct zl_sink_windows *s, struct zl_error *err)
{
  const struct zl_win_current *c = &s->current;

  if (s->security.len == 0 || (!c->staged && !c->security))
    return 0;
  return c->staged ? s->ops->write(c->file, s->security.data, s->security.len, err)
                   : s->ops->write_backup(c->file, s->security.data, s->security.len, err);
}

static int put_zeros(struct zl_sink_windows *s, uint64_t until, struct zl_error *err)
{
  static const char zeros[64 << 10];
  int r = 0;

  while (s->current.written < until && r == 0) {
    uint64_t left = until - s->current.written;
    size_t n = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);

    r = put(s, zeros, n, err);
    s->current.written += n;
  }
  return r;
}

int zl__win_file_data(struct zl_sink_windows *s, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err)
{
  int r;

  if (s->current.file == NULL)
    return zl_fail(err, ZL_E_INTERNAL, 0, "data without a file");
  r = put_zeros(s, offset, err);
  if (r == 0)
    r = put(s, bytes, len, err);
  s->current.written += len;
  return r;
}

int zl__win_file_end(struct zl_sink_windows *s, struct zl_error *err)
{
  return s->current.file == NULL ? 0 : put_zeros(s, s->current.size, err);
}

int zl__win_file_close(struct zl_sink_windows *s, struct zl_error *err)
{
  struct zl_win_current *c = &s->current;
  struct zl_win_file *file = c->file, *copy = c->copy;
  struct zl_error ignored;
  int r, second;

  for (size_t i = 0; i < c->n_streams; i++)
    zl_freep(&c->streams[i]);
  c->n_streams = 0;
  c->file = c->copy = NULL;
  r = s->ops->close(file, err);
  second = s->ops->close(copy, r < 0 ? &ignored : err);
  return r < 0 ? r : second;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* Everything in front of the data: s->security, then s->streams. */
static int gather_streams(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                          struct zl_error *err)
{
  struct zl_win_attributes *a = &s->attributes;
  const char *fault;
  int r = 0;

  zl_buf_clear(&s->security);
  zl_buf_clear(&s->streams);
  zl_buf_clear(&s->reparse);
  if (a->security.len > 0)
    r = zl_win_stream_put(&s->security, ZL_WIN_STREAM_SECURITY, &a->security, err);
  if (r == 0 && a->ea.len > 0)
    r = zl_win_stream_put(&s->streams, ZL_WIN_STREAM_EA, &a->ea, err);
  if (r == 0 && e->type == ZL_LAYER_SYMLINK) {
    fault = zl_win_reparse_put(&s->reparse, e->link, a->mount_point);
    if (fault != NULL)
      return zl_win_refuse(e->path, fault, err);
    r = zl_win_stream_put(&s->streams, ZL_WIN_STREAM_REPARSE, &s->reparse, err);
  }
  if (r == 0 && e->type == ZL_LAYER_FILE)
    r = zl_win_stream_begin(&s->streams, ZL_WIN_STREAM_DATA, NULL, e->size, err);
  return r;
}

static int read_attributes(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                           struct zl_error *err)
{
  struct zl_win_attributes *a = &s->attributes;
  int r = zl_win_attributes_read(e, a, err);

  if (r == 0 && a->sddl != NULL) {
    char quoted[ZL_LAYER_QUOTE];

    r = s->ops->read_sddl(s->host, a->sddl, &a->security, err);
    if (r < 0)
      return zl_wrap(err, "'%s': MSWINDOWS.sd", zl_layer_quote(e->path, quoted));
  }
  return r == 0 ? gather_streams(s, e, err) : r;
}

/* Below Files a staged file has no attributes of its own: they are for what it becomes. */
static int open_staged(struct zl_sink_windows *s, const char *path, bool directory,
                       struct zl_error *err)
{
  zl_autofree char *beside = NULL;
  struct zl_win_basic basic = s->attributes.basic;
  struct zl_win_file *made = NULL;
  uint8_t attributes[4];
  int r = 0;

  if (directory) {
    beside = zl_asprintf("%s%s", path, directory_mark);
    if (beside == NULL)
      return zl_fail_nomem(err, "a Windows layer");
    r = s->ops->open(s->host, zl_win_at(ZL_WIN_STAGING, path), ZL_WIN_NEW_DIRECTORY, false, &made,
                     err);
    if (r == 0)
      r = s->ops->close(made, err);
  }
  if (r == 0)
    r = s->ops->open(s->host, zl_win_at(ZL_WIN_STAGING, directory ? beside : path), ZL_WIN_NEW_FILE,
                     false, &s->current.file, err);
  if (r < 0)
    return r;
  zl_little_put(attributes, basic.attributes, sizeof(attributes));
  basic.attributes = 0;
  r = s->ops->set_basic(s->current.file, &basic, err);
  if (r < 0 || !s->current.staged)
    return r;
  return s->ops->write(s->current.file, attributes, sizeof(attributes), err);
}

/* What a part of the utility VM that was cloned has under this name: a directory that stays, or
 * what makes room. Returns 1 for the former. */
static int replace_cloned(struct zl_sink_windows *s, const char *path, bool directory,
                          struct zl_error *err)
{
  const struct zl_win_place at = zl_win_at(ZL_WIN_LAYER, path);
  const uint32_t kind = ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT;
  struct zl_win_basic old = { 0 };
  struct zl_error why = { 0 };
  int r = s->ops->stat(s->host, at, &old, &why);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r < 0) {
    if (err != NULL)
      *err = why;
    return r;
  }
  if (directory && (old.attributes & kind) == ZL_WIN_DIRECTORY &&
      (s->attributes.basic.attributes & kind) == ZL_WIN_DIRECTORY)
    return 1;
  return zl__win_remove_tree(s, at, err);
}

static int open_copy(struct zl_sink_windows *s, const char *path, struct zl_error *err)
{
  const char *name = zl__win_backup_name(path);

  return name == NULL ? 0
                      : s->ops->open(s->host, zl_win_at(ZL_WIN_LAYER, name), ZL_WIN_NEW_FILE, false,
                                     &s->current.copy, err);
}

static int open_in_place(struct zl_sink_windows *s, const char *path, bool directory,
                         struct zl_error *err)
{
  enum zl_win_how how = directory ? ZL_WIN_NEW_DIRECTORY : ZL_WIN_NEW_FILE;
  int r = s->n_parents > 0 ? replace_cloned(s, path, directory, err) : 0;

  if (r < 0)
    return r;
  if (r > 0)
    how = ZL_WIN_OLD_DIRECTORY;
  r = s->ops->open(s->host, zl_win_at(ZL_WIN_LAYER, path), how, s->current.security,
                   &s->current.file, err);
  if (r == 0)
    r = s->ops->set_basic(s->current.file, &s->attributes.basic, err);
  return r == 0 && !directory ? open_copy(s, path, err) : r;
}

/* Times of directories change with each entry in them, so they are set again at the end. */
static int remember_directory(struct zl_sink_windows *s, size_t number, struct zl_error *err)
{
  struct zl_win_directory *all = s->directories;

  if ((s->n_directories & (s->n_directories - 1)) == 0) {
    all = reallocarray(all, s->n_directories == 0 ? 1 : 2 * s->n_directories, sizeof(*all));
    if (all == NULL)
      return zl_fail_nomem(err, "directories of a layer");
    s->directories = all;
  }
  all[s->n_directories++] =
      (struct zl_win_directory){ .name = number, .basic = s->attributes.basic };
  return 0;
}

static enum zl_win_kind kind_of(const struct zl_sink_windows *s, const struct zl_layer_entry *e)
{
  bool directory = (s->attributes.basic.attributes & ZL_WIN_DIRECTORY) != 0;

  if (e->type == ZL_LAYER_SYMLINK)
    return directory ? ZL_WIN_IS_DIRECTORY_LINK : ZL_WIN_IS_LINK;
  return directory ? ZL_WIN_IS_DIRECTORY : ZL_WIN_IS_FILE;
}

int zl__win_file_begin(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                       struct zl_error *err)
{
  struct zl_win_current *c = &s->current;
  bool utility = s->path.part == ZL_WIN_UTILITY || s->path.part == ZL_WIN_UTILITY_FS;
  enum zl_win_kind kind;
  bool directory;
  size_t number = 0;
  int r = read_attributes(s, e, err);

  if (r < 0)
    return r;
  kind = kind_of(s, e);
  directory = kind == ZL_WIN_IS_DIRECTORY || kind == ZL_WIN_IS_DIRECTORY_LINK;
  r = zl__win_take_name(s, e->path, kind, &number, err);
  if (r == 0 && kind == ZL_WIN_IS_DIRECTORY)
    r = remember_directory(s, number, err);
  if (r < 0)
    return r;
  c->security = s->path.part == ZL_WIN_FILES || s->path.part == ZL_WIN_UTILITY_FS;
  c->staged = s->n_parents > 0 && !utility && (s->path.part == ZL_WIN_FILES || s->path.is_top);
  (void)memcpy(c->path, s->path.text, sizeof(c->path));
  c->size = e->size;
  c->written = 0;
  r = s->n_parents > 0 && !utility ? open_staged(s, c->path, directory, err)
                                   : open_in_place(s, c->path, directory, err);
  if (r == 0)
    r = put_security(s, err);
  return r == 0 && s->streams.len > 0 ? put(s, s->streams.data, s->streams.len, err) : r;
}

/* ---- Alternate streams ----------------------------------------------------------------------- */

static const char *stream_fault(const struct zl_sink_windows *s, const struct zl_layer_entry *e)
{
  const struct zl_win_current *c = &s->current;
  const char *name = s->path.stream;

  if (e->type != ZL_LAYER_FILE)
    return "a stream that is no file";
  if (c->file == NULL || strcmp(c->path, s->path.text) != 0)
    return "a stream that does not follow its file";
  if (c->n_streams == ZL_MAX_WINDOWS_STREAMS)
    return "more streams than a file may have";
  for (size_t i = 0; i < c->n_streams; i++)
    if (zl_win_text_equal(c->streams[i], strlen(c->streams[i]), name, strlen(name)))
      return "a stream that is there twice";
  return NULL;
}

int zl__win_stream_begin(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                         struct zl_error *err)
{
  struct zl_win_current *c = &s->current;
  const char *fault = stream_fault(s, e);
  int r;

  if (fault != NULL)
    return zl_win_refuse(e->path, fault, err);
  c->streams[c->n_streams] = strdup(s->path.stream);
  if (c->streams[c->n_streams] == NULL)
    return zl_fail_nomem(err, "streams of a file");
  c->n_streams++;
  c->size = e->size;
  c->written = 0;
  zl_buf_clear(&s->streams);
  r = zl_win_stream_begin(&s->streams, ZL_WIN_STREAM_ALTERNATE, s->path.stream, e->size, err);
  return r == 0 ? put(s, s->streams.data, s->streams.len, err) : r;
}
