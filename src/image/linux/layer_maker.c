/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories and EROFS images, unpacked by zlayer-unpack.
 */
#include "image/layer_maker.h"

#include <stdlib.h>

#include "image/erofs/check.h"
#include "image/layer/fixup.h"

static int start(const struct zl_layer_making *m, struct zl_unpack **ret, struct zl_error *err)
{
  const struct zl_staging *staging = m->staging;
  const bool image = staging->kind == ZL_LAYER_KIND_EROFS;
  struct zl_unpack_options options = { .helper = m->store->helper,
                                       .staging_fd = image ? staging->dir_fd : staging->tree_fd,
                                       .image = image,
                                       .image_fd = image ? staging->tree_fd : -1,
                                       .devices = true };
  int r = zl_layer_compression(m->blob, &options.compression, err);

  if (r < 0)
    return r;
  (void)zl_digest_is_valid(m->diff_id, &options.diff_alg);
  return zl_unpack_start(&options, ret, err);
}

static void close_all(int *fds, size_t count)
{
  for (size_t i = 0; i < count; i++)
    zl_fd_closep(&fds[i]);
  free(fds);
}

static int fix(const struct zl_layer_making *m, struct zl_unpack *unpack, const char *fixup,
               struct zl_error *err)
{
  int *lower = calloc(m->n_below + 1, sizeof(*lower));
  size_t n = 0;
  int r = lower != NULL ? 0 : zl_fail_nomem(err, "the layers below");

  for (size_t i = 0; r == 0 && i < m->n_below; i++) {
    r = zl_layer_open(m->store->layers_fd, m->below[i], &lower[n], err);
    n += r == 0 ? 1 : 0;
  }
  if (r == 0)
    r = m->staging->kind == ZL_LAYER_KIND_EROFS
            ? zl_unpack_fix(unpack, lower, n, fixup, err)
            : zl_layer_fixup(m->staging->tree_fd, lower, n, fixup, err);
  close_all(lower, n);
  return r;
}

static int check(const struct zl_staging *staging, struct zl_error *err)
{
  return staging->kind == ZL_LAYER_KIND_EROFS ? zl_erofs_check(staging->tree_fd, err) : 0;
}

const struct zl_layer_maker zl_layer_maker = { .start = start, .fix = fix, .check = check };
