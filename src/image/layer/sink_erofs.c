/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/sink_erofs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "image/erofs/xattr.h"
#include "image/layer/sink_erofs_internal.h"

int zl__sink_erofs_fail(const struct zl_sink_erofs *s, struct zl_error *err, enum zl_code code,
                        const char *fmt, ...)
{
  char text[ZL_ERROR_MSG_MAX / 2], quoted[ZL_LAYER_QUOTE];
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof(text), fmt, ap);
  va_end(ap);
  return zl_fail(err, code, 0, "'%s': %s", zl_layer_quote(s->path, quoted), text);
}

int zl_sink_erofs_new(const struct zl_sink_erofs_options *options, struct zl_sink_erofs **ret,
                      struct zl_error *err)
{
  const struct zl_erofs_options image = { .fd = options->fd,
                                          .reserve_bytes = options->reserve_bytes };
  ZL_CLEANUP(zl_sink_erofs_freep) struct zl_sink_erofs *s = calloc(1, sizeof(*s));
  int r;

  if (s == NULL)
    return zl_fail_nomem(err, "EROFS sink");
  s->options = *options;
  s->xattrs.max = (size_t)2 * ZL_MAX_TAR_EXTENSION; /* they all came in one extended header */
  r = zl_erofs_new(&image, &s->image, err);
  if (r < 0)
    return r;
  s->tree = zl_erofs_get_tree(s->image);
  *ret = zl_steal_ptr(&s);
  return 0;
}

void zl_sink_erofs_free(struct zl_sink_erofs *s)
{
  if (s == NULL)
    return;
  zl_erofs_free(s->image);
  zl_buf_done(&s->xattrs);
  zl_path_set_done(&s->implicit);
  zl_path_set_done(&s->opaque);
  zl_link_list_done(&s->deferred);
  free(s);
}

/* ---- Entries --------------------------------------------------------------------------------- */

static struct zl_erofs_attrs attrs_of(const struct zl_sink_erofs *s, const struct zl_layer_entry *e,
                                      uint32_t type)
{
  return (struct zl_erofs_attrs){ .mode = type | (type == S_IFLNK ? 0777 : e->mode),
                                  .uid = e->uid,
                                  .gid = e->gid,
                                  .mtime_s = e->mtime_s,
                                  .mtime_ns = e->mtime_ns,
                                  .xattrs = s->xattrs.data,
                                  .xattrs_len = s->xattrs.len };
}

/* ".wh.X" in the current directory: X of the layers below is gone. A directory of this layer stays
 * and only stops showing theirs; any other file of this layer covers theirs anyway. */
static int place_whiteout(struct zl_sink_erofs *s, const char *name, struct zl_error *err)
{
  const struct zl_erofs_attrs attrs = { .mode = S_IFCHR };
  uint32_t there = zl__sink_erofs_look(s, name);
  size_t parent = zl_layer_path_parent(s->path);
  char path[ZL_LAYER_PATH];
  uint64_t nid;
  int r = 0;

  if (there != ZL_EROFS_NONE) {
    if (!S_ISDIR(zl_erofs_inode_of(s->tree, there)->mode))
      return 0;
    (void)snprintf(path, sizeof(path), "%.*s%s%s", (int)parent, s->path, parent > 0 ? "/" : "",
                   name);
    return zl_path_set_add(&s->opaque, path, err);
  }
  if (!s->has_whiteout) {
    r = zl_erofs_special(s->image, &attrs, 0, 0, &nid, err);
    if (r == 0)
      r = zl_erofs_add_inode(s->tree, S_IFCHR, nid, NULL, &s->whiteout, err);
    s->has_whiteout = r == 0;
  }
  return r < 0 ? r : zl__sink_erofs_put(s, name, s->whiteout, err);
}

static bool has_xattr(const char *list, size_t len, const char *wanted)
{
  const char *at = list, *end = list + len, *name;
  const void *value;
  size_t value_len;

  while (zl_xattrs_next(&at, end, &name, &value, &value_len))
    if (strcmp(name, wanted) == 0)
      return true;
  return false;
}

/* What a directory had before and is not given again stays, as on every other file system. */
static int set_dir_xattrs(struct zl_sink_erofs *s, uint32_t inode, struct zl_error *err)
{
  zl_autobuf all = ZL_BUF_INIT((size_t)8 * ZL_MAX_TAR_EXTENSION);
  const struct zl_erofs_dir *dir = &s->tree->dirs[s->tree->inodes[inode].extra];
  const char *at = dir->xattrs, *end = dir->xattrs + dir->xattrs_len, *name;
  const void *value;
  size_t len;
  int r = 0;

  if (dir->xattrs_len == 0)
    return zl_erofs_set_dir_xattrs(s->tree, inode, s->xattrs.data, s->xattrs.len, err);
  while (r == 0 && zl_xattrs_next(&at, end, &name, &value, &len))
    if (!has_xattr(s->xattrs.data, s->xattrs.len, name))
      r = zl_xattrs_add(&all, name, value, len, err);
  if (r == 0)
    r = zl_buf_append(&all, s->xattrs.data, s->xattrs.len, err);
  return r < 0 ? r : zl_erofs_set_dir_xattrs(s->tree, inode, all.data, all.len, err);
}

