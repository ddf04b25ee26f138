/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar.h"

#include <stdlib.h>
#include <string.h>

#include "image/layer/tar_ext.h"
#include "image/layer/tar_header.h"

enum state {
  HEADER,      /* gathering a header block */
  SPARSE_MORE, /* gathering a further block of an old GNU sparse map */
  EXTENSION,   /* payload of an extended header */
  MAP,         /* sparse map in front of the data */
  MAP_PAD,     /* the rest of its last block */
  DATA,
  PAD, /* up to the end of the last block of a payload */
  ENDED
};

struct zl_tar {
  struct zl_tar_limits limits;
  struct zl_tar_totals totals;
  const struct zl_sink_ops *ops;
  void *sink;
  uint64_t charged; /* against limits.bytes */
  uint64_t at;      /* bytes consumed */

  enum state state;
  bool one_zero; /* the last block was zeros */
  uint8_t block[ZL_TAR_BLOCK];
  size_t have;        /* of it */
  uint64_t remaining; /* of the payload, or of the padding */
  unsigned pad;       /* after the payload */

  struct zl_tar_header header;
  struct zl_tar_ext ext;
  struct zl_layer_entry entry;
  uint64_t stored; /* bytes of the member in the archive */
  enum zl_sparse_form sparse;
  struct zl_sparse_reader map_reader;
  size_t segment;        /* being filled */
  uint64_t segment_done; /* of it */
};

int zl_tar_new(const struct zl_tar_limits *limits, const struct zl_sink_ops *ops, void *sink,
               struct zl_tar **ret, struct zl_error *err)
{
  struct zl_tar *tar = calloc(1, sizeof(*tar));

  if (tar == NULL)
    return zl_fail_nomem(err, "archive reader");
  tar->limits = *limits;
  tar->ops = ops;
  tar->sink = sink;
  zl_tar_ext_init(&tar->ext);
  *ret = tar;
  return 0;
}

void zl_tar_free(struct zl_tar *tar)
{
  if (tar == NULL)
    return;
  zl_tar_ext_done(&tar->ext);
  free(tar);
}

struct zl_tar_totals zl_tar_get_totals(const struct zl_tar *tar)
{
  return tar->totals;
}

static unsigned padding_of(uint64_t size)
{
  return (unsigned)(-size % ZL_TAR_BLOCK);
}

/* Everything that costs time or space counts against one limit, so no kind of byte is free. */
static int charge(struct zl_tar *tar, uint64_t bytes, struct zl_error *err)
{
  if (bytes > tar->limits.bytes - tar->charged)
    return zl_fail(err, ZL_E_LIMIT, 0, "the layer unpacks to more than the limit of %llu bytes",
                   (unsigned long long)tar->limits.bytes);
  tar->charged += bytes;
  return 0;
}

static void enter(struct zl_tar *tar, enum state state, uint64_t size)
{
  tar->state = state;
  tar->remaining = size;
}

/* The payload is complete: closes what it belonged to, and goes on after its padding. */
static int payload_done(struct zl_tar *tar, struct zl_error *err)
{
  int r;

  if (tar->state == EXTENSION) {
    r = zl_tar_ext_close(&tar->ext, err);
  } else {
    r = tar->ops->end(tar->sink, err);
    zl_tar_ext_reset(&tar->ext);
    zl_sparse_clear(&tar->ext.map);
  }
  enter(tar, tar->pad > 0 ? PAD : HEADER, tar->pad);
  return r;
}

static int begin_extension(struct zl_tar *tar, struct zl_error *err)
{
  int r = charge(tar, tar->header.size, err);

  if (r == 0)
    r = zl_tar_ext_open(&tar->ext, &tar->header, err);
  if (r < 0)
    return r;
  tar->pad = padding_of(tar->header.size);
  enter(tar, EXTENSION, tar->header.size);
  return tar->remaining == 0 ? payload_done(tar, err) : 0;
}

/* All is known about the member: `stored` bytes of data follow. */
static int begin_member(struct zl_tar *tar, uint64_t stored, struct zl_error *err)
{
  int r = 0;

  if (tar->sparse != ZL_SPARSE_NONE)
    r = zl_sparse_check(&tar->ext.map, tar->entry.size, stored, err);
  if (r == 0)
    r = tar->ops->begin(tar->sink, &tar->entry, err);
  if (r < 0)
    return r;
  tar->totals.bytes += tar->entry.size;
  tar->segment = 0;
  tar->segment_done = 0;
  enter(tar, DATA, stored);
  return stored == 0 ? payload_done(tar, err) : 0;
}

