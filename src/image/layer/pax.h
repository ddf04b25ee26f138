/* SPDX-License-Identifier: Apache-2.0
 *
 * PAX extended headers: records "LENGTH KEY=VALUE\n" that override fields of the next member.
 */
#ifndef ZL_IMAGE_LAYER_PAX_H
#define ZL_IMAGE_LAYER_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/limits.h"
#include "image/layer/sink.h"
#include "image/layer/sparse.h"

/* The fields that were present. Strings point into the parsed text. */
struct zl_pax {
  const char *path, *link; /* NULL: absent */
  bool has_size, has_uid, has_gid, has_mtime;
  uint64_t size;
  uint32_t uid, gid;
  int64_t mtime_s;
  uint32_t mtime_ns;
  struct zl_layer_xattr xattrs[ZL_MAX_TAR_XATTRS];
  size_t n_xattrs;
  /* Sparse files: GNU.sparse.* of the forms 0.0, 0.1 (map in the header) and 1.0 (in the data). */
  const char *sparse_name;
  bool has_sparse_size, sparse_in_header, has_sparse_major, has_sparse_minor;
  uint64_t sparse_size, sparse_major, sparse_minor;
  bool has_sparse_offset; /* 0.0: an offset that still waits for its length */
  uint64_t sparse_offset;
};

/* Parses a local header over *pax (which the caller has cleared) and adds to *map. `text` is
 * changed: line ends become NULs. What is Windows' is added to *windows as it is. ZL_E_CORRUPT,
 * ZL_E_LIMIT. */
int zl_pax_parse(char *text, size_t len, struct zl_pax *pax, struct zl_sparse *map,
                 struct zl_layer_windows *windows, struct zl_error *err);

/* Parses a global header: owner and time become the defaults of all later members. Names, sizes
 * and maps that hold for every member have no honest use and are refused. */
int zl_pax_parse_global(char *text, size_t len, struct zl_pax *pax, struct zl_error *err);

/* All of text[0..len) as a decimal number up to INT64_MAX; no sign, no blanks. */
bool zl_pax_number(const char *text, size_t len, uint64_t *ret);
/* All of it as [-]seconds[.fraction] since 1970. */
bool zl_pax_time(const char *text, size_t len, int64_t *ret_s, uint32_t *ret_ns);

#endif