static int set_dir_attrs(struct zl_sink_erofs *s, uint32_t inode, const struct zl_layer_entry *e,
                         struct zl_error *err)
{
  struct zl_erofs_dir *dir = &s->tree->dirs[s->tree->inodes[inode].extra];

  s->tree->inodes[inode].mode = S_IFDIR | e->mode;
  dir->uid = e->uid;
  dir->gid = e->gid;
  dir->mtime_s = e->mtime_s;
  dir->mtime_ns = e->mtime_ns;
  return set_dir_xattrs(s, inode, err);
}

/* New, or described again: then its attributes are replaced and its content stays. */
static int place_dir(struct zl_sink_erofs *s, const struct zl_layer_entry *e, const char *name,
                     struct zl_error *err)
{
  uint32_t there = zl__sink_erofs_look(s, name), inode = 0;
  int r = 0;

  if (there != ZL_EROFS_NONE && S_ISDIR(zl_erofs_inode_of(s->tree, there)->mode)) {
    inode = s->tree->names[there].inode;
  } else {
    if (there != ZL_EROFS_NONE && zl__sink_erofs_is_whiteout(s, there))
      r = zl_path_set_add(&s->opaque, s->path, err);
    if (r == 0)
      r = zl_erofs_add_dir_inode(s->tree, S_IFDIR, &inode, err);
    if (r == 0)
      r = zl__sink_erofs_put(s, name, inode, err);
  }
  if (r < 0)
    return r;
  zl_path_set_drop(&s->implicit, s->path);
  return set_dir_attrs(s, inode, e, err);
}

/* Writes all but the content of a file. */
static int write_node(struct zl_sink_erofs *s, const struct zl_layer_entry *e, uint32_t *ret_mode,
                      uint64_t *ret_nid, struct zl_error *err)
{
  static const uint32_t types[] = { [ZL_LAYER_FILE] = S_IFREG,
                                    [ZL_LAYER_SYMLINK] = S_IFLNK,
                                    [ZL_LAYER_CHAR] = S_IFCHR,
                                    [ZL_LAYER_BLOCK] = S_IFBLK,
                                    [ZL_LAYER_FIFO] = S_IFIFO };
  const struct zl_erofs_attrs attrs = attrs_of(s, e, types[e->type]);
  bool device = e->type == ZL_LAYER_CHAR || e->type == ZL_LAYER_BLOCK;

  *ret_mode = attrs.mode;
  switch (e->type) {
  case ZL_LAYER_FILE:
    return zl_erofs_file(s->image, &attrs, e->size, ret_nid, err);
  case ZL_LAYER_SYMLINK:
    return zl_erofs_symlink(s->image, &attrs, e->link, ret_nid, err);
  default:
    return zl_erofs_special(s->image, &attrs, device ? e->major : 0, device ? e->minor : 0, ret_nid,
                            err);
  }
}

static int place_node(struct zl_sink_erofs *s, const struct zl_layer_entry *e, const char *name,
                      struct zl_error *err)
{
  uint32_t mode, inode;
  uint64_t nid;
  char quoted[ZL_LAYER_QUOTE];
  int r = write_node(s, e, &mode, &nid, err);

  if (r < 0)
    return zl_wrap(err, "'%s'", zl_layer_quote(s->path, quoted));
  s->writing = e->type == ZL_LAYER_FILE;
  r = zl_erofs_add_inode(s->tree, mode, nid, e->type == ZL_LAYER_SYMLINK ? e->link : NULL, &inode,
                         err);
  return r < 0 ? r : zl__sink_erofs_put(s, name, inode, err);
}

static int place_device(struct zl_sink_erofs *s, const struct zl_layer_entry *e, const char *name,
                        struct zl_error *err)
{
  uint32_t there;

  if (s->options.devices)
    return place_node(s, e, name, err);
  s->skipped++;
  there = zl__sink_erofs_look(s, name);
  if (there != ZL_EROFS_NONE)
    zl_erofs_remove_name(s->tree, there);
  return 0;
}

static int place_root(struct zl_sink_erofs *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  if (e->type != ZL_LAYER_DIR)
    return zl__sink_erofs_refuse(s, err, "the root of a layer must be a directory");
  s->root_entry = true;
  return set_dir_attrs(s, s->tree->names[ZL_EROFS_ROOT].inode, e, err);
}

static int place(struct zl_sink_erofs *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  const char *name = zl_layer_path_name(s->path);
  enum zl_layer_role role = ZL_ROLE_NODE;
  const char *why = zl_layer_judge(s->path, e, &role);
  int r;

  if (why != NULL)
    return zl__sink_erofs_refuse(s, err, "%s", why);
  if (role == ZL_ROLE_IGNORED)
    return 0;
  r = zl__sink_erofs_enter(s, s->path, zl_layer_path_parent(s->path), role != ZL_ROLE_NODE, err);
  if (r < 0)
    return r;
  if (role == ZL_ROLE_OPAQUE)
    return zl_path_set_add(&s->opaque, s->dir.path, err);
  if (role == ZL_ROLE_WHITEOUT)
    return place_whiteout(s, zl_layer_whiteout_name(name), err);
  switch (e->type) {
  case ZL_LAYER_DIR:
    return place_dir(s, e, name, err);
  case ZL_LAYER_HARDLINK:
    return zl__sink_erofs_hardlink(s, e, name, err);
  case ZL_LAYER_CHAR:
  case ZL_LAYER_BLOCK:
    return place_device(s, e, name, err);
  default:
    return place_node(s, e, name, err);
  }
}

