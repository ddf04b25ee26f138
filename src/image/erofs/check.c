/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/erofs/internal.h"

static uint32_t read32(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool is_zero(const uint8_t *p, size_t from, size_t to)
{
  while (from < to && p[from] == 0)
    from++;
  return from == to;
}

/* All that we leave zero stands between these fields and behind the identifier. */
static bool is_ours(const uint8_t *sb, uint64_t size)
{
  return read32(sb + ZL_EROFS_SB_MAGIC) == ZL_EROFS_MAGIC &&
         read32(sb + ZL_EROFS_SB_COMPAT) == (ZL_EROFS_COMPAT_CHECKSUM | ZL_EROFS_COMPAT_MTIME) &&
         sb[ZL_EROFS_SB_BLOCK_BITS] == ZL_EROFS_BLOCK_BITS && sb[ZL_EROFS_SB_BLOCK_BITS + 1] == 0 &&
         sb[ZL_EROFS_SB_ROOT] == ZL_EROFS_ROOT_AT / ZL_EROFS_SLOT &&
         sb[ZL_EROFS_SB_ROOT + 1] == 0 && is_zero(sb, ZL_EROFS_SB_INODES + 8, ZL_EROFS_SB_BLOCKS) &&
         is_zero(sb, ZL_EROFS_SB_BLOCKS + 4, ZL_EROFS_SB_XATTR_BLOCK) &&
         is_zero(sb, ZL_EROFS_SB_UUID + ZL_EROFS_UUID, ZL_EROFS_SUPER_SIZE) &&
         (uint64_t)read32(sb + ZL_EROFS_SB_BLOCKS) * ZL_EROFS_BLOCK == size;
}

int zl_erofs_check(int fd, struct zl_error *err)
{
  uint8_t block[ZL_EROFS_BLOCK];
  uint8_t *sb = block + ZL_EROFS_SUPER_AT;
  uint32_t sum;
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "looking at an image");
  if (pread(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) ||
      !is_ours(sb, (uint64_t)st.st_size))
    return zl_fail(err, ZL_E_CORRUPT, 0, "the image is not one that zlayer writes");
  sum = read32(sb + ZL_EROFS_SB_CHECKSUM);
  memset(sb + ZL_EROFS_SB_CHECKSUM, 0, 4);
  if (sum != zl__erofs_checksum(sb, ZL_EROFS_BLOCK - ZL_EROFS_SUPER_AT))
    return zl_fail(err, ZL_E_CORRUPT, 0, "the image's checksum is wrong");
  return 0;
}
