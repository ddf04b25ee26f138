/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/erofs/internal.h"
#include "image/erofs/xattr.h"

enum {
  MAX_TARGET = 4095 /* of a symbolic link: PATH_MAX with the NUL */
};

int zl_erofs_new(const struct zl_erofs_options *options, struct zl_erofs **ret,
                 struct zl_error *err)
{
  ZL_CLEANUP(zl_erofs_freep) struct zl_erofs *image = calloc(1, sizeof(*image));
  int r;

  if (image == NULL)
    return zl_fail_nomem(err, "file system image");
  image->next_block = 1;
  image->identity[0] = UINT64_C(14695981039346656037);
  image->identity[1] = UINT64_C(0x9e3779b97f4a7c15);
  r = zl_erofs_out_init(&image->out, options->fd, options->reserve_bytes, err);
  if (r == 0)
    r = zl_erofs_tree_init(&image->tree, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&image);
  return 0;
}

void zl_erofs_free(struct zl_erofs *image)
{
  if (image == NULL)
    return;
  zl_erofs_out_done(&image->out);
  zl_erofs_tree_done(&image->tree);
  free(image);
}

struct zl_erofs_tree *zl_erofs_get_tree(struct zl_erofs *image)
{
  return &image->tree;
}

int zl__erofs_take_blocks(struct zl_erofs *image, uint64_t n, uint64_t *ret_block,
                          struct zl_error *err)
{
  if (n > UINT32_MAX || image->next_block + n > UINT32_MAX)
    return zl_fail(err, ZL_E_LIMIT, 0, "an image of more than 16 TiB");
  *ret_block = image->next_block;
  image->next_block += n;
  return 0;
}

/* ---- Inodes ---------------------------------------------------------------------------------- */

/* Two sums with different factors: an identifier, no protection. */
static void identify(struct zl_erofs *image, const uint8_t *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    image->identity[0] = (image->identity[0] ^ bytes[i]) * UINT64_C(1099511628211);
    image->identity[1] = (image->identity[1] + bytes[i]) * UINT64_C(6364136223846793005) + 1;
  }
}

void zl__erofs_encode_inode(struct zl_erofs *image, const struct zl_erofs_inode_disk *inode,
                            uint8_t *to)
{
  const struct zl_erofs_attrs *a = &inode->attrs;

  zl_le16(to + ZL_EROFS_I_FORMAT,
          (uint16_t)(ZL_EROFS_EXTENDED | inode->layout << ZL_EROFS_LAYOUT_SHIFT));
  if (inode->xattrs_size > 0)
    zl_le16(to + ZL_EROFS_I_XATTRS, (uint16_t)((inode->xattrs_size - ZL_EROFS_XATTR_HEAD) / 4 + 1));
  zl_le16(to + ZL_EROFS_I_MODE, (uint16_t)a->mode);
  zl_le64(to + ZL_EROFS_I_SIZE, inode->size);
  zl_le32(to + ZL_EROFS_I_START, inode->start);
  zl_le32(to + ZL_EROFS_I_INO, (uint32_t)++image->inodes);
  zl_le32(to + ZL_EROFS_I_UID, a->uid);
  zl_le32(to + ZL_EROFS_I_GID, a->gid);
  zl_le64(to + ZL_EROFS_I_MTIME, (uint64_t)a->mtime_s);
  zl_le32(to + ZL_EROFS_I_MTIME_NS, a->mtime_ns);
  zl_le32(to + ZL_EROFS_I_NLINK, inode->nlink);
  identify(image, to, ZL_EROFS_INODE_SIZE);
}

int zl__erofs_flush_run(struct zl_erofs *image, struct zl_error *err)
{
  struct zl_erofs_run *run = &image->run;
  size_t len = (size_t)run->blocks * ZL_EROFS_BLOCK;

  run->blocks = 0;
  return zl_erofs_out_put(&image->out, run->block * ZL_EROFS_BLOCK, run->data, len, err);
}

static int start_run(struct zl_erofs *image, struct zl_error *err)
{
  struct zl_erofs_run *run = &image->run;
  unsigned blocks = image->run_blocks < 1                  ? 1
                    : image->run_blocks > ZL_EROFS_RUN_MAX ? ZL_EROFS_RUN_MAX
                                                           : image->run_blocks;
  int r = zl__erofs_flush_run(image, err);

  if (r == 0)
    r = zl__erofs_take_blocks(image, blocks, &run->block, err);
  if (r < 0)
    return r;
  run->blocks = blocks;
  image->run_blocks += blocks;
  memset(run->used, 0, sizeof(run->used));
  memset(run->data, 0, (size_t)blocks * ZL_EROFS_BLOCK);
  return 0;
}

/* Room for `need` bytes within one block of the run. */
static uint8_t *find_room(struct zl_erofs_run *run, size_t need, uint64_t *ret_at)
{
  for (unsigned i = 0; i < run->blocks; i++) {
    const size_t used = run->used[i];

    if (need > ZL_EROFS_BLOCK - used)
      continue;
    *ret_at = (run->block + i) * ZL_EROFS_BLOCK + used;
    run->used[i] = (uint16_t)(used + (need + ZL_EROFS_SLOT - 1) / ZL_EROFS_SLOT * ZL_EROFS_SLOT);
    return run->data + (size_t)i * ZL_EROFS_BLOCK + used;
  }
  return NULL;
}