/* Old GNU: the size of the file and the first segments are in the header itself. */
static int begin_old_sparse(struct zl_tar *tar, const uint8_t *block, struct zl_error *err)
{
  int r;

  zl_sparse_clear(&tar->ext.map);
  tar->sparse = ZL_SPARSE_IN_HEADER;
  if (!zl_tar_number(block + ZL_TAR_SPARSE_SIZE_AT, 12, &tar->entry.size))
    return zl_fail(err, ZL_E_CORRUPT, 0, "sparse file with a bad size");
  r = charge(tar, tar->entry.size, err);
  if (r == 0)
    r = zl_sparse_add_fields(&tar->ext.map, block + ZL_TAR_SPARSE_AT, ZL_TAR_SPARSE_IN_HEADER, err);
  if (r < 0)
    return r;
  if (block[ZL_TAR_SPARSE_MORE_AT] == 0)
    return begin_member(tar, tar->stored, err);
  enter(tar, SPARSE_MORE, 0);
  return 0;
}

static int check_names(const struct zl_layer_entry *e, struct zl_error *err)
{
  bool is_link = e->type == ZL_LAYER_HARDLINK || e->type == ZL_LAYER_SYMLINK;

  if (e->path[0] == '\0')
    return zl_fail(err, ZL_E_CORRUPT, 0, "member without a name");
  if (is_link && e->link[0] == '\0')
    return zl_fail(err, ZL_E_CORRUPT, 0, "link without a target");
  return 0;
}

static int take_member(struct zl_tar *tar, const uint8_t *block, struct zl_error *err)
{
  int r = zl_tar_ext_apply(&tar->ext, &tar->header, &tar->entry, &tar->stored, &tar->sparse, err);

  if (r == 0)
    r = check_names(&tar->entry, err);
  if (r == 0)
    r = charge(tar, tar->stored, err);
  if (r < 0)
    return r;
  if (++tar->totals.entries > tar->limits.entries)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %llu members in the layer",
                   (unsigned long long)tar->limits.entries);
  tar->pad = padding_of(tar->stored);
  if (tar->header.type == 'S')
    return begin_old_sparse(tar, block, err);
  if (tar->sparse == ZL_SPARSE_NONE)
    return begin_member(tar, tar->stored, err);
  r = charge(tar, tar->entry.size, err); /* a hole of exabytes costs no stored byte */
  if (r < 0)
    return r;
  if (tar->sparse == ZL_SPARSE_IN_HEADER)
    return begin_member(tar, tar->stored, err);
  tar->map_reader = (struct zl_sparse_reader){ 0 };
  enter(tar, MAP, tar->stored);
  return tar->stored > 0 ? 0 : zl_fail(err, ZL_E_CORRUPT, 0, "sparse file without its map");
}

static int take_header(struct zl_tar *tar, const uint8_t *block, struct zl_error *err)
{
  int r;

  if (zl_tar_is_zero(block)) {
    if (tar->ext.pending)
      return zl_fail(err, ZL_E_CORRUPT, 0, "the archive ends after an extended header");
    if (tar->one_zero)
      tar->state = ENDED;
    tar->one_zero = true;
    return 0;
  }
  if (tar->one_zero)
    return zl_fail(err, ZL_E_CORRUPT, 0, "a member follows half an end mark");
  r = zl_tar_header_parse(block, &tar->header, err);
  if (r < 0)
    return r;
  if (zl_tar_ext_is_type(tar->header.type))
    return begin_extension(tar, err);
  return take_member(tar, block, err);
}

static int take_sparse_block(struct zl_tar *tar, const uint8_t *block, struct zl_error *err)
{
  int r = charge(tar, ZL_TAR_BLOCK, err);

  if (r == 0)
    r = zl_sparse_add_fields(&tar->ext.map, block, ZL_TAR_SPARSE_IN_BLOCK, err);
  if (r < 0)
    return r;
  return block[ZL_TAR_SPARSE_BLOCK_MORE_AT] == 0 ? begin_member(tar, tar->stored, err) : 0;
}

/* Blocks are used where they lie; only one that is cut by the end of a chunk is gathered. */
static int step_block(struct zl_tar *tar, const uint8_t *bytes, size_t len, size_t *used,
                      struct zl_error *err)
{
  const uint8_t *block = bytes;

  *used = len < ZL_TAR_BLOCK - tar->have ? len : ZL_TAR_BLOCK - tar->have;
  if (*used < ZL_TAR_BLOCK) {
    memcpy(tar->block + tar->have, bytes, *used);
    tar->have += *used;
    if (tar->have < ZL_TAR_BLOCK)
      return 0;
    block = tar->block;
    tar->have = 0;
  }
  return tar->state == HEADER ? take_header(tar, block, err) : take_sparse_block(tar, block, err);
}

