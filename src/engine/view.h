/* SPDX-License-Identifier: Apache-2.0
 *
 * A container's file system as its first process sees it when all is mounted.
 */
#ifndef ZL_ENGINE_VIEW_H
#define ZL_ENGINE_VIEW_H

#include "engine/config.h"

/* A container's root, and what is mounted on its /proc and /sys: -1 for nothing, or another file
 * system on /sys. The names may be another's a moment later, where containers share a root. */
struct zl_view {
  int root_fd, proc_fd, sys_fd;
};

/* Opens the two of view->root_fd. ZL_E_INVALID when something is mounted on /proc, or was to be,
 * that is no procfs (CVE-2019-19921: a volume or link in its place); /sys is what was asked for. */
int zl_view_find(const struct zl_engine_config *config, struct zl_view *view, struct zl_error *err);

#endif
