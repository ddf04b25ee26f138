/* SPDX-License-Identifier: Apache-2.0
 *
 * What the author of a layer may say and what it means, the same for every sink: whiteouts,
 * bookkeeping of other tools, device numbers, extended attributes.
 */
#ifndef ZL_IMAGE_LAYER_LAW_H
#define ZL_IMAGE_LAYER_LAW_H

#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/sink.h"

enum zl_layer_role {
  ZL_ROLE_NODE,     /* something that shall be there */
  ZL_ROLE_WHITEOUT, /* hides a name of lower layers */
  ZL_ROLE_OPAQUE,   /* hides all that lower layers have in this directory */
  ZL_ROLE_IGNORED
};

/* Judges an entry by its clean path, which is not the root's: NULL and *ret_role, or why it is
 * refused, as a static text. */
const char *zl_layer_judge(const char *path, const struct zl_layer_entry *entry,
                           enum zl_layer_role *ret_role);
/* Of a whiteout's last name: the name that it hides. */
const char *zl_layer_whiteout_name(const char *name);

/* Puts the attributes that a layer may set into *kept, packed (erofs/xattr.h). ZL_E_CORRUPT: one is
 * malformed. */
int zl_layer_keep_xattrs(const struct zl_layer_entry *entry, struct zl_buf *kept,
                         struct zl_error *err);

#endif
