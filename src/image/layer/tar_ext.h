/* SPDX-License-Identifier: Apache-2.0
 *
 * The extended headers in front of a member (PAX x and g, GNU L and K): collected, parsed, and laid
 * over the member's own header.
 */
#ifndef ZL_IMAGE_LAYER_TAR_EXT_H
#define ZL_IMAGE_LAYER_TAR_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/pax.h"
#include "image/layer/tar_header.h"

struct zl_tar_ext {
  struct zl_buf name, link;    /* payloads of L and K; empty: none */
  struct zl_buf local, global; /* payloads of x and g; what `pax` points into */
  struct zl_pax pax;
  struct zl_pax defaults; /* from global headers */
  struct zl_layer_windows windows;
  struct zl_sparse map; /* of the member to come */
  struct zl_buf *open;  /* where the payload being read goes; NULL: none */
  char type;            /* of it */
  unsigned chain;       /* since the last member */
  bool pending;         /* one of them speaks of the member to come only */
};

enum zl_sparse_form {
  ZL_SPARSE_NONE,
  ZL_SPARSE_IN_HEADER, /* the map is complete */
  ZL_SPARSE_IN_DATA    /* the map precedes the data (PAX 1.0) */
};

void zl_tar_ext_init(struct zl_tar_ext *ext);
void zl_tar_ext_done(struct zl_tar_ext *ext);

/* True for the types x, g, L and K. */
bool zl_tar_ext_is_type(char type);

/* A header of such a type was read: its payload follows through zl_tar_ext_append, then
 * zl_tar_ext_close parses it. ZL_E_LIMIT before anything is allocated; ZL_E_CORRUPT. */
int zl_tar_ext_open(struct zl_tar_ext *ext, const struct zl_tar_header *header,
                    struct zl_error *err);
int zl_tar_ext_append(struct zl_tar_ext *ext, const void *bytes, size_t len, struct zl_error *err);
int zl_tar_ext_close(struct zl_tar_ext *ext, struct zl_error *err);

/* The member itself: *ret with everything laid over `header`, its strings borrowed from both until
 * zl_tar_ext_reset. *ret_stored: bytes in the archive; ret->size: of the file. */
int zl_tar_ext_apply(const struct zl_tar_ext *ext, const struct zl_tar_header *header,
                     struct zl_layer_entry *ret, uint64_t *ret_stored,
                     enum zl_sparse_form *ret_sparse, struct zl_error *err);

/* The member is over: forgets all but the defaults. */
void zl_tar_ext_reset(struct zl_tar_ext *ext);

#endif
