/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/fixup_archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/layer/lower.h"
#include "image/layer/notes.h"
#include "image/layer/tar_write.h"

enum {
  NAMES = 64 << 10, /* XATTR_LIST_MAX */
  COPY = 256 << 10,
  BLOCK = 512
};

struct making {
  struct zl_lower lower;
  const struct zl_byte_sink *to;
  struct zl_path_set sent;   /* targets */
  struct zl_path_set opaque; /* directories of the layer */
  struct zl_buf out;         /* headers of one member */
  uint8_t *copy;
  char link[ZL_LAYER_PATH];
};

static void making_done(struct making *m)
{
  zl_path_set_done(&m->sent);
  zl_path_set_done(&m->opaque);
  zl_buf_done(&m->out);
  free(m->copy);
}

/* ---- One member ------------------------------------------------------------------------------ */

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
    return zl_fail(err, ZL_E_LIMIT, 0, "extended attributes of a lower layer's file");
  }
  x->values[x->n] = value;
  x->list[x->n++] = (struct zl_layer_xattr){ .name = name, .value = value, .len = (size_t)size };
  return 0;
}

/* All of them: the reader keeps what a layer may set. `fd` is open for reading. */
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
    if (strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0)
      r = read_value(fd, name, x, err);
  return r;
}

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

static int send_content(struct making *m, int fd, uint64_t size, struct zl_error *err)
{
  static const char zeros[BLOCK];

  for (uint64_t left = size; left > 0;) {
    ssize_t n = read(fd, m->copy, left < COPY ? (size_t)left : COPY);
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "reading a file of a lower layer");
    r = m->to->write(m->to->ctx, m->copy, (size_t)n, err);
    if (r < 0)
      return r;
    left -= (uint64_t)n;
  }
  return m->to->write(m->to->ctx, zeros, zl_tar_padding(size), err);
}

static int send_entry(struct making *m, const struct zl_layer_entry *e, struct zl_error *err)
{
  int r;

  zl_buf_clear(&m->out);
  r = zl_tar_write_entry(&m->out, e, err);
  return r < 0 ? r : m->to->write(m->to->ctx, m->out.data, m->out.len, err);
}

static int read_link(struct making *m, int fd, struct zl_error *err)
{
  ssize_t n = readlinkat(fd, "", m->link, sizeof(m->link) - 1);

  if (n < 0)
    return zl_fail_errno(err, "reading a link of a lower layer");
  m->link[n] = '\0';
  return 0;
}

/* Files and directories have attributes and content, and are opened for them. */
static int send_object(struct making *m, const char *path, int object, const struct stat *st,
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
    r = read_link(m, object, err);
    e.link = m->link;
  } else if (e.type == ZL_LAYER_FILE || e.type == ZL_LAYER_DIR) {
    fd = zl_fd_open(AT_FDCWD, zl_path_of_fd(object, proc), O_RDONLY, 0);
    if (fd < 0) {
      r = zl_fail(err, ZL_E_SYSTEM, -fd, "opening an object of a lower layer");
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
    r = send_entry(m, &e, err);
  return r < 0 || e.type != ZL_LAYER_FILE ? r : send_content(m, fd, e.size, err);
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static int send_directory(struct making *m, const char *path, struct zl_error *err)
{
  zl_autofd from = -1;
  struct stat st;
  int r = zl_lower_find(&m->lower, path, &from, err);

  if (r <= 0)
    return r;
  if (fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  /* The layer replaces something else by a directory: nothing to take over. */
  return S_ISDIR(st.st_mode) ? send_object(m, path, from, &st, err) : 0;
}

static int send_target(struct making *m, const struct zl_note *note, struct zl_error *err)
{
  char path[ZL_LAYER_QUOTE], target[ZL_LAYER_QUOTE];
  zl_autofd from = -1;
  struct stat st = { 0 };
  int r;

  if (zl_path_set_has(&m->sent, note->target))
    return 0;
  r = zl_path_set_add(&m->sent, note->target, err);
  if (r == 0)
    r = zl_lower_find(&m->lower, note->target, &from, err);
  if (r < 0)
    return r;
  if (r > 0 && fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a lower layer's file");
  if (r == 0 || S_ISDIR(st.st_mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "hard link '%s' to '%s': the target is %s",
                   zl_layer_quote(note->path, path), zl_layer_quote(note->target, target),
                   r == 0 ? "in no layer" : "a directory");
  return send_object(m, note->target, from, &st, err);
}

static void close_dirp(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
}

static int send_whiteouts(struct making *m, int lower_fd, struct zl_error *err)
{
  int fd = zl_path_open_in_root(lower_fd, ".", O_RDONLY | O_DIRECTORY, 0), r = 0;
  ZL_CLEANUP(close_dirp) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  const struct dirent *e;

  if (dir == NULL)
    return zl_fail(err, ZL_E_SYSTEM, fd < 0 ? -fd : errno, "listing a lower layer");
  while (r == 0 && (e = readdir(dir)) != NULL) {
    char name[sizeof(e->d_name) + sizeof(".wh.")];
    const struct zl_layer_entry entry = { .type = ZL_LAYER_FILE, .path = name, .link = "" };

    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    (void)snprintf(name, sizeof(name), ".wh.%s", e->d_name);
    r = send_entry(m, &entry, err);
  }
  return r;
}

static int send_note(struct making *m, const struct zl_note *note, struct zl_error *err)
{
  int r = 0;

  if (note->kind == 'd')
    return send_directory(m, note->path, err);
  if (note->kind == 'l')
    return send_target(m, note, err);
  for (size_t i = 0; *note->path == '\0' && i < m->lower.n && r == 0; i++)
    r = send_whiteouts(m, m->lower.fds[i], err);
  return r;
}

static int list_opaque(struct making *m, const char *text, struct zl_note *note,
                       struct zl_error *err)
{
  int r;

  while ((r = zl_note_read(&text, note, err)) > 0) {
    r = note->kind == 'o' && *note->path != '\0' ? zl_path_set_add(&m->opaque, note->path, err) : 0;
    if (r < 0)
      return r;
  }
  return r;
}

int zl_fixup_archive(const int *lower_fds, size_t n_lower, const char *fixup,
                     const struct zl_byte_sink *to, struct zl_error *err)
{
  ZL_CLEANUP(making_done)
  struct making m = { .lower = { .layer_fd = -1, .fds = lower_fds, .n = n_lower },
                      .to = to,
                      .out.max = (size_t)2 * ZL_MAX_TAR_EXTENSION };
  zl_autofree struct zl_note *note = calloc(1, sizeof(*note));
  int r;

  m.copy = malloc(COPY);
  if (note == NULL || m.copy == NULL)
    return zl_fail_nomem(err, "what lower layers give");
  m.lower.opaque = &m.opaque;
  r = list_opaque(&m, fixup, note, err);
  while (r == 0 && (r = zl_note_read(&fixup, note, err)) > 0)
    r = send_note(&m, note, err);
  return r;
}
