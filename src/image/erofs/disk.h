/* SPDX-License-Identifier: Apache-2.0
 *
 * EROFS on disk, as far as we write it: little-endian, blocks of 4 KiB, uncompressed. The kernel's
 * description is Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
 *
 * A node number is the place of an inode in units of 32 bytes: our metadata area begins at byte 0,
 * so inodes may lie anywhere. Only the root has to be within the first 2 MiB.
 */
#ifndef ZL_IMAGE_EROFS_DISK_H
#define ZL_IMAGE_EROFS_DISK_H

#include <stdint.h>

enum {
  ZL_EROFS_BLOCK_BITS = 12,
  ZL_EROFS_BLOCK = 1 << ZL_EROFS_BLOCK_BITS,
  ZL_EROFS_SLOT = 32, /* what a node number counts */

  /* The superblock, in the first block. */
  ZL_EROFS_SUPER_AT = 1024,
  ZL_EROFS_SUPER_SIZE = 128,
  ZL_EROFS_COMPAT_CHECKSUM = 1,
  ZL_EROFS_COMPAT_MTIME = 2,
  ZL_EROFS_SB_MAGIC = 0,
  ZL_EROFS_SB_CHECKSUM = 4,
  ZL_EROFS_SB_COMPAT = 8,
  ZL_EROFS_SB_BLOCK_BITS = 12,
  ZL_EROFS_SB_ROOT = 14,
  ZL_EROFS_SB_INODES = 16,
  ZL_EROFS_SB_BLOCKS = 36,
  ZL_EROFS_SB_XATTR_BLOCK = 44,
  ZL_EROFS_SB_UUID = 48,
  ZL_EROFS_UUID = 16,

  /* An inode of the extended form: 64-bit size, 32-bit ids, a time of its own. */
  ZL_EROFS_INODE_SIZE = 64,
  ZL_EROFS_EXTENDED = 1,
  ZL_EROFS_LAYOUT_SHIFT = 1,
  ZL_EROFS_PLAIN = 0,  /* whole blocks */
  ZL_EROFS_INLINE = 2, /* whole blocks, and what is left over right behind the inode */
  ZL_EROFS_I_FORMAT = 0,
  ZL_EROFS_I_XATTRS = 2,
  ZL_EROFS_I_MODE = 4,
  ZL_EROFS_I_SIZE = 8,
  ZL_EROFS_I_START = 16, /* first block, or the number of a device */
  ZL_EROFS_I_INO = 20,
  ZL_EROFS_I_UID = 24,
  ZL_EROFS_I_GID = 28,
  ZL_EROFS_I_MTIME = 32,
  ZL_EROFS_I_MTIME_NS = 40,
  ZL_EROFS_I_NLINK = 44,

  /* Extended attributes: a head behind the inode, then entries aligned to 4 bytes. */
  ZL_EROFS_XATTR_HEAD = 12,
  ZL_EROFS_XATTR_SHARED_COUNT = 4, /* in the head; the ids of shared entries follow it */
  ZL_EROFS_XATTR_ENTRY = 4,

  /* A directory is a row of blocks, each of entries and then their names. */
  ZL_EROFS_DIRENT = 12
};

#define ZL_EROFS_MAGIC UINT32_C(0xe0f5e1e2)

static inline void zl_le16(uint8_t *p, uint16_t v)
{
  p[0] = (uint8_t)v;
  p[1] = (uint8_t)(v >> 8);
}

static inline void zl_le32(uint8_t *p, uint32_t v)
{
  zl_le16(p, (uint16_t)v);
  zl_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void zl_le64(uint8_t *p, uint64_t v)
{
  zl_le32(p, (uint32_t)v);
  zl_le32(p + 4, (uint32_t)(v >> 32));
}

#endif
