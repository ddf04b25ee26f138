/* SPDX-License-Identifier: Apache-2.0
 *
 * The writable layer of a container: a directory with sandbox.vhdx, a disk over the image's layers.
 * For a container on the host's kernel the host mounts it. For a machine it must not: a disk that
 * the host has mounted cannot be attached to a machine (ERROR_SHARING_VIOLATION), whose guest
 * mounts it instead.
 *
 * The disk comes formatted: HcsFormatWritableLayerVhd is for disks that one makes oneself, and says
 * E_INVALIDARG to this one.
 */
#ifndef ZL_RUNTIME_HCS_SCRATCH_H
#define ZL_RUNTIME_HCS_SCRATCH_H

#include "runtime/hcs/wclayer.h"

struct zl_hcs_scratch {
  const struct zl_hcs_api *api;
  char *path;   /* of the directory */
  char *volume; /* where the host has mounted it: "\\?\Volume{…}\"; NULL: it has not */
  bool mounted, exists;
};

struct zl_hcs_scratch_options {
  const char *path;                     /* whose parent directory exists */
  const struct zl_wclayer_chain *chain; /* the layers below */
  uint64_t bytes;                       /* of the disk; 0: what Windows gives it, 20 GB */
  bool mount;                           /* on the host */
};

/* What an earlier container of this path left is removed before. On failure nothing is left, as far
 * as that can be done, and *ret is not touched. */
int zl_hcs_scratch_create(const struct zl_hcs_api *api,
                          const struct zl_hcs_scratch_options *options, struct zl_hcs_scratch *ret,
                          struct zl_error *err);
/* Unprepares, deactivates and destroys. Each step is attempted, whatever the others say; the first
 * error is the answer. Success when it is gone already. What failed may be tried again. */
int zl_hcs_scratch_remove(struct zl_hcs_scratch *scratch, struct zl_error *err);
/* Frees the memory only. */
void zl_hcs_scratch_done(struct zl_hcs_scratch *scratch);

/* The disk's file, as a new text. NULL: out of memory. */
char *zl_hcs_scratch_disk(const struct zl_hcs_scratch *scratch);

#endif
