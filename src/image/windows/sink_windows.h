/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of Windows images as Windows keeps them: a base layer (no others below it) is made in
 * place; one with others below it is staged, then imported by Windows itself. What the archive says
 * is judged before the host is told anything.
 */
#ifndef ZL_IMAGE_WINDOWS_SINK_WINDOWS_H
#define ZL_IMAGE_WINDOWS_SINK_WINDOWS_H

#include <zlayer/error.h>

#include "image/layer/sink.h"
#include "image/windows/host.h"

struct zl_sink_windows;

/* A sink for zl_sink_windows_ops; `ops` and `host` are borrowed until its end. The host's layer is
 * an empty directory, with its staging directory when there are `n_parents` layers below. The seal
 * does what can be done only after the last entry: import, whiteouts, links, times, and Windows'
 * own work on the layer; after any failure what was made is rubbish and for the caller to remove.
 */
int zl_sink_windows_new(const struct zl_win_host_ops *ops, void *host, size_t n_parents,
                        struct zl_sink_windows **ret, struct zl_error *err);

extern const struct zl_sink_ops zl_sink_windows_ops;

#endif
