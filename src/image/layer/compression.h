/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_LAYER_COMPRESSION_H
#define ZL_IMAGE_LAYER_COMPRESSION_H

enum zl_compression {
  ZL_COMPRESSION_NONE,
  ZL_COMPRESSION_GZIP,
  ZL_COMPRESSION_ZSTD,
  ZL_COMPRESSION_AUTO /* by the first bytes: for archives that do not say */
};

/* "none", "gzip", "zstd", "auto". */
static inline const char *zl_compression_name(enum zl_compression compression)
{
  static const char *const names[] = { "none", "gzip", "zstd", "auto" };

  return names[compression];
}

#endif
