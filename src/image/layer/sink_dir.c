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
  CHECK_SPACE_EVERY = 16 << 20,
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
  zl_fd_closep(&s->dir.fd);
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

/* New, or described again: then its attributes are replaced and its content stays. */
static int place_dir(struct zl_sink_dir *s, const char *name, struct zl_error *err)
{
  zl_autofd fd = -1;
  struct stat st = { 0 };
  int r;

  if (mkdirat(s->dir.fd, name, s->entry.mode & 0777) < 0) {
    if (errno != EEXIST)
      return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making a directory");
    r = zl__sink_dir_look(s->dir.fd, name, &st, err);
    if (r > 0 && zl_is_whiteout(&st))
      r = zl_path_set_add(&s->opaque, s->path, err);
    if (r >= 0 && !S_ISDIR(st.st_mode)) {
      r = zl__sink_dir_vacate(s, name, err);
      if (r == 0 && mkdirat(s->dir.fd, name, s->entry.mode & 0777) < 0)
        r = zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "making a directory");
    }
    if (r < 0)
      return r;
  }
  zl_path_set_drop(&s->implicit, s->path);
  fd = zl_path_open_in_root(s->dir.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0) {
    r = zl__sink_dir_fail(s, err, ZL_E_SYSTEM, -fd, "opening a directory");
    fd = -1;
    return r;
  }
  return zl__sink_dir_set_attrs(s, fd, err);
}

