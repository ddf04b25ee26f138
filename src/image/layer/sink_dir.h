/* SPDX-License-Identifier: Apache-2.0
 *
 * The sink that makes a directory for overlayfs: whiteouts become character devices 0:0, opaque
 * directories and everything else that lower layers decide is noted for later.
 *
 * Every parent is opened inside the root with links kept in it, and every object is made, replaced
 * or changed by its last name in that parent, never through a link: an archive can do nothing to
 * what it did not make itself (CVE-2021-29136, CVE-2021-32760, CVE-2026-50163). The directory must
 * have no other user meanwhile, and the calling process a umask of 0.
 */
#ifndef ZL_IMAGE_LAYER_SINK_DIR_H
#define ZL_IMAGE_LAYER_SINK_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/layer/sink.h"

struct zl_sink_dir;

struct zl_sink_dir_options {
  int root_fd;            /* empty directory, borrowed */
  uint64_t reserve_bytes; /* disk space to leave free */
  bool devices;           /* make device nodes, else leave them out */
};

extern const struct zl_sink_ops zl_sink_dir_ops;

int zl_sink_dir_new(const struct zl_sink_dir_options *options, struct zl_sink_dir **ret,
                    struct zl_error *err);

void zl_sink_dir_free(struct zl_sink_dir *sink);
ZL_DEFINE_CLEANUP(struct zl_sink_dir, zl_sink_dir_free)

#endif
