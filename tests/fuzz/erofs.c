/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the EROFS sink: archives of any bytes, the second half of them given as what lower
 * layers give. It neither crashes nor leaks; an image that it makes has a superblock with the right
 * length, and every name in it is found again: the tree is walked as a kernel would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "image/erofs/disk.h"
#include "image/layer/sink_erofs.h"
#include "image/layer/tar.h"
#include "tar_mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_BYTES = 1 << 20,
  MAX_ENTRIES = 1000,
  MAX_DEPTH = 300,
  MAX_IMAGE = 8 << 20 /* what the two limits allow, and room */
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

/* ---- Reading back ---------------------------------------------------------------------------- */

struct image {
  const uint8_t *data;
  size_t size;
};

static uint64_t number(const uint8_t *p, int bytes)
{
  uint64_t v = 0;

  while (bytes-- > 0)
    v = v << 8 | p[bytes];
  return v;
}

static const uint8_t *inode_at(const struct image *image, uint64_t nid)
{
  require(nid < image->size / ZL_EROFS_SLOT &&
          nid * ZL_EROFS_SLOT + ZL_EROFS_INODE_SIZE <= image->size);
  return image->data + nid * ZL_EROFS_SLOT;
}

/* One block of a directory: the whole one at `at`, or what is inline. */
static const uint8_t *dir_block(const struct image *image, const uint8_t *inode, uint64_t at,
                                size_t len)
{
  uint64_t count = number(inode + ZL_EROFS_I_XATTRS, 2), body = ZL_EROFS_INODE_SIZE, place;

  body += count > 0 ? ZL_EROFS_XATTR_HEAD + 4 * (count - 1) : 0;
  if (number(inode, 2) >> ZL_EROFS_LAYOUT_SHIFT == ZL_EROFS_INLINE && len < ZL_EROFS_BLOCK)
    place = (uint64_t)(inode - image->data) + body;
  else
    place = number(inode + ZL_EROFS_I_START, 4) * ZL_EROFS_BLOCK + at;
  require(place + len <= image->size);
  return image->data + place;
}

static void walk(const struct image *image, uint64_t nid, uint64_t parent, int depth);

static void walk_block(const struct image *image, uint64_t nid, uint64_t parent, int depth,
                       const uint8_t *block, size_t len)
{
  size_t first = (size_t)number(block + 8, 2), n = first / ZL_EROFS_DIRENT;

  require(n > 0 && first % ZL_EROFS_DIRENT == 0 && first < len);
  for (size_t i = 0; i < n; i++) {
    const uint8_t *entry = block + i * ZL_EROFS_DIRENT;
    size_t from = (size_t)number(entry + 8, 2);
    size_t to = i + 1 < n ? (size_t)number(entry + ZL_EROFS_DIRENT + 8, 2) : len;
    const uint8_t *name = block + from;

    require(from >= first && from < to && to <= len && *name != '\0');
    if (*name == '.' && (to == from + 1 || name[1] == '\0'))
      require(number(entry, 8) == nid);
    else if (*name == '.' && name[1] == '.' && (to == from + 2 || name[2] == '\0'))
      require(number(entry, 8) == parent);
    else if (entry[10] == 2)
      walk(image, number(entry, 8), nid, depth + 1);
    else
      require(!S_ISDIR(number(inode_at(image, number(entry, 8)) + ZL_EROFS_I_MODE, 2)));
  }
}

static void walk(const struct image *image, uint64_t nid, uint64_t parent, int depth)
{
  const uint8_t *inode = inode_at(image, nid);
  uint64_t size = number(inode + ZL_EROFS_I_SIZE, 8);

  require(depth < MAX_DEPTH && S_ISDIR(number(inode + ZL_EROFS_I_MODE, 2)) && size > 0);
  for (uint64_t at = 0; at < size; at += ZL_EROFS_BLOCK) {
    size_t len = size - at < ZL_EROFS_BLOCK ? (size_t)(size - at) : ZL_EROFS_BLOCK;

    walk_block(image, nid, parent, depth, dir_block(image, inode, at, len), len);
  }
}

static void check(int fd, const uint8_t *map)
{
  struct image image = { .data = map };
  struct stat st;
  uint64_t root;

  require(fstat(fd, &st) == 0 && st.st_size >= ZL_EROFS_BLOCK && st.st_size <= MAX_IMAGE);
  image.size = (size_t)st.st_size;
  require(number(image.data + ZL_EROFS_SUPER_AT, 4) == ZL_EROFS_MAGIC);
  require(number(image.data + ZL_EROFS_SUPER_AT + ZL_EROFS_SB_BLOCKS, 4) * ZL_EROFS_BLOCK ==
          image.size);
  root = number(image.data + ZL_EROFS_SUPER_AT + ZL_EROFS_SB_ROOT, 2);
  walk(&image, root, root, 0);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int feed(void *sink, const uint8_t *data, size_t size)
{
  const struct zl_tar_limits limits = { .bytes = MAX_BYTES, .entries = MAX_ENTRIES };
  ZL_CLEANUP(zl_tar_freep) struct zl_tar *tar = NULL;
  struct zl_error err = { 0 };
  int r = zl_tar_new(&limits, &zl_sink_erofs_ops, sink, &tar, &err);

  if (r == 0 && size > 0)
    r = zl_tar_feed(tar, data, size, &err);
  if (r == 0)
    r = zl_tar_finish(tar, &err);
  require(r == 0 || (-r == (int)err.code && err.msg[0] != '\0'));
  return r;
}

static void make(int fd, const uint8_t *map, const uint8_t *data, size_t size)
{
  const struct zl_sink_erofs_options options = { .fd = fd, .reserve_bytes = 1, .devices = true };
  ZL_CLEANUP(zl_sink_erofs_freep) struct zl_sink_erofs *sink = NULL;
  zl_autobuf notes = ZL_BUF_INIT((size_t)16 << 20);
  size_t cut = size > BLOCK ? size / 2 / BLOCK * BLOCK : size;

  require(zl_sink_erofs_new(&options, &sink, NULL) == 0);
  if (feed(sink, data, cut) < 0)
    return;
  require(zl_sink_erofs_ops.write_notes(sink, &notes, NULL) == 0);
  if (cut < size && feed(sink, data + cut, size - cut) < 0)
    return;
  if (zl_sink_erofs_ops.seal(sink, NULL) == 0)
    check(fd, map);
}

/* One file in memory and one map of it serve all inputs: only its length is set anew. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint8_t *map;
  static int fd = -1;

  if (fd < 0) {
    fd = memfd_create("erofs", MFD_CLOEXEC);
    require(fd >= 0);
    map = mmap(NULL, MAX_IMAGE, PROT_READ, MAP_SHARED, fd, 0);
    require(map != MAP_FAILED);
  }
  require(ftruncate(fd, 0) == 0);
  make(fd, map, data, size);
  return 0;
}
