/* SPDX-License-Identifier: Apache-2.0
 *
 * A node whose containers cannot be run yet: of its state there is the store of images.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/strv.h"
#include "base/win32/wide.h"
#include "image/image.h"
#include "runtime/hcs/layer_services.h"
#include "store/store.h"

#include <zlayer/runtime.h>

struct zl_runtime {
  int root_fd;
  char *root;
  struct zl_store *store;
  struct zl_image_store *images;
};

void zl_runtime_close(struct zl_runtime *rt)
{
  if (rt == NULL)
    return;
  zl_image_store_close(rt->images);
  zl_store_close(rt->store);
  zl_fd_closep(&rt->root_fd);
  free(rt->root);
  free(rt);
}
ZL_DEFINE_CLEANUP(struct zl_runtime, zl_runtime_close)

/* As a whole path, which Windows' services take. */
static char *whole_path(const char *path)
{
  zl_autofree wchar_t *wide = zl_wide_of(path);
  zl_autofree wchar_t *whole = wide != NULL ? _wfullpath(NULL, wide, 0) : NULL;

  return whole != NULL ? zl_wide_to_utf8(whole, wcslen(whole)) : NULL;
}

static const char *setting(const char *given, const char *variable)
{
  const char *value = given != NULL ? given : getenv(variable);

  return value != NULL && *value != '\0' ? value : NULL;
}

static int find_root(const char *given, char **ret, struct zl_error *err)
{
  const char *root = setting(given, "ZLAYER_ROOT"), *data = getenv("ProgramData");
  zl_autofree char *standard = data != NULL ? zl_asprintf("%s\\zlayer", data) : NULL;

  if (root == NULL)
    root = standard;
  if (root == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "neither --root nor %%ProgramData%% says where ROOT is");
  *ret = whole_path(root);
  return *ret != NULL ? 0 : zl_fail(err, ZL_E_INVALID, 0, "'%s' is no path", root);
}

static int open_all(struct zl_runtime *rt, const char *root, struct zl_error *err)
{
  struct zl_image_store_options options = { .services = &zl_hcs_host_layer_services };
  int r = find_root(root, &rt->root, err);

  if (r < 0)
    return r;
  rt->root_fd = zl_path_open_dir(AT_FDCWD, rt->root, 0700);
  if (rt->root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -rt->root_fd, "opening directory '%s'", rt->root);
  r = zl_store_open(rt->root_fd, rt->root, &rt->store, err);
  if (r < 0)
    return r;
  options.root_fd = rt->root_fd;
  options.root = rt->root;
  options.store = rt->store;
  return zl_image_store_open(&options, &rt->images, err);
}

int zl_runtime_open(const struct zl_runtime_options *options, struct zl_runtime **ret,
                    struct zl_error *err)
{
  ZL_CLEANUP(zl_runtime_closep) struct zl_runtime *rt = calloc(1, sizeof(*rt));
  int r;

  if (rt == NULL)
    return zl_fail_nomem(err, "runtime");
  rt->root_fd = -1;
  r = open_all(rt, options != NULL ? options->root : NULL, err);
  if (r == 0)
    *ret = zl_steal_ptr(&rt);
  return r;
}

/* ---- zlayer/image.h -------------------------------------------------------------------------- */

int zl_pull_image(struct zl_runtime *rt, const char *reference,
                  const struct zl_pull_options *options, char **ret_digest, struct zl_error *err)
{
  return zl_image_pull(rt->images, reference, options, ret_digest, err);
}

int zl_images(struct zl_runtime *rt, struct zl_image_info **ret, size_t *ret_count,
              struct zl_error *err)
{
  return zl_image_list(rt->images, ret, ret_count, err);
}

void zl_images_free(struct zl_image_info *images, size_t count)
{
  zl_image_list_free(images, count);
}

int zl_remove_image(struct zl_runtime *rt, const char *image, bool force, struct zl_error *err)
{
  return zl_image_remove(rt->images, image, force, err);
}

int zl_inspect_image(struct zl_runtime *rt, const char *image, char **ret_json,
                     struct zl_error *err)
{
  return zl_image_inspect(rt->images, image, ret_json, err);
}

int zl_tag_image(struct zl_runtime *rt, const char *image, const char *name, char **ret_name,
                 struct zl_error *err)
{
  return zl_image_tag(rt->images, image, name, ret_name, err);
}

int zl_push_image(struct zl_runtime *rt, const char *image, const char *target,
                  const struct zl_push_options *options, struct zl_push_result *ret,
                  struct zl_error *err)
{
  return zl_image_push(rt->images, image, target, options, ret, err);
}

int zl_save_images(struct zl_runtime *rt, const char *const *images, int fd,
                   const struct zl_save_options *options, struct zl_error *err)
{
  return zl_image_save(rt->images, images, fd, options, err);
}

int zl_load_images(struct zl_runtime *rt, int fd, const struct zl_load_options *options,
                   struct zl_error *err)
{
  return zl_image_load(rt->images, fd, options, err);
}
