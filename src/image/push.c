/* SPDX-License-Identifier: Apache-2.0
 *
 * An image to a registry: first what the registry has or can take from itself, then what has to be
 * written anew (docs/decisions/0018).
 */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/export.h"
#include "image/registry_push.h"
#include "spec/imageref.h"
#include "store/store.h"

enum {
  REPORT_EVERY_MS = 100,
  MAX_SOURCES = 4 /* repositories that are asked to lend a blob */
};

struct push {
  struct zl_image_store *store;
  const struct zl_push_options *options;
  struct zl_image_ref target;
  struct zl_registries registries;
  int cancel_fd; /* nothing makes it readable: the progress function ends a push */
  struct zl_pusher *pusher;
  struct zl_export *export;
  char **sources; /* of the target's registry, where the image was pulled from */
  struct zl_push_result result;
  size_t index; /* of the layer at work */
  uint64_t reported_ns;
};

static void push_done(struct push *p)
{
  zl_pusher_free(p->pusher);
  zl_export_free(p->export);
  zl_strv_freep(&p->sources);
  zl_registries_done(&p->registries);
  zl_image_ref_done(&p->target);
  zl_fd_closep(&p->cancel_fd);
}

/* ---- Progress -------------------------------------------------------------------------------- */

static int tell(struct push *p, enum zl_push_phase phase, const char *digest, uint64_t done,
                uint64_t total, struct zl_error *err)
{
  const struct zl_push_progress progress = { .phase = phase,
                                             .digest = digest,
                                             .index = p->index,
                                             .layers = p->export != NULL ? p->export->n_layers : 0,
                                             .done = done,
                                             .total = total };

  if (p->options->progress == NULL || p->options->progress(p->options->payload, &progress) == 0)
    return 0;
  return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

static bool is_due(struct push *p)
{
  uint64_t now = zl_time_boot();

  if (now - p->reported_ns < REPORT_EVERY_MS * ZL_NS_PER_MS)
    return false;
  p->reported_ns = now;
  return true;
}

static int on_pack(void *ctx, uint64_t packed, struct zl_error *err)
{
  struct push *p = ctx;

  return is_due(p) ? tell(p, ZL_PUSH_PACKING, NULL, packed, 0, err) : 0;
}

static int on_sent(void *ctx, uint64_t sent, struct zl_error *err)
{
  struct push *p = ctx;
  const struct zl_export_layer *layer = &p->export->layers[p->index];

  return is_due(p) ? tell(p, ZL_PUSH_UPLOADING, layer->digest, sent, layer->size, err) : 0;
}

/* ---- Layers as they were pulled -------------------------------------------------------------- */

static int take_source(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct push *p = ctx;
  zl_auto_image_ref ref = { 0 };

  if (zl_strv_len((const char *const *)p->sources) >= MAX_SOURCES ||
      zl_image_ref_parse(zl_row_text(row, 0), &ref, NULL) < 0 ||
      ref.kind != ZL_IMAGE_REF_REGISTRY || strcmp(ref.registry, p->target.registry) != 0 ||
      strcmp(ref.repository, p->target.repository) == 0)
    return 0;
  return zl_strv_push(&p->sources, ref.repository, err);
}

static int find_sources(struct push *p, struct zl_error *err)
{
  return zl_store_query(p->store->store, take_source, p, err,
                        "SELECT reference FROM images WHERE digest = ? ORDER BY reference", "s",
                        p->export->digest);
}

static int find_original(struct push *p, struct zl_export_layer *layer, struct zl_error *err)
{
  const struct zl_descriptor *blob = layer->original;
  int r = zl_pusher_has(p->pusher, blob->digest, blob->size, &layer->kept, err);

  for (size_t i = 0; r == 0 && !layer->kept && p->sources != NULL && p->sources[i] != NULL; i++)
    r = zl_pusher_mount(p->pusher, blob->digest, p->sources[i], &layer->kept, err);
  if (r < 0 || !layer->kept)
    return r;
  p->result.existing++;
  return tell(p, ZL_PUSH_EXISTS, blob->digest, blob->size, blob->size, err);
}

/* ---- Layers written anew --------------------------------------------------------------------- */

static int send_layer(struct push *p, struct zl_export_layer *layer, struct zl_error *err)
{
  const struct zl_push_blob blob = {
    .digest = layer->digest, .size = layer->size, .fd = layer->blob_fd, .sent = on_sent, .ctx = p
  };
  bool has = false;
  int r = zl_pusher_has(p->pusher, blob.digest, blob.size, &has, err);

  if (r == 0 && has) {
    p->result.existing++;
    return tell(p, ZL_PUSH_EXISTS, blob.digest, blob.size, blob.size, err);
  }
  if (r == 0)
    r = zl_pusher_put(p->pusher, &blob, err);
  if (r < 0)
    return r;
  p->result.uploaded++;
  p->result.uploaded_bytes += blob.size;
  return tell(p, ZL_PUSH_LAYER_DONE, blob.digest, blob.size, blob.size, err);
}

static int push_layer(struct push *p, size_t i, struct zl_error *err)
{
  int r =
      zl_export_pack(p->export, i, zl_export_compression(p->options->compression), on_pack, p, err);

  if (r == 0)
    r = send_layer(p, &p->export->layers[i], err);
  zl_export_drop(p->export, i);
  return r;
}

static int push_layers(struct push *p, struct zl_error *err)
{
  struct zl_export *x = p->export;
  int r = 0;

  for (p->index = 0; r == 0 && p->index < x->n_layers; p->index++)
    r = find_original(p, &x->layers[p->index], err);
  p->result.unchanged = true;
  for (p->index = 0; r == 0 && p->index < x->n_layers; p->index++)
    if (!x->layers[p->index].kept) {
      p->result.unchanged = false;
      r = push_layer(p, p->index, err);
    }
  return r;
}

/* ---- The documents --------------------------------------------------------------------------- */

static int push_documents(struct push *p, struct zl_error *err)
{
  zl_autoexported e = ZL_EXPORTED_INIT;
  struct zl_push_blob config = { .fd = -1 };
  bool has = false;
  int r = zl_export_render(p->export, &e, err);

  if (r < 0)
    return r;
  config.digest = e.config_digest;
  config.size = e.config.len;
  config.data = e.config.data;
  r = zl_pusher_has(p->pusher, config.digest, config.size, &has, err);
  if (r == 0 && !has)
    r = zl_pusher_put(p->pusher, &config, err);
  if (r == 0)
    r = zl_pusher_put_manifest(p->pusher, p->target.tag, e.media_type, &e.manifest,
                               e.manifest_digest, err);
  if (r < 0)
    return r;
  (void)snprintf(p->result.digest, sizeof(p->result.digest), "%s", e.manifest_digest);
  (void)tell(p, ZL_PUSH_DONE, e.manifest_digest, 0, 0, NULL); /* too late to cancel */
  return 0;
}

/* ---- The push -------------------------------------------------------------------------------- */

static int parse_target(struct push *p, const char *target, struct zl_error *err)
{
  int r;

  if (target == NULL && p->export->reference == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "an image that is named by its digest needs a target");
  r = zl_image_ref_parse(target != NULL ? target : p->export->reference, &p->target, err);
  if (r < 0)
    return r;
  if (p->target.kind != ZL_IMAGE_REF_REGISTRY)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not in a registry: give a target",
                   p->target.canonical);
  if (p->target.digest != NULL)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%s' has a digest, and what is pushed may have another: give a tag",
                   p->target.canonical);
  return 0;
}

