/* SPDX-License-Identifier: Apache-2.0
 *
 * One layer from its source into its staging, verified: the blob's bytes go, in order, through the
 * hash of the blob to the unpacking helper, while they come. What comes from a registry is kept in
 * a partial file meanwhile, and what such a file holds already is not fetched again.
 */
#ifndef ZL_IMAGE_DOWNLOAD_H
#define ZL_IMAGE_DOWNLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "image/layer/unpack.h"
#include "image/layer_store.h"
#include "image/partial.h"
#include "image/source.h"

struct zl_download_options {
  struct zl_source *source; /* borrowed, as the others */
  const struct zl_descriptor *blob;
  const char *diff_id;      /* what the unpacked layer has to be */
  int partials_fd;          /* ROOT/partial; -1: nothing is kept */
  atomic_uint *connections; /* of the pull */
  int cancel_fd;            /* readable: ZL_E_CANCELLED */
  /* Starts what takes the blob's bytes. With `late` it may block, as long as others are not ready:
   * it is called when the blob has begun to come into a partial file, if it gets one. */
  int (*start)(void *ctx, struct zl_unpack **ret, struct zl_error *err);
  bool late;
  /* How many bytes of the blob are here, and how many of them were here before; often, also while
   * none come. < 0 ends the download. */
  int (*report)(void *ctx, uint64_t done, uint64_t resumed, struct zl_error *err);
  void *ctx; /* of both */
};

struct zl_download {
  struct zl_layer_meta meta;
  char *fixup;               /* what lower layers have to add, or NULL; the caller frees it */
  struct zl_unpack *unpack;  /* of a layer that needs a fix-up; the caller frees it */
  struct zl_partial partial; /* locked, all of it there; or none. To be removed or closed */
};
#define ZL_DOWNLOAD_INIT       \
  {                            \
    .partial = ZL_PARTIAL_INIT \
  }

/* ZL_E_CORRUPT: a digest or size is wrong, or the layer malformed. Errors of the source. On failure
 * what came stays in the partial file, and the staging is of no use. *ret_again, written always:
 * the failure may be the partial file's, which holds bytes of an earlier pull or takes the room
 * that the layer needs; without it another try makes sense. */
int zl_download(const struct zl_download_options *options, struct zl_download *ret, bool *ret_again,
                struct zl_error *err);

/* Whether the failure is a full disk's, or a quota's. */
bool zl_download_is_disk_full(const struct zl_error *err);

#endif
