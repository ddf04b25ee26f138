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

int zl_tag_image(struct zl_runtime *rt, const char *image, const char *name, char **ret_name,
                 struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_tag(images, image, name, ret_name, err);
  if (r == 0)
    zl_event_emit(rt, "image", "tag", name, NULL);
  return r;
}

int zl_push_image(struct zl_runtime *rt, const char *image, const char *target,
                  const struct zl_push_options *options, struct zl_push_result *ret,
                  struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_push(images, image, target, options, ret, err);
  if (r == 0)
    zl_event_emit(rt, "image", "push", target != NULL ? target : image, NULL);
  return r;
}

int zl_save_images(struct zl_runtime *rt, const char *const *images, int fd,
                   const struct zl_save_options *options, struct zl_error *err)
{
  struct zl_image_store *store = NULL;
  int r = zl_node_images(rt, &store, err);

  if (r == 0)
    r = zl_image_save(store, images, fd, options, err);
  for (size_t i = 0; r == 0 && images[i] != NULL; i++)
    zl_event_emit(rt, "image", "save", images[i], NULL);
  return r;
}

struct loading {
  struct zl_runtime *rt;
  const struct zl_load_options *options;
};

static int on_loaded(void *payload, const struct zl_loaded_image *image)
{
  const struct loading *l = payload;

  zl_event_emit(l->rt, "image", "load", image->name != NULL ? image->name : image->digest, NULL);
  if (l->options == NULL || l->options->loaded == NULL)
    return 0;
  return l->options->loaded(l->options->payload, image);
}

static int on_load_progress(void *payload, const struct zl_pull_progress *progress)
{
  const struct loading *l = payload;

  return l->options->progress(l->options->payload, progress);
}

int zl_load_images(struct zl_runtime *rt, int fd, const struct zl_load_options *options,
                   struct zl_error *err)
{
  struct loading loading = { rt, options };
  const struct zl_load_options own = {
    .progress = options != NULL && options->progress != NULL ? on_load_progress : NULL,
    .loaded = on_loaded,
    .payload = &loading,
  };
  struct zl_image_store *images = NULL;
  int r = zl_node_images(rt, &images, err);

  return r < 0 ? r : zl_image_load(images, fd, &own, err);
}