static int step_extension(struct zl_tar *tar, const uint8_t *bytes, size_t len, size_t *used,
                          struct zl_error *err)
{
  int r;

  *used = len < tar->remaining ? len : (size_t)tar->remaining;
  r = zl_tar_ext_append(&tar->ext, bytes, *used, err);
  if (r < 0)
    return r;
  tar->remaining -= *used;
  return tar->remaining == 0 ? payload_done(tar, err) : 0;
}

/* The map fills whole blocks; what remains of the payload after them is data. */
static int step_map(struct zl_tar *tar, const uint8_t *bytes, size_t len, size_t *used,
                    struct zl_error *err)
{
  int r = 0;
  uint64_t pad;

  while (*used < len && tar->remaining > 0 && r == 0) {
    r = zl_sparse_read(&tar->map_reader, &tar->ext.map, bytes[(*used)++], err);
    tar->remaining--;
  }
  if (r < 0 || (r == 0 && tar->remaining > 0))
    return r;
  pad = padding_of(tar->stored - tar->remaining);
  if (r == 0 || pad > tar->remaining)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the map of a sparse file is cut off");
  tar->stored = tar->remaining - pad;
  enter(tar, MAP_PAD, pad);
  return pad == 0 ? begin_member(tar, tar->stored, err) : 0;
}

static int step_skip(struct zl_tar *tar, size_t len, size_t *used, struct zl_error *err)
{
  *used = len < tar->remaining ? len : (size_t)tar->remaining;
  tar->remaining -= *used;
  if (tar->remaining > 0)
    return 0;
  if (tar->state == MAP_PAD)
    return begin_member(tar, tar->stored, err);
  enter(tar, HEADER, 0);
  return 0;
}

/* One run of data: up to the end of the member, of the segment, or of the chunk. */
static int step_data(struct zl_tar *tar, const uint8_t *bytes, size_t len, size_t *used,
                     struct zl_error *err)
{
  uint64_t run = tar->remaining, offset = tar->entry.size - tar->remaining;
  int r;

  if (tar->sparse != ZL_SPARSE_NONE) {
    const struct zl_segment *seg = &tar->ext.map.segments[tar->segment];

    if (tar->segment_done == seg->len) {
      tar->segment++; /* the check of the map made sure that there is one more */
      tar->segment_done = 0;
      return 0;
    }
    run = seg->len - tar->segment_done;
    offset = seg->offset + tar->segment_done;
  }
  *used = len < run ? len : (size_t)run;
  r = tar->ops->data(tar->sink, offset, bytes, *used, err);
  if (r < 0)
    return r;
  tar->segment_done += *used;
  tar->remaining -= *used;
  return tar->remaining == 0 ? payload_done(tar, err) : 0;
}

/* Takes some of the bytes; *used may be 0 when only the state changed. */
static int step(struct zl_tar *tar, const uint8_t *bytes, size_t len, size_t *used,
                struct zl_error *err)
{
  *used = 0;
  switch (tar->state) {
  case HEADER:
  case SPARSE_MORE:
    return step_block(tar, bytes, len, used, err);
  case EXTENSION:
    return step_extension(tar, bytes, len, used, err);
  case MAP:
    return step_map(tar, bytes, len, used, err);
  case MAP_PAD:
  case PAD:
    return step_skip(tar, len, used, err);
  case DATA:
    return step_data(tar, bytes, len, used, err);
  case ENDED:
    *used = len;
    return charge(tar, len, err);
  }
  return zl_fail(err, ZL_E_INTERNAL, 0, "archive reader in state %d", (int)tar->state);
}

int zl_tar_feed(struct zl_tar *tar, const void *bytes, size_t len, struct zl_error *err)
{
  const uint8_t *p = bytes;

  while (len > 0) {
    size_t used;
    int r = step(tar, p, len, &used, err);

    if (r < 0)
      return zl_wrap(err, "layer archive at byte %llu", (unsigned long long)tar->at);
    p += used;
    len -= used;
    tar->at += used;
  }
  return 0;
}

int zl_tar_finish(struct zl_tar *tar, struct zl_error *err)
{
  bool whole = tar->state == HEADER && tar->have == 0 && !tar->ext.pending;

  if (!whole && tar->state != ENDED)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the layer archive is cut off at byte %llu",
                   (unsigned long long)tar->at);
  return tar->ops->finish(tar->sink, err);
}
