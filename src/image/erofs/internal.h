/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the writer.
 */
#ifndef ZL_IMAGE_EROFS_INTERNAL_H
#define ZL_IMAGE_EROFS_INTERNAL_H

#include "image/erofs/disk.h"
#include "image/erofs/out.h"
#include "image/erofs/writer.h"

enum {
  /* Inodes are gathered in runs of blocks that grow with the image: a small one stays small, in a
   * large one what is read together lies together. */
  ZL_EROFS_RUN_MAX = 16
};

/* A run of blocks for inodes, in memory until it is full. */
struct zl_erofs_run {
  uint64_t block; /* its place in the image */
  unsigned blocks;
  uint16_t used[ZL_EROFS_RUN_MAX];
  uint8_t data[ZL_EROFS_RUN_MAX * ZL_EROFS_BLOCK];
};

/* The file whose content is expected. */
struct zl_erofs_open_file {
  uint64_t size, start; /* where its blocks begin, in bytes */
  uint64_t whole;       /* bytes of its content that lie in blocks */
  uint8_t *rest;        /* room for the others, in the run */
};

struct zl_erofs {
  struct zl_erofs_out out;
  struct zl_erofs_tree tree;
  uint64_t next_block;
  uint64_t inodes;
  uint64_t inodes_end;  /* of the last one in the image, in bytes */
  uint64_t identity[2]; /* of what was written, for the identifier of the file system */
  unsigned run_blocks;  /* of all runs so far */
  struct zl_erofs_run run;
  struct zl_erofs_open_file file;
};

struct zl_erofs_inode_disk {
  struct zl_erofs_attrs attrs;
  unsigned layout;
  uint64_t size;
  uint32_t start; /* block or device */
  uint32_t nlink;
  size_t xattrs_size;
};

/* Takes the next `n` blocks. ZL_E_LIMIT: a block has 32 bits. */
int zl__erofs_take_blocks(struct zl_erofs *image, uint64_t n, uint64_t *ret_block,
                          struct zl_error *err);
/* Notes where an inode is. */
static inline void zl__erofs_note_inode(struct zl_erofs *image, uint64_t at)
{
  if (at + ZL_EROFS_INODE_SIZE > image->inodes_end)
    image->inodes_end = at + ZL_EROFS_INODE_SIZE;
}

/* Encodes the fixed part; `to` is zeroed. Each inode of the image passes here once. */
void zl__erofs_encode_inode(struct zl_erofs *image, const struct zl_erofs_inode_disk *inode,
                            uint8_t *to);
/* Writes the run out and forgets it. */
int zl__erofs_flush_run(struct zl_erofs *image, struct zl_error *err);

static inline uint64_t zl__erofs_blocks_of(uint64_t bytes)
{
  return bytes / ZL_EROFS_BLOCK + (bytes % ZL_EROFS_BLOCK != 0);
}

/* CRC-32C. */
uint32_t zl__erofs_checksum(const uint8_t *bytes, size_t len);

/* super.c: the superblock and the root's inode, in block 0. `root` has its place, layout and
 * attributes set; `rest` is what is inline. */
int zl__erofs_write_first_block(struct zl_erofs *image, const struct zl_erofs_inode_disk *root,
                                const uint8_t *rest, size_t rest_len, struct zl_error *err);
/* Where the root's inode is, in bytes. */
enum {
  ZL_EROFS_ROOT_AT = ZL_EROFS_SUPER_AT + ZL_EROFS_SUPER_SIZE
};

#endif
