/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer/image.h: the image store of the open runtime.
 */
#include "runtime/node.h"

int zl_pull_image(struct zl_runtime *rt, const char *reference,
                  const struct zl_pull_options *options, char **ret_digest, struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_pull(images, reference, options, ret_digest, err);
  if (r == 0)
    zl_event_emit(rt, "image", "pull", reference, NULL);
  return r;
}

int zl_images(struct zl_runtime *rt, struct zl_image_info **ret, size_t *ret_count,
              struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  return r < 0 ? r : zl_image_list(images, ret, ret_count, err);
}

void zl_images_free(struct zl_image_info *images, size_t count)
{
  zl_image_list_free(images, count);
}

int zl_remove_image(struct zl_runtime *rt, const char *image, bool force, struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  struct zl_backend_usage disks;
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_remove(images, image, force, err);
  if (r == 0)
    r = zl_backends_collect(rt, false, &disks, err);
  if (r == 0)
    zl_event_emit(rt, "image", "remove", image, NULL);
  return r;
}

int zl_inspect_image(struct zl_runtime *rt, const char *image, char **ret_json,
                     struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  return r < 0 ? r : zl_image_inspect(images, image, ret_json, err);
}
