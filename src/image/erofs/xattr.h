/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended attributes, packed in memory and as EROFS stores them.
 */
#ifndef ZL_IMAGE_EROFS_XATTR_H
#define ZL_IMAGE_EROFS_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

/* A packed list: of each attribute its name with the NUL, the value's length and the value. */
int zl_xattrs_add(struct zl_buf *list, const char *name, const void *value, size_t len,
                  struct zl_error *err);
/* Takes the attribute at *at and moves on: true, or false at `end`. The list is our own work and
 * well-formed. */
bool zl_xattrs_next(const char **at, const char *end, const char **ret_name, const void **ret_value,
                    size_t *ret_len);

/* Bytes of the list behind an inode; 0 for an empty list. ZL_E_LIMIT: it takes no such list;
 * ZL_E_UNSUPPORTED: a name in no name space that EROFS knows. */
int zl_erofs_xattrs_size(const char *list, size_t len, size_t *ret, struct zl_error *err);
/* Writes them; `to` has the size that was told and is zeroed. */
void zl_erofs_xattrs_encode(const char *list, size_t len, uint8_t *to);

/* The same with all entries shared: the head and its references, which lie behind the inode, and
 * the entries, which lie elsewhere. */
size_t zl_erofs_xattrs_head_size(const char *list, size_t len);
void zl_erofs_xattrs_encode_shared(const char *list, size_t len, uint8_t *head, uint8_t *entries);

#endif
