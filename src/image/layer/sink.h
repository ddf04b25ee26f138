/* SPDX-License-Identifier: Apache-2.0
 *
 * What a layer archive says, as typed events, and the table of functions that takes them: a
 * directory, a file system image, another operating system's layer store. Everything in an entry is
 * the image author's word: bounded and well-formed, but not safe to act on.
 */
#ifndef ZL_IMAGE_LAYER_SINK_H
#define ZL_IMAGE_LAYER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/limits.h"

enum zl_layer_type {
  ZL_LAYER_FILE,
  ZL_LAYER_HARDLINK,
  ZL_LAYER_SYMLINK,
  ZL_LAYER_CHAR,
  ZL_LAYER_BLOCK,
  ZL_LAYER_DIR,
  ZL_LAYER_FIFO
};

struct zl_layer_xattr {
  const char *name; /* 1..255 bytes, no NUL inside */
  const void *value;
  size_t len; /* <= ZL_MAX_XATTR_VALUE */
};

/* What archives of Windows layers say of a member beside all else, as it is written there: for
 * a sink that wants it, which checks it. */
struct zl_layer_record {
  const char *key;
  const char *value; /* NUL-terminated; may hold NULs */
  size_t len;
};
struct zl_layer_windows {
  struct zl_layer_record records[ZL_MAX_WINDOWS_RECORDS];
  size_t n_records;
  bool more; /* there were more than that */
};

/* Borrowed: valid during the call that passes it only. */
struct zl_layer_entry {
  enum zl_layer_type type;
  const char *path; /* as written: may be absolute or hold "..", never empty */
  const char *link; /* target of a hard or symbolic link, else "" */
  uint64_t size;    /* of a file, holes included; 0 for the rest */
  int64_t mtime_s;
  uint32_t mtime_ns;
  uint32_t mode; /* permission and set-id bits only */
  uint32_t uid, gid;
  uint32_t major, minor; /* of a device */
  const struct zl_layer_xattr *xattrs;
  size_t n_xattrs;
  const struct zl_layer_windows *windows; /* NULL: nothing */
};

struct zl_sink_totals {
  uint64_t skipped; /* device nodes left out */
  size_t n_implicit, n_deferred, n_opaque;
  bool root_entry; /* attributes of the root were given */
};

struct zl_buf;

/* begin, then for a file any number of data with rising offsets (what is left out is a hole), then
 * end; finish once after the last entry of an archive. A failure ends the whole layer. */
struct zl_sink_ops {
  int (*begin)(void *sink, const struct zl_layer_entry *entry, struct zl_error *err);
  int (*data)(void *sink, uint64_t offset, const void *bytes, size_t len, struct zl_error *err);
  int (*end)(void *sink, struct zl_error *err);
  int (*finish)(void *sink, struct zl_error *err);

  /* After finish: totals, and what depends on lower layers (notes.h), appended to *text. */
  void (*get_totals)(const void *sink, struct zl_sink_totals *ret);
  int (*write_notes)(const void *sink, struct zl_buf *text, struct zl_error *err);
  /* Completes the layer: no entry follows. */
  int (*seal)(void *sink, struct zl_error *err);
  /* Also before the seal: the layer is rubbish then. NULL is fine. */
  void (*free)(void *sink);

  /* Starts threads that help, before the first entry; NULL: there are none. Without the call there
   * are none either. */
  int (*start)(void *sink, struct zl_error *err);
};

#endif