/* Attributes that do not fit into one block get blocks of their own. */
static int write_large(struct zl_erofs *image, const struct zl_erofs_inode_disk *inode,
                       uint64_t *ret_nid, struct zl_error *err)
{
  size_t len = ZL_EROFS_INODE_SIZE + inode->xattrs_size;
  zl_autofree uint8_t *bytes = calloc(1, len);
  uint64_t block;
  int r;

  if (bytes == NULL)
    return zl_fail_nomem(err, "extended attributes");
  r = zl__erofs_take_blocks(image, zl__erofs_blocks_of(len), &block, err);
  if (r < 0)
    return r;
  zl__erofs_encode_inode(image, inode, bytes);
  zl_erofs_xattrs_encode(inode->attrs.xattrs, inode->attrs.xattrs_len, bytes + ZL_EROFS_INODE_SIZE);
  *ret_nid = block * (ZL_EROFS_BLOCK / ZL_EROFS_SLOT);
  return zl_erofs_out_put(&image->out, block * ZL_EROFS_BLOCK, bytes, len, err);
}

/* Places the inode with its attributes and room for `rest` bytes behind them, which must fit. */
static int write_inode(struct zl_erofs *image, const struct zl_erofs_inode_disk *inode, size_t rest,
                       uint8_t **ret_rest, uint64_t *ret_nid, struct zl_error *err)
{
  size_t fixed = ZL_EROFS_INODE_SIZE + inode->xattrs_size;
  uint64_t at;
  uint8_t *to;
  int r;

  if (fixed > ZL_EROFS_BLOCK)
    return write_large(image, inode, ret_nid, err);
  to = find_room(&image->run, fixed + rest, &at);
  if (to == NULL) {
    r = start_run(image, err);
    if (r < 0)
      return r;
    to = find_room(&image->run, fixed + rest, &at);
    if (to == NULL)
      return zl_fail(err, ZL_E_INTERNAL, 0, "an inode larger than a block");
  }
  zl__erofs_note_inode(image, at);
  zl__erofs_encode_inode(image, inode, to);
  zl_erofs_xattrs_encode(inode->attrs.xattrs, inode->attrs.xattrs_len, to + ZL_EROFS_INODE_SIZE);
  *ret_rest = to + fixed;
  *ret_nid = at / ZL_EROFS_SLOT;
  return 0;
}

/* ---- Content --------------------------------------------------------------------------------- */

static int begin_content(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, uint64_t size,
                         uint64_t *ret_nid, struct zl_error *err)
{
  struct zl_erofs_inode_disk inode = { .attrs = *attrs, .size = size, .nlink = 1 };
  struct zl_erofs_open_file *file = &image->file;
  size_t rest = size % ZL_EROFS_BLOCK;
  uint64_t block = 0;
  int r = zl_erofs_xattrs_size(attrs->xattrs, attrs->xattrs_len, &inode.xattrs_size, err);

  if (r < 0)
    return r;
  if (rest > 0 && ZL_EROFS_INODE_SIZE + inode.xattrs_size + rest <= ZL_EROFS_BLOCK)
    inode.layout = ZL_EROFS_INLINE;
  else
    rest = 0;
  if (size > rest)
    r = zl__erofs_take_blocks(image, zl__erofs_blocks_of(size - rest), &block, err);
  inode.start = (uint32_t)block;
  *file = (struct zl_erofs_open_file){ .size = size,
                                       .start = block * ZL_EROFS_BLOCK,
                                       .whole = size - rest };
  return r < 0 ? r : write_inode(image, &inode, rest, &file->rest, ret_nid, err);
}

int zl_erofs_file(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, uint64_t size,
                  uint64_t *ret_nid, struct zl_error *err)
{
  return begin_content(image, attrs, size, ret_nid, err);
}

int zl_erofs_file_data(struct zl_erofs *image, uint64_t offset, const void *bytes, size_t len,
                       struct zl_error *err)
{
  const struct zl_erofs_open_file *file = &image->file;
  const uint8_t *p = bytes;
  size_t whole;
  int r;

  if (offset > file->size || len > file->size - offset)
    return zl_fail(err, ZL_E_INTERNAL, 0, "content beyond the end of a file");
  whole = offset >= file->whole                  ? 0
          : len < (size_t)(file->whole - offset) ? len
                                                 : (size_t)(file->whole - offset);
  r = zl_erofs_out_put(&image->out, file->start + offset, p, whole, err);
  if (len > whole)
    memcpy(file->rest + (offset + whole - file->whole), p + whole, len - whole);
  return r;
}

int zl_erofs_symlink(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, const char *target,
                     uint64_t *ret_nid, struct zl_error *err)
{
  size_t len = strlen(target);
  int r;

  if (len == 0 || len > MAX_TARGET)
    return zl_fail(err, ZL_E_CORRUPT, 0, "a symbolic link to %zu bytes of text", len);
  r = begin_content(image, attrs, len, ret_nid, err);
  return r < 0 ? r : zl_erofs_file_data(image, 0, target, len, err);
}

int zl_erofs_special(struct zl_erofs *image, const struct zl_erofs_attrs *attrs, uint32_t major,
                     uint32_t minor, uint64_t *ret_nid, struct zl_error *err)
{
  struct zl_erofs_inode_disk inode = { .attrs = *attrs,
                                       .start = (minor & 0xff) | major << 8 |
                                                (minor & ~UINT32_C(0xff)) << 12,
                                       .nlink = 1 };
  uint8_t *rest;
  int r = zl_erofs_xattrs_size(attrs->xattrs, attrs->xattrs_len, &inode.xattrs_size, err);

  image->file = (struct zl_erofs_open_file){ 0 };
  return r < 0 ? r : write_inode(image, &inode, 0, &rest, ret_nid, err);
}
