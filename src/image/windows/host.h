/* SPDX-License-Identifier: Apache-2.0
 *
 * What importing a layer does to a Windows host, as a table of operations: win32/ has the one that
 * does it, tests have one that remembers.
 *
 * A place is a path below a root, with "/", whose names were judged before (path.h). Whoever
 * implements this opens it name by name, each relative to the handle of the one before, and never
 * goes through a reparse point: one on the way is ZL_E_CORRUPT. Names have no case.
 */
#ifndef ZL_IMAGE_WINDOWS_HOST_H
#define ZL_IMAGE_WINDOWS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "image/windows/attributes.h"

/* Which directory. Numbers from 0 on: the layers below, the nearest first. */
enum {
  ZL_WIN_LAYER = -1,  /* what is being made */
  ZL_WIN_STAGING = -2 /* what a layer with others below it is imported from */
};
struct zl_win_place {
  int root;
  const char *path;
};

enum zl_win_how {
  ZL_WIN_NEW_FILE, /* ZL_E_CONFLICT: the name is taken, in whatever case */
  ZL_WIN_NEW_DIRECTORY,
  ZL_WIN_OLD_DIRECTORY
};

struct zl_win_file;

/* Takes a name in a directory and what it is. */
typedef int (*zl_win_list_fn)(void *ctx, const char *name, uint32_t attributes,
                              struct zl_error *err);

struct zl_win_host_ops {
  /* Opens the thing itself for writing. With `security` also for its descriptor: without the rights
   * for it Windows leaves descriptors out of a backup stream and says nothing. */
  int (*open)(void *host, struct zl_win_place at, enum zl_win_how how, bool security,
              struct zl_win_file **ret, struct zl_error *err);
  int (*set_basic)(struct zl_win_file *file, const struct zl_win_basic *basic,
                   struct zl_error *err);
  /* The next bytes of its content, or of its backup streams (BackupWrite); not both of one file. */
  int (*write)(struct zl_win_file *file, const void *data, size_t len, struct zl_error *err);
  int (*write_backup)(struct zl_win_file *file, const void *data, size_t len, struct zl_error *err);
  /* Releases it in any case. NULL is fine. */
  int (*close)(struct zl_win_file *file, struct zl_error *err);

  /* Of the thing itself. ZL_E_NOT_FOUND: it, or a directory on the way, is not there. */
  int (*stat)(void *host, struct zl_win_place at, struct zl_win_basic *ret, struct zl_error *err);
  int (*list)(void *host, struct zl_win_place directory, zl_win_list_fn fn, void *ctx,
              struct zl_error *err);
  /* A new file, directory (empty) or reparse point with all that belongs to the old one. */
  int (*copy)(void *host, struct zl_win_place from, struct zl_win_place to, struct zl_error *err);
  /* A second name of a file or link that is no directory. */
  int (*link)(void *host, struct zl_win_place from, struct zl_win_place to, struct zl_error *err);
  /* A file, link or empty directory. */
  int (*remove)(void *host, struct zl_win_place at, struct zl_error *err);

  /* Appends the self-relative form of a descriptor. ZL_E_CORRUPT: it is none. */
  int (*read_sddl)(void *host, const char *sddl, struct zl_buf *ret, struct zl_error *err);

  /* ImportLayer from the staging directory with the layers below. */
  int (*import_layer)(void *host, struct zl_error *err);
  /* ProcessBaseImage of the layer, ProcessUtilityImage of its UtilityVM. */
  int (*process_base)(void *host, struct zl_error *err);
  int (*process_utility)(void *host, struct zl_error *err);
};

#endif