/* ---- The table ------------------------------------------------------------------------------- */

static int sink_begin(void *sink, const struct zl_layer_entry *entry, struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;
  int r = zl_layer_path_clean(entry->path, s->path, NULL, err);

  s->writing = false;
  if (r == 0)
    r = zl_layer_keep_xattrs(entry, &s->xattrs, err);
  if (r < 0)
    return r;
  return *s->path == '\0' ? place_root(s, entry, err) : place(s, entry, err);
}

static int sink_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                     struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;
  char quoted[ZL_LAYER_QUOTE];
  int r = s->writing ? zl_erofs_file_data(s->image, offset, bytes, len, err) : 0;

  return r < 0 ? zl_wrap(err, "'%s'", zl_layer_quote(s->path, quoted)) : 0;
}

static int sink_end(void *sink, struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;

  (void)err;
  s->writing = false;
  return 0;
}

/* Notes about what was replaced by something else in the end are void. */
static void drop_void_notes(const struct zl_sink_erofs *s, struct zl_path_set *set)
{
  uint32_t ignored;

  for (size_t i = 0; i < set->n; i++)
    if (!set->dropped[i] && !zl__sink_erofs_is_dir(s, set->paths[i], &ignored))
      set->dropped[i] = true;
}

/* The first time, the directories that a later copy of a target needs are made, so that their
 * attributes are asked for as well. What leads through a link of this layer means nothing in those
 * below. */
static int sink_finish(void *sink, struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;
  int r = zl__sink_erofs_retry_links(s, err);

  for (size_t i = 0; i < s->deferred.n && r == 0; i++) {
    const struct zl_link *link = &s->deferred.items[i];

    memcpy(s->path, link->path, strlen(link->path) + 1);
    r = zl__sink_erofs_enter(s, link->target, zl_layer_path_parent(link->target), true, err);
    if (r == 0)
      r = zl__sink_erofs_enter(s, link->path, zl_layer_path_parent(link->path), true, err);
  }
  drop_void_notes(s, &s->implicit);
  drop_void_notes(s, &s->opaque);
  return r;
}

static void sink_get_totals(const void *sink, struct zl_sink_totals *ret)
{
  const struct zl_sink_erofs *s = sink;

  *ret = (struct zl_sink_totals){ .skipped = s->skipped,
                                  .n_implicit = zl_path_set_count(&s->implicit),
                                  .n_deferred = s->deferred.n,
                                  .n_opaque = zl_path_set_count(&s->opaque),
                                  .root_entry = s->root_entry };
}

static int sink_write_notes(const void *sink, struct zl_buf *text, struct zl_error *err)
{
  const struct zl_sink_erofs *s = sink;

  return zl_notes_write_all(text, &s->implicit, &s->deferred, &s->opaque, err);
}

static int mark_opaque(struct zl_sink_erofs *s, const char *path, struct zl_error *err)
{
  zl_autobuf xattrs = ZL_BUF_INIT((size_t)4 * ZL_MAX_TAR_EXTENSION);
  const struct zl_erofs_dir *dir;
  uint32_t name;
  int r;

  if (*path == '\0' || !zl__sink_erofs_is_dir(s, path, &name))
    return 0;
  dir = &s->tree->dirs[zl_erofs_inode_of(s->tree, name)->extra];
  r = zl_buf_append(&xattrs, dir->xattrs, dir->xattrs_len, err);
  if (r == 0)
    r = zl_xattrs_add(&xattrs, "trusted.overlay.opaque", "y", 1, err);
  return r < 0 ? r
               : zl_erofs_set_dir_xattrs(s->tree, s->tree->names[name].inode, xattrs.data,
                                         xattrs.len, err);
}

/* overlayfs knows no opaque root: for that the names below must be known (fixup.h). */
static int sink_seal(void *sink, struct zl_error *err)
{
  struct zl_sink_erofs *s = sink;
  int r = 0;

  for (size_t i = 0; i < s->opaque.n && r == 0; i++)
    if (!s->opaque.dropped[i])
      r = mark_opaque(s, s->opaque.paths[i], err);
  return r < 0 ? r : zl_erofs_seal(s->image, err);
}

static void sink_free(void *sink)
{
  zl_sink_erofs_free(sink);
}

const struct zl_sink_ops zl_sink_erofs_ops = { .begin = sink_begin,
                                               .data = sink_data,
                                               .end = sink_end,
                                               .finish = sink_finish,
                                               .get_totals = sink_get_totals,
                                               .write_notes = sink_write_notes,
                                               .seal = sink_seal,
                                               .free = sink_free };
