/* SPDX-License-Identifier: Apache-2.0
 *
 * A strict, streaming reader of tar archives: v7, ustar, GNU and PAX with their sparse forms. Where
 * readers disagree it follows the one that images are tested with (Go's), or refuses: an archive
 * that two programs read differently is an attack on whoever trusts the other one.
 */
#ifndef ZL_IMAGE_LAYER_TAR_H
#define ZL_IMAGE_LAYER_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/sink.h"

enum {
  ZL_TAR_BLOCK = 512
};

struct zl_tar; /* one archive being read */

struct zl_tar_limits {
  uint64_t bytes;   /* file sizes, extended headers and bytes after the end, all together */
  uint64_t entries; /* members */
};

struct zl_tar_totals {
  uint64_t bytes; /* of files, holes included */
  uint64_t entries;
};

/* `ops` and `sink` are borrowed until zl_tar_free. */
int zl_tar_new(const struct zl_tar_limits *limits, const struct zl_sink_ops *ops, void *sink,
               struct zl_tar **ret, struct zl_error *err);

/* Takes the next bytes, cut anywhere. Calls the sink, and blocks as it does. After a failure only
 * zl_tar_free may follow. ZL_E_CORRUPT: not a well-formed archive; ZL_E_LIMIT. */
int zl_tar_feed(struct zl_tar *tar, const void *bytes, size_t len, struct zl_error *err);

/* The stream has ended. An archive may lack its trailer, but not a part of a member. */
int zl_tar_finish(struct zl_tar *tar, struct zl_error *err);

/* So far. Cannot fail. */
struct zl_tar_totals zl_tar_get_totals(const struct zl_tar *tar);

void zl_tar_free(struct zl_tar *tar);
ZL_DEFINE_CLEANUP(struct zl_tar, zl_tar_free)

#endif
