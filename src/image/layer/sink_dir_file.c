/* SPDX-License-Identifier: Apache-2.0
 *
 * Files with their content, and the other objects that have a name and no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "image/layer/sink_dir_internal.h"

enum {
  CHECK_SPACE_EVERY = 16 << 20
};

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

int zl__sink_dir_place(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name,
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
  return e->type == ZL_LAYER_FILE ? 0 : zl__sink_dir_set_attrs_at(s, name, err);
}

int zl__sink_dir_place_file(struct zl_sink_dir *s, const struct zl_layer_entry *e, const char *name,
                            bool is_free, struct zl_error *err)
{
  int r;

  if (s->writer == NULL || !is_free || e->size > ZL_SMALL_FILE || s->xattrs.len > 0)
    return zl__sink_dir_place(s, e, name, err);
  r = zl_file_writer_reserve(s->writer, &s->small, err);
  if (r == 0)
    s->small->len = 0;
  return r;
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

/* A file with holes is not the writer's after all. */
static int spill_small(struct zl_sink_dir *s, struct zl_error *err)
{
  const struct zl_small_file *small = zl_steal_ptr(&s->small);
  int r = zl__sink_dir_place(s, &s->entry, zl_layer_path_name(s->path), err);

  return r < 0 ? r : write_data(s, 0, small->data, small->len, err);
}

int zl__sink_dir_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = 0;

  if (s->small != NULL && offset == s->small->len && len <= ZL_SMALL_FILE - s->small->len) {
    memcpy(s->small->data + s->small->len, bytes, len);
    s->small->len += len;
    return 0;
  }
  if (s->small != NULL)
    r = spill_small(s, err);
  return r < 0 || s->file_fd < 0 ? r : write_data(s, offset, bytes, len, err);
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
  small->dir = s->dir.live;
  zl_live_dir_ref(&s->live, small->dir);
  memcpy(small->path, s->path, strlen(s->path) + 1);
  zl__sink_dir_get_attrs(s, small);
  zl_file_writer_commit(s->writer);
  return 0;
}

int zl__sink_dir_end(void *sink, struct zl_error *err)
{
  struct zl_sink_dir *s = sink;
  int r = 0;

  if (s->small != NULL && s->small->len == s->entry.size)
    return hand_over(s, err);
  if (s->small != NULL)
    r = spill_small(s, err);
  if (r < 0 || s->file_fd < 0)
    return r;
  if (s->entry.size > 0)
    r = set_length(s, err);
  if (r == 0)
    r = zl__sink_dir_set_attrs(s, s->file_fd, err);
  zl_fd_closep(&s->file_fd);
  return r;
}
