/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a reference names to the one image for this node, with everything that says what its
 * layers have to be.
 */
#ifndef ZL_IMAGE_SELECT_H
#define ZL_IMAGE_SELECT_H

#include <zlayer/error.h>

#include "image/image.h"
#include "image/manifest.h"
#include "image/platform.h"
#include "image/source.h"

struct zl_selection {
  char source_digest[ZL_DIGEST_TEXT]; /* of what the reference names: an index, or the manifest */
  struct zl_document document;        /* the image's manifest */
  struct zl_manifest manifest;
  struct zl_buf config; /* exact bytes, maximum ZL_MAX_JSON */
  struct zl_image image;
  char **diff_ids; /* as many as layers, base first */
};
#define ZL_SELECTION_INIT                                                    \
  {                                                                          \
    .document = ZL_DOCUMENT_INIT, .config = ZL_BUF_INIT((size_t)ZL_MAX_JSON) \
  }
void zl_selection_done(struct zl_selection *selection);
#define zl_autoselection ZL_CLEANUP(zl_selection_done) struct zl_selection

/* `root` is what zl_source_root gave; its content is taken over. `name` is the reference, for
 * messages. *ret is filled as far as it came; release it also after a failure.
 * ZL_E_WRONG_PLATFORM, ZL_E_CORRUPT, ZL_E_LIMIT, ZL_E_UNSUPPORTED, and the source's errors. */
int zl_image_select(struct zl_source *source, struct zl_document *root, const char *name,
                    const struct zl_image_platform *node, struct zl_selection *ret,
                    struct zl_error *err);

#endif
