/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/sink_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "image/layer/sink_dir_internal.h"

enum {
  ROOT_MODE = 0755
};

int zl__sink_dir_fail(const struct zl_sink_dir *s, struct zl_error *err, enum zl_code code,
                      int os_error, const char *fmt, ...)
{
  char text[ZL_ERROR_MSG_MAX / 2], quoted[ZL_LAYER_QUOTE];
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  return zl_fail(err, code, os_error, "'%s': %s", zl_layer_quote(s->path, quoted), text);
}

int zl_sink_dir_new(const struct zl_sink_dir_options *options, struct zl_sink_dir **ret,
                    struct zl_error *err)
{
  struct zl_sink_dir *s = calloc(1, sizeof(*s));

  if (s == NULL)
    return zl_fail_nomem(err, "directory sink");
  s->options = *options;
  s->live = (struct zl_live_dirs)ZL_LIVE_DIRS_INIT;
  zl_fresh_names_init(&s->names);
  s->dir.fd = -1;
  s->file_fd = -1;
  s->xattrs.max = (size_t)2 * ZL_MAX_TAR_EXTENSION; /* they all came in one extended header */
  *ret = s;
  return 0;
}

void zl_sink_dir_free(struct zl_sink_dir *s)
{
  if (s == NULL)
    return;
  zl_file_writer_free(s->writer);
  (void)zl__sink_dir_leave(s, NULL);
  zl_fresh_names_done(&s->names);
  zl_fd_closep(&s->file_fd);
  zl_buf_done(&s->xattrs);
  zl_path_set_done(&s->implicit);
  zl_path_set_done(&s->opaque);
  zl_link_list_done(&s->deferred);
  free(s);
}

/* ".wh.X" in the current directory: X of the layers below is gone. A directory of this layer stays
 * and only stops showing theirs; any other file of this layer covers theirs anyway. */
