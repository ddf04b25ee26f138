/* SPDX-License-Identifier: Apache-2.0 */
#include "image/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"

enum {
  FIRST_STEP_MS = 1,
  LAST_STEP_MS = 32, /* flock(2) has no timed wait */
  DATA_ALIGN = 4096
};

/* In the byte order of the node: the file never leaves it. The counts of the pieces follow. */
struct head {
  char magic[8];
  uint64_t size;
  uint32_t piece_bytes;
  uint32_t pieces;
};
static const char magic[8] = "ZLPART1";

int zl_partial_open_dir(int root_fd, bool make)
{
  return make ? zl_path_open_dir(root_fd, "partial", 0700)
              : zl_fd_open(root_fd, "partial", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static void file_name(const char *digest, char ret[ZL_PARTIAL_NAME])
{
  (void)snprintf(ret, ZL_PARTIAL_NAME, "%s", digest);
  ret[strcspn(ret, ":")] = '-';
}

/* ---- The lock -------------------------------------------------------------------------------- */

/* The holder may have removed the file before he let go. */
static bool still_named(int dir_fd, const char *name, int fd)
{
  struct stat held, named;

  return fstat(fd, &held) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev && S_ISREG(held.st_mode);
}

/* 1 when the file is open and locked, 0 when somebody else fills it, or -errno. */
static int try_open(int dir_fd, const char *name, int flags, int *ret_fd)
{
  for (;;) {
    zl_autofd fd = zl_fd_open(dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | flags, 0600);

    if (fd < 0) {
      int r = fd;

      fd = -1;
      /* Windows: a removed file's name stays taken while somebody has the file open. */
      return r == -ENOENT && (flags & O_CREAT) != 0 ? 0 : r;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
      return errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    if (still_named(dir_fd, name, fd)) {
      *ret_fd = zl_steal_fd(&fd);
      return 1;
    }
  }
}

static int wait_open(int dir_fd, const char *name, int cancel_fd, int *ret_fd, struct zl_error *err)
{
  struct pollfd p = { .fd = cancel_fd, .events = POLLIN };
  int step = FIRST_STEP_MS, r;

  while ((r = try_open(dir_fd, name, O_CREAT, ret_fd)) == 0) {
    if (poll(&p, cancel_fd >= 0 ? 1 : 0, step) > 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
    step = step < LAST_STEP_MS ? 2 * step : LAST_STEP_MS;
  }
  return r > 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, -r, "opening 'partial/%s'", name);
}

/* ---- The head -------------------------------------------------------------------------------- */

static size_t counts_bytes(const struct zl_partial_map *map)
{
  return map->count * sizeof(*map->have);
}

/* Bytes of a piece that are claimed but lie in a hole never reached the disk. A file system that
 * cannot tell says that there are none. */
static uint32_t without_hole(const struct zl_partial *p, size_t i, uint64_t file_bytes)
{
  const uint64_t start = p->data_offset + (uint64_t)i * ZL_PIECE_BYTES;
  const uint32_t have = p->map.have[i];
  off_t hole = have > 0 && start < file_bytes ? lseek(p->fd, (off_t)start, SEEK_HOLE) : 0;

  if (hole < 0)
    hole = (off_t)file_bytes;
  if ((uint64_t)hole <= start)
    return 0;
  return (uint64_t)hole - start < have ? (uint32_t)((uint64_t)hole - start) : have;
}

/* False: the file is empty, of another blob, or was damaged. */
static bool read_head(struct zl_partial *p)
{
  struct head head;
  struct stat st;

  if (fstat(p->fd, &st) < 0 || pread(p->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
      memcmp(head.magic, magic, sizeof(magic)) != 0 || head.size != p->map.size ||
      head.piece_bytes != ZL_PIECE_BYTES || head.pieces != p->map.count ||
      pread(p->fd, p->map.have, counts_bytes(&p->map), sizeof(head)) !=
          (ssize_t)counts_bytes(&p->map))
    return false;
  for (size_t i = 0; i < p->map.count; i++) {
    if (p->map.have[i] > zl_partial_piece_bytes(&p->map, i))
      return false;
    p->map.have[i] = without_hole(p, i, (uint64_t)st.st_size);
  }
  return true;
}

static int write_at(int fd, const void *data, size_t len, uint64_t offset)
{
  const char *from = data;

  if (ZL_FAULT("image.partial.write"))
    return -ENOSPC;
  while (len > 0) {
    ssize_t n = pwrite(fd, from, len, (off_t)offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? -errno : -EIO;
    from += n;
    len -= (size_t)n;
    offset += (size_t)n;
  }
  return 0;
}

/* The counts are cleared before the magic makes them count. */
static int write_head(struct zl_partial *p)
{
  struct head head = { .size = p->map.size,
                       .piece_bytes = ZL_PIECE_BYTES,
                       .pieces = (uint32_t)p->map.count };
  int r = ftruncate(p->fd, 0) < 0 ? -errno : 0;

  memcpy(head.magic, magic, sizeof(magic));
  memset(p->map.have, 0, counts_bytes(&p->map));
  if (r == 0)
    r = write_at(p->fd, p->map.have, counts_bytes(&p->map), sizeof(head));
  return r == 0 ? write_at(p->fd, &head, sizeof(head), 0) : r;
}

/* ---- One file -------------------------------------------------------------------------------- */

/* For what is missing, and for the layer, which is seldom smaller than its blob. */
static int check_room(const struct zl_partial *p, struct zl_error *err)
{
  const uint64_t wanted = ZL_LAYER_RESERVE + 2 * p->map.size - zl_partial_map_total(&p->map);
  struct statvfs fs;

  if (fstatvfs(p->fd, &fs) < 0)
    return zl_fail_errno(err, "measuring the disk");
  if (fs.f_bavail >= wanted / fs.f_frsize)
    return 0;
  return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has no room for a download of %llu bytes",
                 (unsigned long long)p->map.size);
}

static int open_locked(struct zl_partial *p, struct zl_error *err)
{
  int r;

  if (!read_head(p)) {
    r = write_head(p);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "writing 'partial/%s'", p->name);
  }
  return check_room(p, err);
}

int zl_partial_open(int dir_fd, const char *digest, uint64_t size, int cancel_fd,
                    struct zl_partial *ret, struct zl_error *err)
{
  struct zl_partial p = { .dir_fd = dir_fd, .fd = -1 };
  int r = zl_partial_map_init(&p.map, size, err);

  if (r < 0)
    return r;
  file_name(digest, p.name);
  p.data_offset = sizeof(struct head) + counts_bytes(&p.map) + DATA_ALIGN - 1;
  p.data_offset -= p.data_offset % DATA_ALIGN;
  r = wait_open(dir_fd, p.name, cancel_fd, &p.fd, err);
  if (r == 0)
    r = open_locked(&p, err);
  if (r < 0) {
    zl_partial_remove(&p);
    return r;
  }
  *ret = p;
  return 0;
}

int zl_partial_write(const struct zl_partial *partial, uint64_t offset, const void *data,
                     size_t len)
{
  return write_at(partial->fd, data, len, partial->data_offset + offset);
}

int zl_partial_record(const struct zl_partial *partial, size_t i, uint32_t have)
{
  return write_at(partial->fd, &have, sizeof(have), sizeof(struct head) + i * sizeof(have));
}

ssize_t zl_partial_read(const struct zl_partial *partial, uint64_t offset, void *data, size_t len)
{
  ssize_t n;

  do
    n = pread(partial->fd, data, len, (off_t)(partial->data_offset + offset));
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

void zl_partial_close(struct zl_partial *partial)
{
  zl_fd_closep(&partial->fd);
  zl_partial_map_done(&partial->map);
}

void zl_partial_remove(struct zl_partial *partial)
{
  if (partial->fd >= 0)
    (void)unlinkat(partial->dir_fd, partial->name, 0);
  zl_partial_close(partial);
}

void zl_partial_discard(int dir_fd, const char *digest)
{
  char name[ZL_PARTIAL_NAME];
  zl_autofd fd = -1;

  file_name(digest, name);
  if (try_open(dir_fd, name, 0, &fd) > 0)
    (void)unlinkat(dir_fd, name, 0);
}
