/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "image/erofs/disk.h"

enum {
  JOINED = 256 << 10,
  CHECK_SPACE_EVERY = 16 << 20
};

int zl_erofs_out_init(struct zl_erofs_out *out, int fd, uint64_t reserve_bytes,
                      struct zl_error *err)
{
  *out = (struct zl_erofs_out){ .fd = fd, .reserve_bytes = reserve_bytes };
  out->joined = malloc(JOINED);
  return out->joined != NULL ? 0 : zl_fail_nomem(err, "file system image");
}

void zl_erofs_out_done(struct zl_erofs_out *out)
{
  free(out->joined);
  out->joined = NULL;
}

static int check_space(struct zl_erofs_out *out, size_t len, struct zl_error *err)
{
  struct statfs fs;

  out->unchecked += len;
  if (out->unchecked < CHECK_SPACE_EVERY)
    return 0;
  out->unchecked = 0;
  /* On its way to the disk while the rest is made: whatever flushes it has less to do. */
  (void)sync_file_range(out->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  if (fstatfs(out->fd, &fs) < 0)
    return zl_fail_errno(err, "looking at the free disk space");
  if (fs.f_blocks == 0) /* a tmpfs without a limit says so */
    return 0;
  if ((uint64_t)fs.f_bavail < out->reserve_bytes / (uint64_t)fs.f_bsize)
    return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has less than the reserve of %llu MiB left",
                   (unsigned long long)(out->reserve_bytes >> 20));
  return 0;
}

static int write_all(struct zl_erofs_out *out, uint64_t at, const uint8_t *p, size_t len,
                     struct zl_error *err)
{
  while (len > 0) {
    ssize_t n = pwrite(out->fd, p, len, (off_t)at);
    int r;

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail(err, errno == EFBIG ? ZL_E_LIMIT : ZL_E_SYSTEM, errno,
                     "writing the file system image");
    r = check_space(out, (size_t)n, err);
    if (r < 0)
      return r;
    p += n;
    at += (uint64_t)n;
    len -= (size_t)n;
  }
  return 0;
}

int zl_erofs_out_flush(struct zl_erofs_out *out, struct zl_error *err)
{
  size_t len = out->len;

  out->len = 0;
  return write_all(out, out->at, out->joined, len, err);
}

int zl_erofs_out_put(struct zl_erofs_out *out, uint64_t at, const void *bytes, size_t len,
                     struct zl_error *err)
{
  uint64_t end = out->at + out->len, gap = at - end;
  int r;

  if (len == 0)
    return 0;
  if (out->len > 0 && (at < end || gap >= ZL_EROFS_BLOCK || out->len + gap + len > JOINED)) {
    r = zl_erofs_out_flush(out, err);
    if (r < 0)
      return r;
  }
  if (len >= JOINED)
    return write_all(out, at, bytes, len, err);
  if (out->len == 0)
    out->at = at;
  else
    memset(out->joined + out->len, 0, gap);
  out->len = (size_t)(at - out->at);
  memcpy(out->joined + out->len, bytes, len);
  out->len += len;
  return 0;
}
