/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the EROFS sink.
 */
#ifndef ZL_IMAGE_LAYER_SINK_EROFS_INTERNAL_H
#define ZL_IMAGE_LAYER_SINK_EROFS_INTERNAL_H

#include <sys/stat.h>

#include "image/erofs/writer.h"
#include "image/layer/law.h"
#include "image/layer/layer_path.h"
#include "image/layer/notes.h"
#include "image/layer/sink_erofs.h"

/* The directory that entries are being put into. */
struct zl_current_name {
  char path[ZL_LAYER_PATH];
  uint32_t name; /* ZL_EROFS_NONE: none */
};

struct zl_sink_erofs {
  struct zl_sink_erofs_options options;
  struct zl_erofs *image;
  struct zl_erofs_tree *tree; /* the image's */
  struct zl_current_name dir;

  char path[ZL_LAYER_PATH]; /* of the entry being handled */
  struct zl_buf xattrs;     /* its kept attributes, packed */
  bool writing;             /* it is a file, and data follows */

  struct zl_path_set implicit, opaque;
  struct zl_link_list deferred;
  uint64_t skipped;
  bool root_entry;
  bool has_whiteout;
  uint32_t whiteout; /* the inode of all whiteouts */
};

/* sink_erofs_tree.c */

/* Where `path` leads from the root, links inside it followed: the name of a directory, or
 * -ENOENT, -ENOTDIR, -ELOOP as the kernel says. */
int zl__sink_erofs_resolve(const struct zl_sink_erofs *s, const char *path, uint32_t *ret_name);
/* Makes path[0 .. len) the current directory; missing ones are made and noted as implicit.
 * `strict` refuses a symbolic link on the way. */
int zl__sink_erofs_enter(struct zl_sink_erofs *s, const char *path, size_t len, bool strict,
                         struct zl_error *err);
/* True when the clean path is a directory, reached without a link. */
bool zl__sink_erofs_is_dir(const struct zl_sink_erofs *s, const char *path, uint32_t *ret_name);
/* The name in the current directory, or ZL_EROFS_NONE. */
uint32_t zl__sink_erofs_look(const struct zl_sink_erofs *s, const char *name);
/* Gives the inode a name in the current directory, in place of whatever stands there. */
int zl__sink_erofs_put(struct zl_sink_erofs *s, const char *name, uint32_t inode,
                       struct zl_error *err);
bool zl__sink_erofs_is_whiteout(const struct zl_sink_erofs *s, uint32_t name);

/* sink_erofs_link.c */

int zl__sink_erofs_hardlink(struct zl_sink_erofs *s, const struct zl_layer_entry *entry,
                            const char *name, struct zl_error *err);
int zl__sink_erofs_retry_links(struct zl_sink_erofs *s, struct zl_error *err);

/* An image error at the entry being handled: "'etc/passwd': ...". */
#define zl__sink_erofs_refuse(s, err, ...) \
  zl__sink_erofs_fail((s), (err), ZL_E_CORRUPT, __VA_ARGS__)
int zl__sink_erofs_fail(const struct zl_sink_erofs *s, struct zl_error *err, enum zl_code code,
                        const char *fmt, ...) ZL_PRINTF(4, 5);

#endif
