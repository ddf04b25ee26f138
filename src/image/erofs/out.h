/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing to places of one file that mostly follow one another: neighbours are joined into large
 * writes. Nobody reads the file back.
 */
#ifndef ZL_IMAGE_EROFS_OUT_H
#define ZL_IMAGE_EROFS_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_erofs_out {
  int fd;                 /* borrowed */
  uint64_t reserve_bytes; /* disk space to leave free */
  uint64_t unchecked;     /* bytes written since the free space was looked at */
  uint64_t at;            /* where the joined bytes go */
  size_t len;
  uint8_t *joined;
};

int zl_erofs_out_init(struct zl_erofs_out *out, int fd, uint64_t reserve_bytes,
                      struct zl_error *err);
void zl_erofs_out_done(struct zl_erofs_out *out);

/* Writes, at latest with the next flush. Between two places that follow one another closely nothing
 * (less than a block) nothing may have been written yet: zeros are. ZL_E_LIMIT: the disk is too
 * full. */
int zl_erofs_out_put(struct zl_erofs_out *out, uint64_t at, const void *bytes, size_t len,
                     struct zl_error *err);
int zl_erofs_out_flush(struct zl_erofs_out *out, struct zl_error *err);

#endif
