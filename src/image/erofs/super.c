/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "image/erofs/internal.h"
#include "image/erofs/xattr.h"

/* Bit by bit: three KiB once or twice in the life of an image. */
uint32_t zl__erofs_checksum(const uint8_t *p, size_t len)
{
  uint32_t crc = UINT32_MAX;

  for (size_t i = 0; i < len; i++) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
  }
  return crc;
}

static void encode_super(const struct zl_erofs *image, uint64_t xattr_block, uint8_t *sb)
{
  zl_le32(sb + ZL_EROFS_SB_MAGIC, ZL_EROFS_MAGIC);
  zl_le32(sb + ZL_EROFS_SB_COMPAT, ZL_EROFS_COMPAT_CHECKSUM | ZL_EROFS_COMPAT_MTIME);
  sb[ZL_EROFS_SB_BLOCK_BITS] = ZL_EROFS_BLOCK_BITS;
  zl_le16(sb + ZL_EROFS_SB_ROOT, ZL_EROFS_ROOT_AT / ZL_EROFS_SLOT);
  zl_le64(sb + ZL_EROFS_SB_INODES, image->inodes);
  zl_le32(sb + ZL_EROFS_SB_BLOCKS, (uint32_t)image->next_block);
  zl_le32(sb + ZL_EROFS_SB_XATTR_BLOCK, (uint32_t)xattr_block);
  zl_le64(sb + ZL_EROFS_SB_UUID, image->identity[0]);
  zl_le64(sb + ZL_EROFS_SB_UUID + 8, image->identity[1]);
  sb[ZL_EROFS_SB_UUID + 6] = (uint8_t)((sb[ZL_EROFS_SB_UUID + 6] & 0x0f) | 0x80); /* version 8 */
  sb[ZL_EROFS_SB_UUID + 8] = (uint8_t)((sb[ZL_EROFS_SB_UUID + 8] & 0x3f) | 0x80);
}

/* The root's attributes may be longer than block 0, so they are stored as shared ones. */
static int write_root_xattrs(struct zl_erofs *image, const struct zl_erofs_inode_disk *root,
                             uint8_t *head, uint64_t *ret_block, struct zl_error *err)
{
  const struct zl_erofs_attrs *a = &root->attrs;
  zl_autofree uint8_t *entries = NULL;
  size_t size;
  int r = zl_erofs_xattrs_size(a->xattrs, a->xattrs_len, &size, err);

  if (r < 0 || size == 0)
    return r;
  entries = calloc(1, size);
  if (entries == NULL)
    return zl_fail_nomem(err, "extended attributes");
  zl_erofs_xattrs_encode_shared(a->xattrs, a->xattrs_len, head, entries);
  r = zl__erofs_take_blocks(image, zl__erofs_blocks_of(size), ret_block, err);
  if (r == 0)
    r = zl_erofs_out_put(&image->out, *ret_block * ZL_EROFS_BLOCK, entries, size, err);
  return r;
}

int zl__erofs_write_first_block(struct zl_erofs *image, const struct zl_erofs_inode_disk *root,
                                const uint8_t *rest, size_t rest_len, struct zl_error *err)
{
  uint8_t block[ZL_EROFS_BLOCK] = { 0 };
  uint8_t *super = block + ZL_EROFS_SUPER_AT, *inode = block + ZL_EROFS_ROOT_AT;
  uint64_t xattr_block = 0;
  int r = write_root_xattrs(image, root, inode + ZL_EROFS_INODE_SIZE, &xattr_block, err);

  if (r < 0)
    return r;
  zl__erofs_encode_inode(image, root, inode);
  if (rest_len > 0)
    memcpy(inode + ZL_EROFS_INODE_SIZE + root->xattrs_size, rest, rest_len);
  encode_super(image, xattr_block, super);
  zl_le32(super + ZL_EROFS_SB_CHECKSUM,
          zl__erofs_checksum(super, ZL_EROFS_BLOCK - ZL_EROFS_SUPER_AT));
  return zl_erofs_out_put(&image->out, 0, block, sizeof(block), err);
}
