/* SPDX-License-Identifier: Apache-2.0
 *
 * What a member of a Windows layer says of its file, checked: the PAX records MSWINDOWS.fileattr,
 * .rawsd, .sd, .mountpoint, .xattr.*, LIBARCHIVE.creationtime, atime and ctime.
 */
#ifndef ZL_IMAGE_WINDOWS_ATTRIBUTES_H
#define ZL_IMAGE_WINDOWS_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/sink.h"

/* FILE_ATTRIBUTE_* */
enum {
  ZL_WIN_DIRECTORY = 0x10,
  ZL_WIN_DEVICE = 0x40,
  ZL_WIN_REPARSE_POINT = 0x400
};

/* FILE_BASIC_INFO: times are in units of 100 ns since 1601. */
struct zl_win_basic {
  int64_t created, accessed, written, changed;
  uint32_t attributes;
};

struct zl_win_attributes {
  struct zl_win_basic basic;
  bool mount_point;       /* a junction, not a symbolic link */
  struct zl_buf security; /* self-relative; empty: none */
  const char *sddl;       /* instead of it, borrowed from the entry; NULL: none */
  struct zl_buf ea;       /* FILE_FULL_EA_INFORMATION, one after the other; empty: none */
};

void zl_win_attributes_init(struct zl_win_attributes *attributes);
void zl_win_attributes_done(struct zl_win_attributes *attributes);

/* Fills an initialised structure, over what it held. ZL_E_CORRUPT, ZL_E_LIMIT, naming the member
 * and the record. */
int zl_win_attributes_read(const struct zl_layer_entry *entry, struct zl_win_attributes *ret,
                           struct zl_error *err);

#endif
