/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows layers: the archive's reader feeds the sink of image/windows, which works on the layer's
 * directory, a staging directory, and the layers below.
 */
#include "image/layer_maker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/limits.h"
#include "base/strv.h"
#include "image/layer/tar.h"
#include "image/win32/staging.h"
#include "image/win32/unpack.h"
#include "image/windows/sink_windows.h"
#include "image/windows/win32/host_win32.h"

enum {
  LOOK_EVERY = 16 << 20 /* bytes, at the disk's room */
};

struct making {
  struct zl_win_host_options host;
  const struct zl_win_services *services;
  char *layer, *staging; /* paths */
  char **below;          /* the same, as many as below_fds */
  int *below_fds;
  size_t n_below;
  struct zl_sink_windows *sink;
  struct zl_tar *tar;
  uint64_t bytes, looked; /* of the archive */
};

static void making_free(void *ctx)
{
  struct making *m = ctx;

  if (m == NULL)
    return;
  zl_tar_free(m->tar);
  zl_sink_windows_ops.free(m->sink);
  for (size_t i = 0; i < m->n_below; i++)
    zl_fd_closep(&m->below_fds[i]);
  free(m->below_fds);
  zl_strv_freep(&m->below);
  free(m->layer);
  free(m->staging);
  free(m);
}
ZL_DEFINE_CLEANUP(struct making, making_free)

/* ---- What only Windows does ------------------------------------------------------------------ */

static int import_layer(void *ctx, struct zl_error *err)
{
  const struct making *m = ctx;

  return m->services->import_layer(m->services->ctx, m->layer, m->staging, m->below, m->n_below,
                                   err);
}

static int process_base(void *ctx, struct zl_error *err)
{
  const struct making *m = ctx;

  return m->services->process_base(m->services->ctx, m->layer, err);
}

static int process_utility(void *ctx, struct zl_error *err)
{
  const struct making *m = ctx;
  zl_autofree char *path = zl_asprintf("%s\\UtilityVM", m->layer);

  return path != NULL ? m->services->process_utility(m->services->ctx, path, err)
                      : zl_fail_nomem(err, "a path");
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static int check_room(struct making *m, struct zl_error *err)
{
  struct statvfs disk;

  if (m->bytes - m->looked < LOOK_EVERY && m->looked > 0)
    return 0;
  m->looked = m->bytes;
  if (fstatvfs(m->host.layer_fd, &disk) < 0 || disk.f_bavail * disk.f_frsize >= ZL_LAYER_RESERVE)
    return 0;
  return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has less than the reserve of %llu MiB left",
                 (unsigned long long)(ZL_LAYER_RESERVE >> 20));
}

static int making_put(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct making *m = ctx;
  int r;

  m->bytes += len;
  r = check_room(m, err);
  return r < 0 ? r : zl_tar_feed(m->tar, data, len, err);
}

static int making_end(void *ctx, struct zl_unpack_result *ret, struct zl_error *err)
{
  struct making *m = ctx;
  int r = zl_tar_finish(m->tar, err);
  struct zl_tar_totals totals;

  if (r == 0)
    r = zl_sink_windows_ops.seal(m->sink, err);
  if (r < 0)
    return r;
  totals = zl_tar_get_totals(m->tar);
  ret->bytes = totals.bytes;
  ret->entries = totals.entries;
  return 0;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static int open_below(struct making *m, const struct zl_layer_making *what, struct zl_error *err)
{
  int r = 0;

  m->below_fds = calloc(what->n_below + 1, sizeof(*m->below_fds));
  if (m->below_fds == NULL)
    return zl_fail_nomem(err, "the layers below");
  for (size_t i = 0; r == 0 && i < what->n_below; i++) {
    zl_autofree char *path =
        zl_layer_path(what->store->root, what->below[i], ZL_LAYER_KIND_WINDOWS);

    r = path != NULL ? zl_strv_push(&m->below, path, err) : zl_fail_nomem(err, "the layers below");
    if (r == 0)
      r = zl_layer_open(what->store->layers_fd, what->below[i], &m->below_fds[m->n_below], err);
    m->n_below += r == 0 ? 1 : 0;
  }
  return r;
}

static int open_host(struct making *m, const struct zl_layer_making *what, struct zl_error *err)
{
  int r = m->services->begin(m->services->ctx, &m->host.backup_read, &m->host.backup_write, err);

  if (r == 0)
    r = zl_staging_place(what->store->layers_fd, what->staging, what->key, err);
  if (r == 0)
    r = open_below(m, what, err);
  if (r < 0)
    return r;
  m->layer = zl_layer_path(what->store->root, what->key, ZL_LAYER_KIND_WINDOWS);
  m->staging = zl_layer_path(what->store->root, what->staging->name, ZL_LAYER_KIND_WINDOWS);
  m->host.layer_fd = what->staging->tree_fd;
  m->host.staging_fd = m->n_below > 0 ? what->staging->dir_fd : -1;
  m->host.parent_fds = m->below_fds;
  m->host.n_parents = m->n_below;
  m->host.import_layer = import_layer;
  m->host.process_base = process_base;
  m->host.process_utility = process_utility;
  m->host.ctx = m;
  return m->layer != NULL && m->staging != NULL ? 0 : zl_fail_nomem(err, "paths of a layer");
}

static int open_reader(struct making *m, struct zl_error *err)
{
  static const struct zl_tar_limits limits = { .bytes = ZL_MAX_LAYER_BYTES,
                                               .entries = ZL_MAX_LAYER_ENTRIES };
  int r = zl_sink_windows_new(&zl_win_host_win32, &m->host, m->n_below, &m->sink, err);

  return r < 0 ? r : zl_tar_new(&limits, &zl_sink_windows_ops, m->sink, &m->tar, err);
}

static int start(const struct zl_layer_making *what, struct zl_unpack **ret, struct zl_error *err)
{
  ZL_CLEANUP(making_freep) struct making *m = calloc(1, sizeof(*m));
  struct zl_unpack_target target = { .put = making_put, .end = making_end, .free = making_free };
  enum zl_compression compression = ZL_COMPRESSION_AUTO;
  enum zl_digest_alg alg = ZL_SHA256;
  int r;

  if (m == NULL)
    return zl_fail_nomem(err, "a Windows layer");
  m->services = what->store->services;
  if (m->services == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "this store cannot make Windows layers");
  r = zl_layer_compression(what->blob, &compression, err);
  if (r == 0)
    r = open_host(m, what, err);
  if (r == 0)
    r = open_reader(m, err);
  if (r < 0)
    return r;
  (void)zl_digest_is_valid(what->diff_id, &alg);
  target.ctx = zl_steal_ptr(&m);
  return zl__unpack_new(compression, alg, &target, ret, err);
}

const struct zl_layer_maker zl_layer_maker = { .on_others = true, .start = start };
