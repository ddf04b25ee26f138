/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed bytes in, a layer (a directory or an EROFS file) or the plain bytes out: one thread
 * reads and inflates,
 * the other hashes, parses and writes. The two are about equally busy with a typical layer.
 */
#ifndef ZL_UNPACK_PIPELINE_H
#define ZL_UNPACK_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/digest.h"
#include "image/layer/compression.h"
#include "image/layer/sink.h"
#include "image/layer/tar.h"

struct zl_pipeline_options {
  int input_fd;
  int staging_fd;
  int image_fd; /* where an EROFS image goes; -1: a directory is made in staging_fd */
  bool plain;   /* no layer: what is decoded goes to image_fd as it is */
  enum zl_compression compression;
  const char *engine; /* of gzip; NULL: the fastest */
  enum zl_digest_alg diff_alg;
  uint64_t max_bytes, max_entries, reserve_bytes;
  bool devices;
};

struct zl_pipeline_result {
  char diff_id[ZL_DIGEST_TEXT];
  uint64_t stream_bytes;
  struct zl_tar_totals tar;
  struct zl_sink_totals sink;
  bool pending; /* the layer waits for zl_pipeline_fix */
};

struct zl_pipeline;

/* Allocates everything and loads the digest code, while there is a file system to load from. */
int zl_pipeline_new(const struct zl_pipeline_options *options, struct zl_pipeline **ret,
                    struct zl_error *err);

/* Starts the decoding thread, which waits for zl_pipeline_run. Comes after what a thread inherits
 * (capabilities, Landlock, namespaces) and before what forbids new threads. */
int zl_pipeline_start(struct zl_pipeline *pipeline, struct zl_error *err);

/* Runs to the end of the input and completes the layer, unless it is an image that needs something
 * of lower layers: then it is pending. Notes about the layer are appended to *notes. After a
 * failure the decoding thread may still be blocked on its input: only the end of the process stops
 * it. */
int zl_pipeline_run(struct zl_pipeline *pipeline, struct zl_pipeline_result *ret,
                    struct zl_buf *notes, struct zl_error *err);

/* Completes a pending layer with the entries of the archive that comes from `fd`. */
int zl_pipeline_fix(struct zl_pipeline *pipeline, int fd, struct zl_error *err);

#endif
