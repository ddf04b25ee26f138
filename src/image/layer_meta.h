/* SPDX-License-Identifier: Apache-2.0
 *
 * What a layer's directory says about it, meta.json, and whether it counts.
 *
 * A pull does not wait for the disk: what is published may be lost, in part, when the power fails.
 * So meta.json names the boot in which the layer was made, and is made read-only when a flush has
 * come after it (layer_flush.h). A layer counts in the boot that made it, which has it in memory,
 * and in every other if it was flushed.
 */
#ifndef ZL_IMAGE_LAYER_META_H
#define ZL_IMAGE_LAYER_META_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/digest.h"
#include "base/time.h"

struct zl_layer_meta {
  char diff_id[ZL_DIGEST_TEXT];
  uint64_t bytes;             /* content of its files */
  uint64_t files;             /* entries of the archive */
  char boot[ZL_BOOT_ID_TEXT]; /* of its making; "": it was flushed before it was published */
};

enum zl_layer_trust {
  ZL_LAYER_VOID,    /* of an earlier boot and not flushed, or without good metadata */
  ZL_LAYER_UNKNOWN, /* the metadata could not be read: not a reason to throw anything away */
  ZL_LAYER_PENDING, /* of this boot, to be flushed */
  ZL_LAYER_FLUSHED
};

/* Of the layer in the directory `key`. ZL_E_NOT_FOUND, ZL_E_CORRUPT. */
int zl_layer_meta_read(int dirfd, const char *key, struct zl_layer_meta *ret, struct zl_error *err);
/* Writes it into the directory of a layer that is being made, with this boot in place of
 * meta->boot. Nothing is flushed. */
int zl_layer_meta_write(int layer_fd, const struct zl_layer_meta *meta, struct zl_error *err);
/* The same of a layer that is on the disk: naming no boot, and flushed. */
int zl_layer_meta_write_flushed(int layer_fd, const struct zl_layer_meta *meta,
                                struct zl_error *err);

/* How far the layer in this directory counts. */
enum zl_layer_trust zl_layer_trust(int layer_fd);
/* The same of the layer in the directory `key`, which need not be there. */
enum zl_layer_trust zl_layer_trust_of(int dirfd, const char *key);
/* A flush has come after everything in the directory. Any number of times, also while the layer is
 * being removed. Whether it took, zl_layer_trust tells. */
void zl_layer_set_flushed(int layer_fd);
/* Whatever of the layer is on the disk, it counts no more. 0 or -errno; 0 also when it did not. */
int zl_layer_set_void(int layer_fd);

#endif
