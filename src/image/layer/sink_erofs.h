/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that makes one EROFS file of a layer: the same tree that the directory sink makes, with
 * overlayfs' marks (whiteouts, opaque directories) already in it. Paths are resolved in a tree of
 * names in memory, as the kernel would inside a root: no path of the host exists for it.
 *
 * What is noted about lower layers is put right before the seal by entries of a second archive
 * (fixup_archive.h): directories that were implied get attributes, targets of deferred links
 * appear, and what an opaque root hides is whited out. Then finish comes a second time.
 */
#ifndef ZL_IMAGE_LAYER_SINK_EROFS_H
#define ZL_IMAGE_LAYER_SINK_EROFS_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/sink.h"

struct zl_sink_erofs;

struct zl_sink_erofs_options {
  int fd;                 /* an empty regular file, writable; borrowed */
  uint64_t reserve_bytes; /* disk space to leave free */
  bool devices;           /* keep device nodes, else leave them out */
};

extern const struct zl_sink_ops zl_sink_erofs_ops;

int zl_sink_erofs_new(const struct zl_sink_erofs_options *options, struct zl_sink_erofs **ret,
                      struct zl_error *err);
void zl_sink_erofs_free(struct zl_sink_erofs *sink);
ZL_DEFINE_CLEANUP(struct zl_sink_erofs, zl_sink_erofs_free)

#endif
