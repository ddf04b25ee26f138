/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "base/strv.h"
#include "image/layer_flush.h"
#include "image/store_internal.h"

int zl_image_store_open(const struct zl_image_store_options *options, struct zl_image_store **ret,
                        struct zl_error *err)
{
  ZL_CLEANUP(zl_image_store_closep) struct zl_image_store *s = calloc(1, sizeof(*s));

  if (s == NULL)
    return zl_fail_nomem(err, "the image store");
  s->layers_fd = zl_path_open_dir(options->root_fd, "layers", 0700);
  if (s->layers_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -s->layers_fd, "opening '%s/layers'", options->root);
  s->root_fd = options->root_fd;
  s->store = options->store;
  s->patience = zl_patience_default;
  s->services = options->services;
  s->root = strdup(options->root);
  if (options->helper_dir != NULL)
    s->helper = zl_asprintf("%s/zlayer-unpack", options->helper_dir);
  if (s->root == NULL || (options->helper_dir != NULL && s->helper == NULL))
    return zl_fail_nomem(err, "the image store");
  *ret = zl_steal_ptr(&s);
  return 0;
}

void zl_image_store_close(struct zl_image_store *store)
{
  if (store == NULL)
    return;
  zl_fd_closep(&store->layers_fd);
  free(store->root);
  free(store->helper);
  free(store);
}

void zl_image_store_set_patience(struct zl_image_store *store, const struct zl_patience *patience)
{
  store->patience = *patience;
}

int zl_image_flush(struct zl_image_store *store, struct zl_error *err)
{
  zl_autofd fd = zl_layers_open_for_flush(store->layers_fd);

  return fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -fd, "opening '%s/layers'", store->root)
                : zl_layers_flush(fd, err);
}