/* Makes the object; 0 or a negative errno. */
static int make_node(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name)
{
  mode_t mode = e->mode & 0777;
  int fd;

  switch (e->type) {
  case ZL_LAYER_FILE:
    fd = zl_path_open_in_root(s->dir.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    s->file_fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
  case ZL_LAYER_SYMLINK:
    return symlinkat(e->link, s->dir.fd, name) < 0 ? -errno : 0;
  case ZL_LAYER_FIFO:
    return mknodat(s->dir.fd, name, S_IFIFO | mode, 0) < 0 ? -errno : 0;
  case ZL_LAYER_CHAR:
    return mknodat(s->dir.fd, name, S_IFCHR | mode, makedev(e->major, e->minor)) < 0 ? -errno : 0;
  case ZL_LAYER_BLOCK:
    return mknodat(s->dir.fd, name, S_IFBLK | mode, makedev(e->major, e->minor)) < 0 ? -errno : 0;
  default:
    return -EINVAL;
  }
}

/* Content that the writer may get is gathered; `end` hands it over. */
static int begin_small(struct zl_sink_dir *s, struct zl_error *err)
{
  int r;

  if (s->writer == NULL || s->entry.size > ZL_SMALL_FILE || s->xattrs.len > 0)
    return 0;
  r = zl_file_writer_reserve(s->writer, &s->small, err);
  if (r == 0)
    s->small->len = 0;
  return r;
}

/* A file stays open until `end`; all others are complete. */
static int place_node(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name,
                      struct zl_error *err)
{
  int r = make_node(s, e, name);

  if (r == -EEXIST) {
    r = zl__sink_dir_vacate(s, name, err);
    if (r < 0)
      return r;
    r = make_node(s, e, name);
  }
  if (r < 0)
    return zl__sink_dir_fail(s, err, r == -ENAMETOOLONG ? ZL_E_CORRUPT : ZL_E_SYSTEM, -r,
                             "making it");
  return e->type == ZL_LAYER_FILE ? begin_small(s, err) : zl__sink_dir_set_attrs_at(s, name, err);
}

static int place_device(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name,
                        struct zl_error *err)
{
  struct stat st;
  int r;

  if (s->options.devices)
    return place_node(s, e, name, err);
  s->skipped++;
  r = zl__sink_dir_look(s->dir.fd, name, &st, err);
  return r > 0 ? zl__sink_dir_vacate(s, name, err) : r;
}

static int place_root(struct zl_sink_dir *s, struct zl_error *err)
{
  int r;

  if (s->entry.type != ZL_LAYER_DIR)
    return zl__sink_dir_refuse(s, err, "the root of a layer must be a directory");
  r = zl__sink_dir_leave(s, err);
  if (r < 0)
    return r;
  s->root_entry = true;
  return zl__sink_dir_set_attrs(s, s->options.root_fd, err);
}

static int place(struct zl_sink_dir *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  const char *name = zl_layer_path_name(s->path);
  enum zl_layer_role role = ZL_ROLE_NODE;
  const char *why = zl_layer_judge(s->path, e, &role);
  int r;

  if (why != NULL)
    return zl__sink_dir_refuse(s, err, "%s", why);
  if (role == ZL_ROLE_IGNORED)
    return 0;
  r = zl__sink_dir_enter(s, s->path, zl_layer_path_parent(s->path), role != ZL_ROLE_NODE, err);
  if (r < 0)
    return r;
  if (role != ZL_ROLE_NODE)
    return role == ZL_ROLE_OPAQUE ? place_opaque(s, err)
                                  : place_whiteout(s, zl_layer_whiteout_name(name), err);
  switch (e->type) {
  case ZL_LAYER_DIR:
    return place_dir(s, name, err);
  case ZL_LAYER_HARDLINK:
    return zl__sink_dir_hardlink(s, e, name, err);
  case ZL_LAYER_CHAR:
  case ZL_LAYER_BLOCK:
    return place_device(s, e, name, err);
  default:
    return place_node(s, e, name, err);
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
  s->entry = *entry;
  s->entry.path = s->entry.link = NULL;
  s->entry.xattrs = NULL;
  return *s->path == '\0' ? place_root(s, err) : place(s, entry, err);
}

static int check_space(struct zl_sink_dir *s, size_t len, struct zl_error *err)
{
  struct statfs fs;

  s->unchecked += len;
  if (s->unchecked < CHECK_SPACE_EVERY)
    return 0;
  s->unchecked = 0;
  if (fstatfs(s->options.root_fd, &fs) < 0)
    return zl_fail_errno(err, "looking at the free disk space");
  if (fs.f_blocks == 0) /* a tmpfs without a limit says so */
    return 0;
  if ((uint64_t)fs.f_bavail < s->options.reserve_bytes / (uint64_t)fs.f_bsize)
    return zl__sink_dir_fail(s, err, ZL_E_LIMIT, ENOSPC,
                             "the disk has less than the reserve of %llu MiB left",
                             (unsigned long long)(s->options.reserve_bytes >> 20));
  return 0;
}

static int write_data(struct zl_sink_dir *s, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err)
{
  const char *p = bytes;

  while (len > 0) {
    ssize_t n = pwrite(s->file_fd, p, len, (off_t)offset);
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl__sink_dir_fail(s, err, errno == EFBIG ? ZL_E_LIMIT : ZL_E_SYSTEM, errno,
                               "writing it");
    r = check_space(s, (size_t)n, err);
    if (r < 0)
      return r;
    p += n;
    len -= (size_t)n;
    offset += (uint64_t)n;
  }
  return 0;
}

/* A file with holes is not the writer's. */
static int spill_small(struct zl_sink_dir *s, struct zl_error *err)
{
  const struct zl_small_file *small = zl_steal_ptr(&s->small);

  return write_data(s, 0, small->data, small->len, err);
}

static int sink_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                     struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = 0;

  if (s->file_fd < 0)
    return 0;
  if (s->small != NULL && offset == s->small->len && len <= ZL_SMALL_FILE - s->small->len) {
    memcpy(s->small->data + s->small->len, bytes, len);
    s->small->len += len;
    return 0;
  }
  if (s->small != NULL)
    r = spill_small(s, err);
  return r < 0 ? r : write_data(s, offset, bytes, len, err);
}

/* A hole at the end has no data: the length is set where it differs. */
static int set_length(struct zl_sink_dir *s, struct zl_error *err)
{
  struct stat st;

  if (fstat(s->file_fd, &st) < 0)
    return zl__sink_dir_fail(s, err, ZL_E_SYSTEM, errno, "looking at it");
  if ((uint64_t)st.st_size == s->entry.size)
    return 0;
  if (ftruncate(s->file_fd, (off_t)s->entry.size) < 0)
    return zl__sink_dir_fail(s, err, errno == EFBIG ? ZL_E_LIMIT : ZL_E_SYSTEM, errno,
                             "setting its length");
  return 0;
}

static int hand_over(struct zl_sink_dir *s, struct zl_error *err)
{
  struct zl_small_file *small = zl_steal_ptr(&s->small);
  int r = check_space(s, small->len, err);

  if (r < 0)
    return r;
  small->fd = zl_steal_fd(&s->file_fd);
  memcpy(small->path, s->path, strlen(s->path) + 1);
  zl__sink_dir_get_attrs(s, small);
  zl_file_writer_commit(s->writer);
  return 0;
}

static int sink_end(void *sink, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = 0;

  if (s->file_fd < 0)
    return 0;
  if (s->small != NULL && s->small->len == s->entry.size)
    return hand_over(s, err);
  if (s->small != NULL)
    r = spill_small(s, err);
  if (r == 0 && s->entry.size > 0)
    r = set_length(s, err);
  if (r == 0)
    r = zl__sink_dir_set_attrs(s, s->file_fd, err);
  zl_fd_closep(&s->file_fd);
  return r;
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
  s->entry = (struct zl_layer_entry){ .type = ZL_LAYER_DIR, .mode = ROOT_MODE };
  zl_buf_clear(&s->xattrs);
  return zl__sink_dir_set_attrs(s, s->options.root_fd, err);
}

static int sink_finish(void *sink, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = s->writer != NULL ? zl_file_writer_drain(s->writer, err) : 0;

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

  return zl_file_writer_new(&s->writer, err);
}

const struct zl_sink_ops zl_sink_dir_ops = { .start = sink_start,
                                             .begin = sink_begin,
                                             .data = sink_data,
                                             .end = sink_end,
                                             .finish = sink_finish,
                                             .get_totals = sink_get_totals,
                                             .write_notes = sink_write_notes,
                                             .seal = sink_seal,
                                             .free = sink_free };
