/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers go to others as archives, which here only Windows itself could make of them (ExportLayer).
 */
#include "image/image.h"

static int refuse(const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s images is not supported on Windows nodes yet", what);
}

int zl_image_push(struct zl_image_store *store, const char *image, const char *target,
                  const struct zl_push_options *options, struct zl_push_result *ret,
                  struct zl_error *err)
{
  (void)store;
  (void)image;
  (void)target;
  (void)options;
  (void)ret;
  return refuse("pushing", err);
}

int zl_image_save(struct zl_image_store *store, const char *const *images, int fd,
                  const struct zl_save_options *options, struct zl_error *err)
{
  (void)store;
  (void)images;
  (void)fd;
  (void)options;
  return refuse("saving", err);
}
