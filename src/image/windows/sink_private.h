/* SPDX-License-Identifier: Apache-2.0
 *
 * For the files of the sink.
 */
#ifndef ZL_IMAGE_WINDOWS_SINK_PRIVATE_H
#define ZL_IMAGE_WINDOWS_SINK_PRIVATE_H

#include "image/windows/path.h"
#include "image/windows/seen.h"
#include "image/windows/sink_windows.h"

struct zl_win_pending_link {
  size_t name;  /* number in `seen` */
  int root;     /* of the target */
  char *target; /* owned */
};

struct zl_win_directory {
  size_t name;
  struct zl_win_basic basic;
};

/* The file that the archive is in the middle of, with the streams that may still follow. */
struct zl_win_current {
  struct zl_win_file *file; /* NULL: none */
  struct zl_win_file *copy; /* of boot configuration, which the import changes */
  bool staged;              /* `file` takes attributes and streams as content */
  bool security;            /* `file` takes descriptors */
  char path[ZL_LAYER_PATH];
  char *streams[ZL_MAX_WINDOWS_STREAMS];
  size_t n_streams;
  uint64_t size, written; /* of the open stream */
};

struct zl_sink_windows {
  const struct zl_win_host_ops *ops;
  void *host;
  size_t n_parents;
  bool has_utility;
  struct zl_win_seen seen;
  struct zl_win_path path; /* of the member */
  struct zl_win_path target;
  struct zl_win_attributes attributes;
  struct zl_buf security, streams, reparse; /* of the member: what comes before its data */
  struct zl_win_current current;
  struct zl_win_pending_link *links;
  size_t n_links;
  struct zl_win_directory *directories;
  size_t n_directories;
  size_t *tombstones; /* numbers in `seen` */
  size_t n_tombstones;
  uint64_t skipped;
};

static inline struct zl_win_place zl_win_at(int root, const char *path)
{
  return (struct zl_win_place){ .root = root, .path = path };
}

/* ---- sink_file.c ---- */

/* Makes the file, directory or link of sink->path and writes all that comes before its data. */
int zl__win_file_begin(struct zl_sink_windows *sink, const struct zl_layer_entry *entry,
                       struct zl_error *err);
/* An alternate stream of the current one. */
int zl__win_stream_begin(struct zl_sink_windows *sink, const struct zl_layer_entry *entry,
                         struct zl_error *err);
/* The bytes of the open stream; what lies between them is zeros. */
int zl__win_file_data(struct zl_sink_windows *sink, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err);
/* The open stream is complete. */
int zl__win_file_end(struct zl_sink_windows *sink, struct zl_error *err);
/* No stream of it follows. */
int zl__win_file_close(struct zl_sink_windows *sink, struct zl_error *err);

/* ---- sink_names.c ---- */

/* Whether what lies on the way to sink->path is a directory of this layer, or (in the utility VM)
 * of the one that it was cloned from. */
int zl__win_check_way(struct zl_sink_windows *sink, const char *raw, struct zl_error *err);
/* Takes the name of sink->path; *ret_number may be NULL. */
int zl__win_take_name(struct zl_sink_windows *sink, const char *raw, enum zl_win_kind kind,
                      size_t *ret_number, struct zl_error *err);
int zl__win_hide(struct zl_sink_windows *sink, const struct zl_layer_entry *entry,
                 struct zl_error *err);
int zl__win_link(struct zl_sink_windows *sink, const struct zl_layer_entry *entry,
                 struct zl_error *err);

/* ---- sink_tree.c ---- */

/* The utility VM of the nearest layer below becomes this one's: its files are linked, what the
 * import changes is copied. Once. */
int zl__win_clone_utility(struct zl_sink_windows *sink, struct zl_error *err);
/* With all that is in it. Success when it is not there. */
int zl__win_remove_tree(struct zl_sink_windows *sink, struct zl_win_place at, struct zl_error *err);
/* The name under which the layer keeps a file of the boot configuration as it was in the archive,
 * or NULL. */
const char *zl__win_backup_name(const char *path);

/* ---- sink_seal.c ---- */

int zl__win_seal(struct zl_sink_windows *sink, struct zl_error *err);

#endif
