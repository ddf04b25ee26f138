/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the directory sink.
 */
#ifndef ZL_IMAGE_LAYER_SINK_DIR_INTERNAL_H
#define ZL_IMAGE_LAYER_SINK_DIR_INTERNAL_H

#include <sys/stat.h>

#include "image/layer/file_writer.h"
#include "image/layer/fresh_names.h"
#include "image/layer/law.h"
#include "image/layer/layer_path.h"
#include "image/layer/live_dirs.h"
#include "image/layer/lower.h"
#include "image/layer/notes.h"
#include "image/layer/sink_dir.h"

/* The directory that entries are being put into. Opening it once for all its entries saves most of
 * the path resolution; its own time is put back when the sink turns to another one. */
struct zl_current_dir {
  char path[ZL_LAYER_PATH];
  struct zl_live_dir *live; /* a reference; NULL: none */
  int fd;                   /* its */
};

struct zl_sink_dir {
  struct zl_sink_dir_options options;
  struct zl_current_dir dir;

  /* The entry being handled: its clean path, and its attributes until `end` sets them. */
  char path[ZL_LAYER_PATH];
  struct zl_layer_entry entry;   /* path, link and xattrs are not valid here */
  struct zl_buf xattrs;          /* kept ones, packed */
  bool again;                    /* it was there before, with whatever attributes */
  int file_fd;                   /* being written; -1: none */
  struct zl_file_writer *writer; /* NULL: none; it makes small files */
  struct zl_small_file
      *small;         /* reserved: the entry's content is gathered in it; NULL: it is not */
  uint64_t unchecked; /* bytes written since the free space was looked at */

  struct zl_live_dirs live;    /* of the current directory and the writer's files */
  struct zl_fresh_names names; /* the writer may make only what replaces nothing */

  struct zl_path_set implicit, opaque;
  struct zl_link_list deferred;
  uint64_t skipped;
  bool root_entry;
};

/* sink_dir_tree.c */

/* Makes path[0 .. len) the current directory; missing ones are made and noted as implicit.
 * `strict` refuses a symbolic link on the way. */
int zl__sink_dir_enter(struct zl_sink_dir *s, const char *path, size_t len, bool strict,
                       struct zl_error *err);
/* Turns away from the current directory; its time is put back when the writer has no more files
 * for it either. */
int zl__sink_dir_leave(struct zl_sink_dir *s, struct zl_error *err);
/* Waits for the writer: every entry so far is where it belongs. */
int zl__sink_dir_settle(struct zl_sink_dir *s, struct zl_error *err);
/* Before anything is done at `name` in the current directory: settles when a file of that name may
 * wait. *ret_free: nothing has the name, for certain. */
int zl__sink_dir_claim(struct zl_sink_dir *s, const char *name, bool *ret_free,
                       struct zl_error *err);
/* Removes whatever stands at `name` in the current directory. Settles before. */
int zl__sink_dir_vacate(struct zl_sink_dir *s, const char *name, struct zl_error *err);
/* 1: something stands at (dirfd, name), described in *ret; 0: nothing. */
int zl__sink_dir_look(int dirfd, const char *name, struct stat *ret, struct zl_error *err);

/* sink_dir_file.c */

/* Makes the object under `name` in the current directory, in place of whatever stands there. A file
 * stays open until its end; all others are complete. */
int zl__sink_dir_place(struct zl_sink_dir *s, const struct zl_layer_entry *entry, const char *name,
                       struct zl_error *err);
/* A file: the writer's, when nothing has the name and it is small. */
int zl__sink_dir_place_file(struct zl_sink_dir *s, const struct zl_layer_entry *entry,
                            const char *name, bool is_free, struct zl_error *err);
/* The sink's `data` and `end`. */
int zl__sink_dir_data(void *sink, uint64_t offset, const void *bytes, size_t len,
                      struct zl_error *err);
int zl__sink_dir_end(void *sink, struct zl_error *err);

/* sink_dir_attrs.c */

/* Owner, mode, attributes and time of an open file or directory, in the order in which none undoes
 * another. */
int zl__sink_dir_set_attrs(struct zl_sink_dir *s, int fd, struct zl_error *err);
/* What the first of these would do, for the writer of small files to do. The entry has no extended
 * attributes. */
void zl__sink_dir_get_attrs(const struct zl_sink_dir *s, struct zl_small_file *ret);
/* Owner, mode (not of a link) and time of `name` in the current directory. */
int zl__sink_dir_set_attrs_at(struct zl_sink_dir *s, const char *name, struct zl_error *err);

/* sink_dir_link.c */

int zl__sink_dir_hardlink(struct zl_sink_dir *s, const struct zl_layer_entry *entry,
                          const char *name, struct zl_error *err);
/* Tries deferred links again: their target may have come later in the same archive. */
int zl__sink_dir_retry_links(struct zl_sink_dir *s, struct zl_error *err);

/* An image error at the entry being handled: "'etc/passwd': ...". */
#define zl__sink_dir_refuse(s, err, ...) zl__sink_dir_fail((s), (err), ZL_E_CORRUPT, 0, __VA_ARGS__)
int zl__sink_dir_fail(const struct zl_sink_dir *s, struct zl_error *err, enum zl_code code,
                      int os_error, const char *fmt, ...) ZL_PRINTF(5, 6);

#endif
