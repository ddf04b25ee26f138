/* SPDX-License-Identifier: Apache-2.0
 *
 * The host for Windows layers that is one. The process has the privileges for backup, restore and
 * security on.
 */
#ifndef ZL_IMAGE_WINDOWS_WIN32_HOST_WIN32_H
#define ZL_IMAGE_WINDOWS_WIN32_HOST_WIN32_H

#include "image/windows/host.h"
#include "image/windows/services.h"

struct zl_win_host_options {
  int layer_fd;   /* an open directory on NTFS, borrowed like all here */
  int staging_fd; /* another one; -1: a base layer */
  const int *parent_fds;
  size_t n_parents;
  zl_win_backup_fn backup_read, backup_write;
  /* Calls of the layer services; they know where the directories are. */
  int (*import_layer)(void *ctx, struct zl_error *err);
  int (*process_base)(void *ctx, struct zl_error *err);
  int (*process_utility)(void *ctx, struct zl_error *err);
  void *ctx;
};

/* The host for the table is the options themselves. */
extern const struct zl_win_host_ops zl_win_host_win32;

#endif
