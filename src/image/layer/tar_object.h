/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects of a layer's tree as members of an archive.
 */
#ifndef ZL_IMAGE_LAYER_TAR_OBJECT_H
#define ZL_IMAGE_LAYER_TAR_OBJECT_H

#include <stdint.h>
#include <sys/stat.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/sink.h"

struct zl_byte_sink {
  int (*write)(void *ctx, const void *data, size_t len, struct zl_error *err);
  void *ctx;
};

/* What writing members needs; one archive after the other, by one thread. */
struct zl_tar_writer {
  const struct zl_byte_sink *to; /* borrowed */
  struct zl_buf out;             /* headers of one member */
  uint8_t *copy;
  char *link;
};

int zl_tar_writer_init(struct zl_tar_writer *writer, const struct zl_byte_sink *to,
                       struct zl_error *err);
/* Also after a failed init. */
void zl_tar_writer_done(struct zl_tar_writer *writer);

/* A member without content. */
int zl_tar_put_entry(struct zl_tar_writer *writer, const struct zl_layer_entry *entry,
                     struct zl_error *err);
/* The object at `object_fd` (O_PATH is enough), of which *st was taken, under `path`: attributes
 * that a layer may set, and content, holes as zeros. ZL_E_LIMIT: more attributes than a member may
 * have. */
int zl_tar_put_object(struct zl_tar_writer *writer, const char *path, int object_fd,
                      const struct stat *st, struct zl_error *err);
/* The end of the archive. */
int zl_tar_put_end(struct zl_tar_writer *writer, struct zl_error *err);

#endif
