/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_STORE_INTERNAL_H
#define ZL_IMAGE_STORE_INTERNAL_H

#include <zlayer/error.h>

#include "image/image.h"
#include "image/registry.h"
#include "image/select.h"

struct zl_image_store {
  int root_fd; /* borrowed */
  int layers_fd;
  char *root;
  char *helper;                           /* path of zlayer-unpack; NULL: there is none */
  const struct zl_win_services *services; /* or NULL */
  struct zl_store *store;
  struct zl_patience patience;
};

/* For tests: how patient later pulls of this store are. */
void zl_image_store_set_patience(struct zl_image_store *store, const struct zl_patience *patience);

/* ---- layers.c -------------------------------------------------------------------------------- */

struct zl_layer_fetch; /* the layers of one pull, published and held */

struct zl_layer_fetch_options {
  struct zl_image_store *store;
  struct zl_source *source;
  const struct zl_selection *selection;
  const struct zl_pull_options *pull; /* progress and payload */
  int cancel_fd;                      /* an eventfd: becomes readable when one layer fails */
};

/* Gets every layer, in parallel, and leaves each published and held against collection until
 * zl_layer_fetch_free. After a failure finished layers stay published, the rest is removed. */
int zl_layer_fetch(const struct zl_layer_fetch_options *options, struct zl_layer_fetch **ret,
                   struct zl_error *err);
/* The key of layer `i`, base first; borrowed. */
const char *zl_layer_fetch_key(const struct zl_layer_fetch *fetch, size_t i);
void zl_layer_fetch_free(struct zl_layer_fetch *fetch);
ZL_DEFINE_CLEANUP(struct zl_layer_fetch, zl_layer_fetch_free)

/* ---- pull.c ---------------------------------------------------------------------------------- */

/* Stores the image that `source` has as its root, whatever is stored, under all of `names`, which
 * are canonical; none: under its digest, unless it has a name. The source is taken over. */
int zl_image_pull_source(struct zl_image_store *store, struct zl_source *source,
                         const char *const *names, const struct zl_pull_options *options,
                         char ret_digest[ZL_DIGEST_TEXT], struct zl_error *err);

/* ---- catalog.c ------------------------------------------------------------------------------- */

/* Writes what makes `reference` an image of this node, in one transaction. */
int zl_catalog_commit(struct zl_image_store *store, const char *reference,
                      const struct zl_selection *selection, const struct zl_layer_fetch *fetch,
                      struct zl_error *err);
/* What a reference named when it was last pulled; ZL_E_NOT_FOUND. Both texts are ZL_DIGEST_TEXT. */
int zl_catalog_find(struct zl_image_store *store, const char *reference, char *ret_digest,
                    char *ret_source_digest, struct zl_error *err);
/* That a signature of `digest` was valid for this name, under the policy that `print` stands for,
 * until second `until`. Goes with the image's reference. */
int zl_catalog_set_verified(struct zl_image_store *store, const char *reference, const char *digest,
                            const char *print, uint64_t until, struct zl_error *err);
/* Whether that was said, and still counts. */
int zl_catalog_is_verified(struct zl_image_store *store, const char *reference, const char *digest,
                           const char *print, bool *ret, struct zl_error *err);
/* The manifest's digest for a reference, a digest or a prefix of one; *ret_reference is the
 * canonical reference if that is what was given, else NULL. Errors of zl_image_resolve. */
int zl_catalog_look_up(struct zl_image_store *store, const char *image,
                       char ret_digest[ZL_DIGEST_TEXT], char **ret_reference, struct zl_error *err);

#endif
