/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/layer/layer_path.h"
#include "image/layer/tar_write.h"

enum {
  NAMES = 64 << 10, /* XATTR_LIST_MAX */
  COPY = 256 << 10,
  BLOCK = 512
};

int zl_tar_writer_init(struct zl_tar_writer *writer, const struct zl_byte_sink *to,
                       struct zl_error *err)
{
  *writer = (struct zl_tar_writer){ .to = to, .out.max = (size_t)2 * ZL_MAX_TAR_EXTENSION };
  writer->copy = malloc(COPY);
  writer->link = malloc(ZL_LAYER_PATH);
  return writer->copy != NULL && writer->link != NULL ? 0 : zl_fail_nomem(err, "an archive");
}

void zl_tar_writer_done(struct zl_tar_writer *writer)
{
  zl_buf_done(&writer->out);
  zl_freep(&writer->copy);
  zl_freep(&writer->link);
}

/* ---- Extended attributes --------------------------------------------------------------------- */

struct xattrs {
  char *names;
  struct zl_layer_xattr list[ZL_MAX_TAR_XATTRS];
  char *values[ZL_MAX_TAR_XATTRS];
  size_t n;
};

static void xattrs_done(struct xattrs *x)
{
  for (size_t i = 0; i < x->n; i++)
    free(x->values[i]);
  free(x->names);
}

static int read_value(int fd, const char *name, struct xattrs *x, struct zl_error *err)
{
  ssize_t size = fgetxattr(fd, name, NULL, 0);
  char *value = size < 0 ? NULL : malloc((size_t)size + 1);

  if (size < 0)
    return zl_fail_errno(err, "reading the extended attribute '%s'", name);
  if (value == NULL)
    return zl_fail_nomem(err, "extended attributes");
  if (x->n == ZL_MAX_TAR_XATTRS || fgetxattr(fd, name, value, (size_t)size) != size) {
    free(value);
    return zl_fail(err, ZL_E_LIMIT, 0, "extended attributes of a layer's file");
  }
  x->values[x->n] = value;
  x->list[x->n++] = (struct zl_layer_xattr){ .name = name, .value = value, .len = (size_t)size };
  return 0;
}

/* What layer/law.h lets a layer set. */
static bool is_kept(const char *name)
{
  return (zl_has_prefix(name, "user.") && !zl_has_prefix(name, "user.overlay.")) ||
         strcmp(name, "security.capability") == 0;
}

static int by_name(const void *a, const void *b)
{
  return strcmp(((const struct zl_layer_xattr *)a)->name, ((const struct zl_layer_xattr *)b)->name);
}

/* `fd` is open for reading. */
static int read_xattrs(int fd, struct xattrs *x, struct zl_error *err)
{
  ssize_t len;
  int r = 0;

  x->names = malloc(NAMES);
  if (x->names == NULL)
    return zl_fail_nomem(err, "extended attributes");
  len = flistxattr(fd, x->names, NAMES);
  if (len < 0)
    return errno == EOPNOTSUPP ? 0 : zl_fail_errno(err, "listing extended attributes");
  for (const char *name = x->names; name < x->names + len && r == 0; name += strlen(name) + 1)
    if (is_kept(name))
      r = read_value(fd, name, x, err);
  /* File systems list them in orders of their own. */
  if (x->n > 1)
    qsort(x->list, x->n, sizeof(x->list[0]), by_name);
  return r;
}

/* ---- Members --------------------------------------------------------------------------------- */

static enum zl_layer_type type_of(mode_t mode)
{
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return ZL_LAYER_DIR;
  case S_IFLNK:
    return ZL_LAYER_SYMLINK;
  case S_IFCHR:
    return ZL_LAYER_CHAR;
  case S_IFBLK:
    return ZL_LAYER_BLOCK;
  case S_IFIFO:
    return ZL_LAYER_FIFO;
  default:
    return ZL_LAYER_FILE;
  }
}

int zl_tar_put_entry(struct zl_tar_writer *w, const struct zl_layer_entry *e, struct zl_error *err)
{
  int r;

  zl_buf_clear(&w->out);
  r = zl_tar_write_entry(&w->out, e, err);
  return r < 0 ? r : w->to->write(w->to->ctx, w->out.data, w->out.len, err);
}

static int put_content(struct zl_tar_writer *w, int fd, uint64_t size, struct zl_error *err)
{
  static const char zeros[BLOCK];

  for (uint64_t left = size; left > 0;) {
    ssize_t n = read(fd, w->copy, left < COPY ? (size_t)left : COPY);
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "reading a file of a layer");
    r = w->to->write(w->to->ctx, w->copy, (size_t)n, err);
    if (r < 0)
      return r;
    left -= (uint64_t)n;
  }
  return w->to->write(w->to->ctx, zeros, zl_tar_padding(size), err);
}

static int read_link(struct zl_tar_writer *w, int fd, struct zl_error *err)
{
  ssize_t n = readlinkat(fd, "", w->link, ZL_LAYER_PATH - 1);

  if (n < 0)
    return zl_fail_errno(err, "reading a link of a layer");
  w->link[n] = '\0';
  return 0;
}

/* Files and directories have attributes and content, and are opened for them. */
int zl_tar_put_object(struct zl_tar_writer *w, const char *path, int object, const struct stat *st,
                      struct zl_error *err)
{
  ZL_CLEANUP(xattrs_done) struct xattrs x = { 0 };
  char proc[ZL_FD_PATH];
  zl_autofd fd = -1;
  struct zl_layer_entry e = { .type = type_of(st->st_mode),
                              .path = path,
                              .link = "",
                              .mtime_s = st->st_mtim.tv_sec,
                              .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
                              .mode = st->st_mode & 07777,
                              .uid = st->st_uid,
                              .gid = st->st_gid };
  int r = 0;

  if (e.type == ZL_LAYER_SYMLINK) {
    r = read_link(w, object, err);
    e.link = w->link;
  } else if (e.type == ZL_LAYER_FILE || e.type == ZL_LAYER_DIR) {
    fd = zl_fd_open(AT_FDCWD, zl_path_of_fd(object, proc), O_RDONLY, 0);
    if (fd < 0) {
      r = zl_fail(err, ZL_E_SYSTEM, -fd, "opening an object of a layer");
      fd = -1;
      return r;
    }
    r = read_xattrs(fd, &x, err);
    e.xattrs = x.list;
    e.n_xattrs = x.n;
    e.size = e.type == ZL_LAYER_FILE ? (uint64_t)st->st_size : 0;
  } else {
    e.major = major(st->st_rdev);
    e.minor = minor(st->st_rdev);
  }
  if (r == 0)
    r = zl_tar_put_entry(w, &e, err);
  return r < 0 || e.type != ZL_LAYER_FILE ? r : put_content(w, fd, e.size, err);
}

int zl_tar_put_end(struct zl_tar_writer *w, struct zl_error *err)
{
  static const char zeros[2 * BLOCK];

  return w->to->write(w->to->ctx, zeros, sizeof(zeros), err);
}
