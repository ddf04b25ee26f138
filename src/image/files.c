/* SPDX-License-Identifier: Apache-2.0 */
#include "image/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/archive.h"

enum {
  PIECE = 256 << 10
};

struct zl_files {
  int fd;                     /* the directory or the archive */
  struct zl_archive *archive; /* NULL: a directory */
};

void zl_files_free(struct zl_files *files)
{
  if (files == NULL)
    return;
  zl_archive_free(files->archive);
  zl_fd_closep(&files->fd);
  free(files);
}

static int open_host(const char *path, int flags, struct zl_files **ret, struct zl_error *err)
{
  struct zl_files *files = calloc(1, sizeof(*files));

  if (files == NULL)
    return zl_fail_nomem(err, path);
  /* O_NONBLOCK: a FIFO in place of the file must not hang us. */
  files->fd = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | flags, 0);
  if (files->fd < 0) {
    int os_error = -files->fd;

    free(files);
    return zl_fail(err,
                   os_error == ENOENT    ? ZL_E_NOT_FOUND
                   : os_error == ENOTDIR ? ZL_E_INVALID
                   : os_error == EACCES  ? ZL_E_PERMISSION
                                         : ZL_E_SYSTEM,
                   os_error, "opening '%s'", path);
  }
  *ret = files;
  return 0;
}

int zl_files_open_dir(const char *path, struct zl_files **ret, struct zl_error *err)
{
  return open_host(path, O_DIRECTORY, ret, err);
}

static int regular_size(int fd, const char *name, uint64_t *ret, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "'%s'", name);
  if (!S_ISREG(st.st_mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s' is not a regular file", name);
  *ret = (uint64_t)st.st_size;
  return 0;
}

static int read_archive(struct zl_files *files, const char *name, struct zl_error *err)
{
  uint64_t size = 0;
  int r = regular_size(files->fd, name, &size, err);

  return r < 0 ? r : zl_archive_open(files->fd, size, &files->archive, err);
}

int zl_files_open_archive(const char *path, struct zl_files **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_files_freep) struct zl_files *files = NULL;
  int r = open_host(path, 0, &files, err);

  if (r < 0 || files == NULL)
    return r;
  r = read_archive(files, path, err);
  if (r < 0)
    return zl_wrap(err, "archive '%s'", path);
  *ret = zl_steal_ptr(&files);
  return 0;
}

int zl_files_open_fd(int fd, const char *name, struct zl_files **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_files_freep) struct zl_files *files = calloc(1, sizeof(*files));
  int r;

  if (files == NULL)
    return zl_fail_nomem(err, name);
  files->fd = zl_fd_copy(fd);
  if (files->fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -files->fd, "copying a descriptor");
  r = read_archive(files, name, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&files);
  return 0;
}

static int find_in_dir(const struct zl_files *files, const char *name, struct zl_range *ret,
                       struct zl_error *err)
{
  zl_autofd fd = zl_path_open_in_root(files->fd, name, O_RDONLY | O_NONBLOCK, 0);
  uint64_t size = 0;
  int r;

  if (fd < 0) {
    int os_error = -fd;

    fd = -1;
    return zl_fail(err, os_error == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, os_error,
                   "image layout: '%.200s'", name);
  }
  r = regular_size(fd, name, &size, err);
  if (r < 0)
    return r;
  *ret = (struct zl_range){ .fd = zl_steal_fd(&fd), .owned = true, .size = size };
  return 0;
}

int zl_files_find(const struct zl_files *files, const char *name, struct zl_range *ret,
                  struct zl_error *err)
{
  struct zl_range range = { .fd = files->fd };
  int r;

  if (files->archive == NULL)
    return find_in_dir(files, name, ret, err);
  r = zl_archive_find(files->archive, name, &range.offset, &range.size, err);
  if (r == 0)
    *ret = range;
  return r;
}

void zl_range_done(struct zl_range *range)
{
  if (range->owned)
    zl_fd_closep(&range->fd);
}

int zl_range_stream(const struct zl_range *range, zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  zl_autofree char *piece = malloc(PIECE);
  uint64_t done = 0;

  if (piece == NULL)
    return zl_fail_nomem(err, "reading a blob");
  while (done < range->size) {
    uint64_t left = range->size - done;
    ssize_t n =
        pread(range->fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)(range->offset + done));
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "reading a blob");
    if (n == 0)
      return zl_fail(err, ZL_E_CORRUPT, 0, "a file of the image became shorter while being read");
    r = fn(ctx, piece, (size_t)n, err);
    if (r < 0)
      return r;
    done += (uint64_t)n;
  }
  return 0;
}

static int collect(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  return zl_buf_append(ctx, data, len, err);
}

int zl_files_read(const struct zl_files *files, const char *name, struct zl_buf *ret,
                  struct zl_error *err)
{
  zl_autorange range = { .fd = -1 };
  int r = zl_files_find(files, name, &range, err);

  if (r == 0 && range.size > ret->max)
    r = zl_fail(err, ZL_E_LIMIT, 0, "'%.200s' has %llu bytes, the limit is %zu", name,
                (unsigned long long)range.size, ret->max);
  return r < 0 ? r : zl_range_stream(&range, collect, ret, err);
}