static int place_whiteout(struct zl_sink_dir *s, const char *name, struct zl_error *err)
{
  size_t parent = zl_layer_path_parent(s->path);
  char path[ZL_LAYER_PATH];
  struct stat st;
  int r;

  r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  if (r < 0)
    return r;
  if (r > 0 && S_ISDIR(st.st_mode)) {
    (void)snprintf(path, sizeof(path), "%.*s%s%s", (int)parent, s->path, parent > 0 ? "/" : "",
                   name);
    return zl_path_set_add(&s->opaque, path, err);
  }
  if (r == 0 && mknodat(s->dir.fd, name, S_IFCHR, makedev(0, 0)) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making a whiteout");
  return 0;
}

static int place_opaque(struct zl_sink_dir *s, struct zl_error *err)
{
  return zl_path_set_add(&s->opaque, s->dir.path, err);
}

/* Something has the name that a directory is to have. Sets *ret_made when it is one after all, made
 * anew. */
static int replace_by_dir(struct zl_sink_dir *s, const char *name, bool *ret_made,
                          struct zl_error *err)
{
  struct stat st = { 0 };
  int r = zl__sink_dir_settle(s, err); /* files in it would change its time afterwards */

  if (r == 0)
    r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  *ret_made = !S_ISDIR(st.st_mode);
  if (r > 0 && zl_is_whiteout(&st))
    r = zl_path_set_add(&s->opaque, s->path, err);
  if (r < 0 || !*ret_made)
    return r;
  r = zl__sink_dir_vacate(s, name, err);
  if (r == 0 && mkdirat(s->dir.fd, name, s->entry.mode & 0777) < 0)
    r = zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making a directory");
  return r;
}

/* New, or described again: then its attributes are replaced and its content stays. */
static int place_dir(struct zl_sink_dir *s, const char *name, struct zl_error *err)
{
  bool made = true;
  zl_autofd fd = -1;
  struct stat st;
  int r = 0;

  if (mkdirat(s->dir.fd, name, s->entry.mode & 0777) < 0)
    r = errno == EEXIST ? replace_by_dir(s, name, &made, err)
                        : zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making a directory");
  if (r < 0)
    return r;
  zl_path_set_drop(&s->implicit, s->path);
  fd = zl_path_open_in_root(s->dir.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0) {
    r = zl__sink_dir_fail(s, err, ZL_E_SYSTEM, -fd, "opening a directory");
    fd = -1;
    return r;
  }
  s->again = !made;
  if (made && fstat(fd, &st) == 0)
    zl_fresh_names_add_dir(&s->names, st.st_ino);
  return zl__sink_dir_set_attrs(s, fd, err);
}

static int place_device(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name,
                        struct zl_error *err)
{
  struct stat st;
  int r;

  if (s->options.devices)
    return zl__sink_dir_place(s, e, name, err);
  s->skipped++;
  r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  return r > 0 ? zl__sink_dir_vacate(s, name, err) : r;
}

static int place_root(struct zl_sink_dir *s, struct zl_error *err)
{
  int r;

  if (s->entry.type != ZL_LAYER_DIR)
    return zl__sink_dir_refuse(s, err, "the root of a layer must be a directory");
  r = zl__sink_dir_settle(s, err);
  if (r == 0)
    r = zl__sink_dir_leave(s, err);
  if (r < 0)
    return r;
  s->root_entry = s->again = true;
  return zl__sink_dir_set_attrs(s, s->options.root_fd, err);
}

static int place(struct zl_sink_dir *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  const char *name = zl_layer_path_name(s->path);
  enum zl_layer_role role = ZL_ROLE_NODE;
  const char *why = zl_layer_judge(s->path, e, &role);
  bool is_free = false;
  int r;

  if (why != NULL)
    return zl__sink_dir_refuse(s, err, "%s", why);
  if (role == ZL_ROLE_IGNORED)
    return 0;
  r = zl__sink_dir_enter(s, s->path, zl_layer_path_parent(s->path), role != ZL_ROLE_NODE, err);
  if (r == 0 && role == ZL_ROLE_OPAQUE)
    return place_opaque(s, err);
  if (r == 0 && role == ZL_ROLE_WHITEOUT)
    name = zl_layer_whiteout_name(name);
  if (r == 0)
    r = zl__sink_dir_claim(s, name, &is_free, err);
  if (r < 0)
    return r;
  if (role == ZL_ROLE_WHITEOUT)
    return place_whiteout(s, name, err);
  switch (e->type) {
  case ZL_LAYER_FILE:
    return zl__sink_dir_place_file(s, e, name, is_free, err);
  case ZL_LAYER_DIR:
    return place_dir(s, name, err);
  case ZL_LAYER_HARDLINK:
    return zl__sink_dir_hardlink(s, e, name, err);
  case ZL_LAYER_CHAR:
  case ZL_LAYER_BLOCK:
    return place_device(s, e, name, err);
  default:
    return zl__sink_dir_place(s, e, name, err);
  }
}

static int sink_begin(void *sink, const struct zl_layer_entry *entry, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = zl_layer_path_clean(entry->path, s->path, NULL, err);

  if (r == 0)
    r = zl_layer_keep_xattrs(entry, &s->xattrs, err);
  if (r < 0)
    return r;
  s->again = false;
  s->entry = *entry;
  s->entry.path = s->entry.link = NULL;
  s->entry.xattrs = NULL;
  return *s->path == '\0' ? place_root(s, err) : place(s, entry, err);
}

/* Notes about what was replaced by something else in the end are void. */
static void drop_void_notes(const struct zl_sink_dir *s, struct zl_path_set *set)
{
  for (size_t i = 0; i < set->n; i++) {
    int fd = -1;

    if (set->dropped[i] || *set->paths[i] == '\0')
      continue;
    fd = zl_path_open_beneath(s->options.root_fd, set->paths[i], O_PATH | O_DIRECTORY, 0);
    set->dropped[i] = fd < 0;
    if (fd >= 0)
      (void)close(fd);
  }
}

/* Without an entry of its own the root is the same for every layer, whatever the caller made. */
static int default_root(struct zl_sink_dir *s, struct zl_error *err)
{
  s->path[0] = '\0';
  s->again = true;
  s->entry = (struct zl_layer_entry){ .type = ZL_LAYER_DIR, .mode = ROOT_MODE };
  zl_buf_clear(&s->xattrs);
  return zl__sink_dir_set_attrs(s, s->options.root_fd, err);
}

static int sink_finish(void *sink, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = zl__sink_dir_settle(s, err);

  if (r == 0)
    r = zl__sink_dir_retry_links(s, err);
  if (r == 0)
    r = zl__sink_dir_leave(s, err);
  if (r == 0 && !s->root_entry)
    r = default_root(s, err);
  if (r < 0)
    return r;
  drop_void_notes(s, &s->implicit);
  drop_void_notes(s, &s->opaque);
  return 0;
}

static void sink_get_totals(const void *sink, struct zl_sink_totals *ret)
{
  const struct zl_sink_dir *s = sink;

  *ret = (struct zl_sink_totals){ .skipped = s->skipped,
                                  .n_implicit = zl_path_set_count(&s->implicit),
                                  .n_deferred = s->deferred.n,
                                  .n_opaque = zl_path_set_count(&s->opaque),
                                  .root_entry = s->root_entry };
}

static int sink_write_notes(const void *sink, struct zl_buf *text, struct zl_error *err)
{
  const struct zl_sink_dir *s = sink;

  return zl_notes_write_all(text, &s->implicit, &s->deferred, &s->opaque, err);
}

/* Every entry is where it belongs already. */
static int sink_seal(void *sink, struct zl_error *err)
{
  (void)sink;
  (void)err;
  return 0;
}

static void sink_free(void *sink)
{
  zl_sink_dir_free(sink);
}

static int sink_start(void *sink, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  struct stat st;

  if (fstat(s->options.root_fd, &st) < 0)
    return zl_fail_errno(err, "looking at the layer's root");
  zl_fresh_names_add_dir(&s->names, st.st_ino);
  return zl_file_writer_new(&s->live, &s->writer, err);
}

const struct zl_sink_ops zl_sink_dir_ops = { .start = sink_start,
                                             .begin = sink_begin,
                                             .data = zl__sink_dir_data,
                                             .end = zl__sink_dir_end,
                                             .finish = sink_finish,
                                             .get_totals = sink_get_totals,
                                             .write_notes = sink_write_notes,
                                             .seal = sink_seal,
                                             .free = sink_free };
