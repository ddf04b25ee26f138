/* SPDX-License-Identifier: Apache-2.0
 *
 * How layers are made of their archives: linux/layer_maker.c and win32/layer_maker.c.
 */
#ifndef ZL_IMAGE_LAYER_MAKER_H
#define ZL_IMAGE_LAYER_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "image/layer/unpack.h"
#include "image/layer_store.h"
#include "image/manifest.h"
#include "image/store_internal.h"

/* One layer. All of it is borrowed. */
struct zl_layer_making {
  struct zl_image_store *store;
  struct zl_staging *staging;
  const struct zl_descriptor *blob;
  const char *diff_id;      /* what the layer has to be */
  const char *key;          /* its chain's */
  const char *const *below; /* the keys of published layers, nearest first: all of those below */
  size_t n_below;
};

struct zl_layer_maker {
  /* Layers are made out of those below them: `start` wants these, and every layer belongs to its
   * chain. Otherwise only `fix` does. */
  bool on_others;
  /* Takes the blob from now on (zl_unpack_write). Does not block on the layers below. */
  int (*start)(const struct zl_layer_making *making, struct zl_unpack **ret, struct zl_error *err);
  /* Completes a layer whose result says that something of those below is missing. `unpack` is that
   * of the download, at its end. NULL: nothing ever is. */
  int (*fix)(const struct zl_layer_making *making, struct zl_unpack *unpack, const char *fixup,
             struct zl_error *err);
  /* A last look before it is published. NULL: there is nothing to look for. */
  int (*check)(const struct zl_staging *staging, struct zl_error *err);
};

extern const struct zl_layer_maker zl_layer_maker;

#endif