static int open_target(struct push *p, struct zl_error *err)
{
  const struct zl_registry_options options = { .ref = &p->target,
                                               .registries = &p->registries,
                                               .username = p->options->username,
                                               .password = p->options->password,
                                               .patience = &p->store->patience,
                                               .cancel_fd = p->cancel_fd };
  int r = zl_registries_load(p->store->root_fd, p->store->root, &p->registries, err);

  return r < 0 ? r : zl_pusher_open(&options, &p->pusher, err);
}

static int run(struct push *p, struct zl_error *err)
{
  int r = tell(p, ZL_PUSH_CHECKING, NULL, 0, 0, err);

  if (r == 0)
    r = open_target(p, err);
  if (r == 0)
    r = find_sources(p, err);
  if (r == 0)
    r = push_layers(p, err);
  return r < 0 ? r : push_documents(p, err);
}

int zl_image_push(struct zl_image_store *store, const char *image, const char *target,
                  const struct zl_push_options *options, struct zl_push_result *ret,
                  struct zl_error *err)
{
  static const struct zl_push_options defaults = { .progress = NULL };
  ZL_CLEANUP(push_done)
  struct push p = { .store = store,
                    .options = options != NULL ? options : &defaults,
                    .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
  struct zl_error local = { 0 };
  int r;

  err = err != NULL ? err : &local;
  if (p.cancel_fd < 0)
    return zl_fail_errno(err, "pushing an image");
  r = zl_export_new(store, image, &p.export, err);
  if (r == 0)
    r = parse_target(&p, target, err);
  if (r < 0)
    return zl_wrap(err, "pushing '%s'", image);
  r = run(&p, err);
  if (r < 0)
    return zl_wrap(err, "pushing to '%s'", p.target.canonical);
  if (ret != NULL)
    *ret = p.result;
  return 0;
}
