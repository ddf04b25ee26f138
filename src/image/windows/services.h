/* SPDX-License-Identifier: Apache-2.0
 *
 * What of Windows a layer is made with, beside its files. The store of layers gets it from who has
 * the table of Windows' functions.
 */
#ifndef ZL_IMAGE_WINDOWS_SERVICES_H
#define ZL_IMAGE_WINDOWS_SERVICES_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "image/platform.h"

/* BackupRead and BackupWrite. */
typedef int (*zl_win_backup_fn)(void *file, uint8_t *data, uint32_t len, uint32_t *done, int abort,
                                int security, void **context);

/* Paths are absolute. Any number of threads. */
struct zl_win_services {
  /* Before anything else: finds the functions, and turns on the privileges for backup, restore and
   * security for the rest of the process's life. Idempotent. ZL_E_UNSUPPORTED: this Windows runs no
   * containers; ZL_E_PERMISSION. */
  int (*begin)(void *ctx, zl_win_backup_fn *ret_read, zl_win_backup_fn *ret_write,
               struct zl_error *err);
  /* The host's version: "10.0.20348". */
  int (*host_version)(void *ctx, char ret[ZL_PLATFORM_PART], struct zl_error *err);
  /* ImportLayer from `staging` into `layer`, over `below`, nearest first. */
  int (*import_layer)(void *ctx, const char *layer, const char *staging, char *const *below,
                      size_t n_below, struct zl_error *err);
  int (*process_base)(void *ctx, const char *layer, struct zl_error *err);
  int (*process_utility)(void *ctx, const char *utility_vm, struct zl_error *err);
  void *ctx;
};

#endif
