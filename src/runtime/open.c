/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a node's state: the directories now, everything else at first use.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/real.h"
#include "base/strv.h"
#include "runtime/config.h"
#include "runtime/helpers.h"
#include "runtime/host.h"
#include "runtime/node.h"

#define DEFAULT_SLICE "10.200.0.0/28"

/* An option, else the environment's, else NULL; empty counts as absent. */
static const char *setting(const char *given, const char *variable)
{
  const char *value = given != NULL ? given : getenv(variable);

  return value != NULL && *value != '\0' ? value : NULL;
}

static int open_directory(int at, const char *name, int *ret, struct zl_error *err)
{
  int fd = zl_path_open_dir(at, name, 0700);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening directory '%s'", name);
  *ret = fd;
  return 0;
}

static int open_root(struct zl_runtime *rt, const char *path, struct zl_error *err)
{
  int r = open_directory(AT_FDCWD, path, &rt->root_fd, err);

  if (r < 0)
    return r;
  rt->root = zl_path_real(path); /* shims and overlayfs get absolute paths */
  if (rt->root == NULL)
    return zl_fail_errno(err, "resolving '%s'", path);
  r = zl_host_check_root(rt, err);
  if (r == 0)
    r = open_directory(rt->root_fd, "containers", &rt->containers_fd, err);
  return r < 0 ? r : open_directory(rt->root_fd, "locks", &rt->locks_fd, err);
}

static int copy_setting(const char *value, char **ret, struct zl_error *err)
{
  if (value == NULL)
    return 0;
  *ret = strdup(value);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "runtime");
}

static int set_backend(struct zl_runtime *rt, const char *name, struct zl_error *err)
{
  const char *known;

  for (size_t i = 0; name != NULL && (known = zl_backend_name(i)) != NULL; i++)
    if (strcmp(known, name) == 0)
      rt->backend = known;
  return name == NULL || rt->backend != NULL
             ? 0
             : zl_fail(err, ZL_E_UNSUPPORTED, 0, "there is no backend '%.40s'", name);
}

static int open_all(struct zl_runtime *rt, const struct zl_runtime_options *options,
                    struct zl_error *err)
{
  const char *given = setting(options->root, "ZLAYER_ROOT");
  zl_autofree char *root = given != NULL ? strdup(given) : zl_host_default_root();
  struct zl_slice slice;
  int r = set_backend(rt, options->backend, err);

  rt->scratch_size_gb = options->scratch_size_gb;
  if (r == 0)
    r = copy_setting(setting(options->slice_cidr, "ZLAYER_SLICE_CIDR"), &rt->slice_cidr, err);
  if (r == 0 && rt->slice_cidr != NULL)
    r = zl_slice_parse(rt->slice_cidr, &slice, err);
  if (r == 0)
    r = copy_setting(setting(options->helper_dir, "ZLAYER_HELPER_DIR"), &rt->helper_dir, err);
  if (r == 0)
    r = root != NULL ? open_root(rt, root, err) : zl_fail_nomem(err, "runtime");
  return r < 0 ? r : zl_time_boot_id(rt->boot_id, err);
}

int zl_runtime_open(const struct zl_runtime_options *options, struct zl_runtime **ret,
                    struct zl_error *err)
{
  static const struct zl_runtime_options defaults = { 0 };
  struct zl_runtime *rt;
  int r;

  r = zl_host_check_user(err);
  if (r < 0)
    return r;
  rt = calloc(1, sizeof(*rt));
  if (rt == NULL)
    return zl_fail_nomem(err, "runtime");
  rt->root_fd = rt->containers_fd = rt->locks_fd = -1;
  (void)pthread_mutex_init(&rt->lock, NULL);
  r = open_all(rt, options != NULL ? options : &defaults, err);
  if (r < 0) {
    zl_runtime_close(rt);
    return r;
  }
  *ret = rt;
  return 0;
}

void zl_runtime_close(struct zl_runtime *rt)
{
  if (rt == NULL)
    return;
  for (size_t i = 0; i < ZL_NODE_BACKENDS; i++)
    if (rt->backends[i] != NULL)
      rt->backends[i]->ops->close(rt->backends[i]);
  zl_net_close(rt->net);
  zl_image_store_close(rt->images);
  zl_store_close(rt->store);
  zl_fd_closep(&rt->root_fd);
  zl_fd_closep(&rt->containers_fd);
  zl_fd_closep(&rt->locks_fd);
  (void)pthread_mutex_destroy(&rt->lock);
  free(rt->root);
  free(rt->slice_cidr);
  free(rt->helper_dir);
  free(rt);
}

/* ---- At first use ---- */

static int open_store(struct zl_runtime *rt, struct zl_error *err)
{
  return rt->store != NULL ? 0 : zl_store_open(rt->root_fd, rt->root, &rt->store, err);
}

int zl_node_store(struct zl_runtime *rt, struct zl_store **ret, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&rt->lock);
  r = open_store(rt, err);
  if (r == 0)
    *ret = rt->store;
  (void)pthread_mutex_unlock(&rt->lock);
  return r;
}

static int find_helper_dir(struct zl_runtime *rt, struct zl_error *err)
{
  return rt->helper_dir != NULL ? 0 : zl_helpers_find(&rt->helper_dir, err);
}

static int open_images(struct zl_runtime *rt, struct zl_error *err)
{
  struct zl_image_store_options options = { .root_fd = rt->root_fd, .root = rt->root };
  int r = rt->images != NULL ? 1 : open_store(rt, err);

  if (r == 0)
    r = find_helper_dir(rt, err);
  if (r != 0)
    return r < 0 ? r : 0;
  options.store = rt->store;
  options.helper_dir = rt->helper_dir;
  options.services = zl_host_layer_services();
  return zl_image_store_open(&options, &rt->images, err);
}

int zl_node_images(struct zl_runtime *rt, struct zl_image_store **ret, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&rt->lock);
  r = open_images(rt, err);
  if (r == 0)
    *ret = rt->images;
  (void)pthread_mutex_unlock(&rt->lock);
  return r;
}

int zl_node_helper_dir(struct zl_runtime *rt, char **ret, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&rt->lock);
  r = find_helper_dir(rt, err);
  if (r == 0)
    r = copy_setting(rt->helper_dir, ret, err);
  (void)pthread_mutex_unlock(&rt->lock);
  return r;
}

static int find_slice(struct zl_runtime *rt, struct zl_slice *ret, struct zl_error *err)
{
  int r;

  if (rt->slice_cidr == NULL) {
    r = zl_config_slice(rt->root_fd, &rt->slice_cidr, err);
    if (r < 0)
      return r;
  }
  return zl_slice_parse(rt->slice_cidr != NULL ? rt->slice_cidr : DEFAULT_SLICE, ret, err);
}

static int open_net(struct zl_runtime *rt, struct zl_error *err)
{
  struct zl_slice slice;
  int r = rt->net != NULL ? 1 : open_store(rt, err);

  if (r == 0)
    r = find_slice(rt, &slice, err);
  if (r != 0)
    return r < 0 ? r : 0;
  return zl_net_open(rt->root_fd, rt->root, rt->store, &slice, &rt->net, err);
}

int zl_node_net(struct zl_runtime *rt, struct zl_net **ret, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&rt->lock);
  r = open_net(rt, err);
  if (r == 0)
    *ret = rt->net;
  (void)pthread_mutex_unlock(&rt->lock);
  return r;
}

int zl_node_container_dir(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err)
{
  int fd = zl_fd_open(rt->containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

  if (fd == -ENOENT)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no container '%s'", id);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening directory 'containers/%s'", id);
  *ret_fd = fd;
  return 0;
}
