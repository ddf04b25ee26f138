/* SPDX-License-Identifier: Apache-2.0
 *
 * Images in one archive: an OCI image layout, with docker's list of images beside its index.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/export.h"
#include "image/layer/tar_object.h"
#include "image/layer/tar_write.h"
#include "spec/imageref.h"

enum {
  COPY = 256 << 10,
  MAX_NAME = 256 /* "blobs/sha256/…" */
};

struct saving {
  struct zl_image_store *store;
  const struct zl_save_options *options;
  int fd;
  struct zl_byte_sink sink;
  struct zl_tar_writer to;
  char **written; /* digests of the blobs that are in the archive */
  json_t *index;  /* entries of index.json */
  json_t *docker; /* of manifest.json */
};

static void saving_done(struct saving *s)
{
  zl_tar_writer_done(&s->to);
  zl_strv_freep(&s->written);
  json_decref(s->index);
  json_decref(s->docker);
}

static int on_archive(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  const struct saving *s = ctx;
  int r = zl_fd_write_full(s->fd, data, len);

  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing the archive") : 0;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void blob_name(const char *digest, char ret[MAX_NAME])
{
  (void)snprintf(ret, MAX_NAME, "blobs/%s", digest);
  ret[strcspn(ret, ":")] = '/';
}

static int put_head(struct saving *s, const char *name, uint64_t size, struct zl_error *err)
{
  const struct zl_layer_entry entry = {
    .type = ZL_LAYER_FILE, .path = name, .link = "", .size = size, .mode = 0644
  };

  return zl_tar_put_entry(&s->to, &entry, err);
}

static int put_padding(struct saving *s, uint64_t size, struct zl_error *err)
{
  static const char zeros[512];

  return on_archive(s, zeros, zl_tar_padding(size), err);
}

static int put_text(struct saving *s, const char *name, const void *text, size_t len,
                    struct zl_error *err)
{
  int r = put_head(s, name, len, err);

  if (r == 0)
    r = on_archive(s, text, len, err);
  return r < 0 ? r : put_padding(s, len, err);
}

static bool contains(char *const *list, const char *text)
{
  for (size_t i = 0; list != NULL && list[i] != NULL; i++)
    if (strcmp(list[i], text) == 0)
      return true;
  return false;
}

/* *ret: the archive has this blob. It counts as written from now on. */
static int note_written(struct saving *s, const char *digest, bool *ret, struct zl_error *err)
{
  *ret = contains(s->written, digest);
  return *ret ? 0 : zl_strv_push(&s->written, digest, err);
}

static int put_blob(struct saving *s, const char *digest, const struct zl_buf *text,
                    struct zl_error *err)
{
  char name[MAX_NAME];
  bool written = false;
  int r = note_written(s, digest, &written, err);

  blob_name(digest, name);
  return r < 0 || written ? r : put_text(s, name, text->data, text->len, err);
}

static int copy_blob(struct saving *s, int fd, uint64_t size, struct zl_error *err)
{
  zl_autofree char *piece = malloc(COPY);
  int r = piece != NULL ? 0 : zl_fail_nomem(err, "an archive");

  for (uint64_t done = 0; r == 0 && done < size;) {
    ssize_t n = pread(fd, piece, COPY, (off_t)done);

    if (n <= 0)
      return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "reading a packed layer");
    r = on_archive(s, piece, (size_t)n, err);
    done += (uint64_t)n;
  }
  return r;
}

/* ---- One image ------------------------------------------------------------------------------- */

struct step {
  const struct saving *saving;
  const struct zl_export *export;
  size_t index;
};

static int tell(const struct step *step, enum zl_push_phase phase, const char *digest,
                uint64_t done, uint64_t total, struct zl_error *err)
{
  const struct zl_save_options *o = step->saving->options;
  const struct zl_push_progress progress = { .phase = phase,
                                             .digest = digest,
                                             .index = step->index,
                                             .layers = step->export->n_layers,
                                             .done = done,
                                             .total = total };

  if (o->progress == NULL || o->progress(o->payload, &progress) == 0)
    return 0;
  return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

static int on_pack(void *ctx, uint64_t packed, struct zl_error *err)
{
  return tell(ctx, ZL_PUSH_PACKING, NULL, packed, 0, err);
}

static int put_layer(struct saving *s, struct zl_export *x, size_t i, struct zl_error *err)
{
  struct step step = { s, x, i };
  struct zl_export_layer *layer = &x->layers[i];
  char name[MAX_NAME];
  bool written = false;
  int r = zl_export_pack(x, i, zl_export_compression(s->options->compression), on_pack, &step, err);

  if (r == 0)
    r = note_written(s, layer->digest, &written, err);
  blob_name(layer->digest, name);
  if (r == 0 && !written) {
    r = put_head(s, name, layer->size, err);
    if (r == 0)
      r = copy_blob(s, layer->blob_fd, layer->size, err);
    if (r == 0)
      r = put_padding(s, layer->size, err);
  }
  zl_export_drop(x, i);
  return r < 0 ? r : tell(&step, ZL_PUSH_LAYER_DONE, layer->digest, layer->size, layer->size, err);
}

/* What other tools take for a name: a registry's, with a tag. NULL: the image has none. */
static char *name_of(const struct zl_export *x)
{
  zl_auto_image_ref ref = { 0 };

  if (x->reference == NULL || zl_image_ref_parse(x->reference, &ref, NULL) < 0 ||
      ref.kind != ZL_IMAGE_REF_REGISTRY || ref.digest != NULL)
    return NULL;
  return zl_steal_ptr(&ref.canonical);
}

static json_t *index_entry(const struct zl_export *x, const struct zl_exported *e, const char *name)
{
  const struct zl_image_platform *p = &x->platform;
  json_t *entry =
      json_pack("{s:s, s:s, s:I, s:{s:s, s:s, s:s*}}", "mediaType", e->media_type, "digest",
                e->manifest_digest, "size", (json_int_t)e->manifest.len, "platform", "architecture",
                p->arch, "os", p->os, "variant", p->variant[0] != '\0' ? p->variant : NULL);

  /* The first is the specification's, the second what containerd and Docker read. */
  if (entry != NULL && name != NULL)
    (void)json_object_set_new(entry, "annotations",
                              json_pack("{s:s, s:s}", "org.opencontainers.image.ref.name", name,
                                        "io.containerd.image.name", name));
  return entry;
}

static json_t *docker_entry(const struct zl_export *x, const struct zl_exported *e,
                            const char *name)
{
  json_t *layers = json_array(), *tags = json_array();
  char file[MAX_NAME];

  for (size_t i = 0; i < x->n_layers; i++) {
    blob_name(x->layers[i].digest, file);
    (void)json_array_append_new(layers, json_string(file));
  }
  if (name != NULL)
    (void)json_array_append_new(tags, json_string(name));
  blob_name(e->config_digest, file);
  return json_pack("{s:s, s:o, s:o}", "Config", file, "RepoTags", tags, "Layers", layers);
}

static int put_image(struct saving *s, const char *image, struct zl_error *err)
{
  ZL_CLEANUP(zl_export_freep) struct zl_export *x = NULL;
  zl_autoexported e = ZL_EXPORTED_INIT;
  zl_autofree char *name = NULL;
  int r = zl_export_new(s->store, image, &x, err);

  for (size_t i = 0; r == 0 && i < x->n_layers; i++)
    r = put_layer(s, x, i, err);
  if (r == 0)
    r = zl_export_render(x, &e, err);
  if (r == 0)
    r = put_blob(s, e.config_digest, &e.config, err);
  if (r == 0)
    r = put_blob(s, e.manifest_digest, &e.manifest, err);
  if (r < 0)
    return zl_wrap(err, "saving '%s'", image);
  name = name_of(x);
  if (json_array_append_new(s->index, index_entry(x, &e, name)) < 0 ||
      json_array_append_new(s->docker, docker_entry(x, &e, name)) < 0)
    return zl_fail_nomem(err, "an archive");
  return tell(&(struct step){ s, x, x->n_layers }, ZL_PUSH_DONE, e.manifest_digest, 0, 0, err);
}

/* ---- The archive ----------------------------------------------------------------------------- */

static int put_json(struct saving *s, const char *name, const json_t *json, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, name);

  return r < 0 ? r : put_text(s, name, text, strlen(text), err);
}

static int put_lists(struct saving *s, struct zl_error *err)
{
  static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
  zl_autojson *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
                                 ZL_MT_OCI_INDEX, "manifests", s->index);
  int r = put_text(s, "oci-layout", version, strlen(version), err);

  if (r == 0)
    r = put_json(s, "index.json", index, err);
  return r < 0 ? r : put_json(s, "manifest.json", s->docker, err);
}

int zl_image_save(struct zl_image_store *store, const char *const *images, int fd,
                  const struct zl_save_options *options, struct zl_error *err)
{
  static const struct zl_save_options defaults = { .progress = NULL };
  struct zl_error local = { 0 };
  ZL_CLEANUP(saving_done)
  struct saving s = { .store = store,
                      .options = options != NULL ? options : &defaults,
                      .fd = fd,
                      .index = json_array(),
                      .docker = json_array() };
  int r;

  err = err != NULL ? err : &local;
  if (images == NULL || images[0] == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "no image to save");
  s.sink = (struct zl_byte_sink){ .write = on_archive, .ctx = &s };
  r = zl_tar_writer_init(&s.to, &s.sink, err);
  for (size_t i = 0; r == 0 && images[i] != NULL; i++)
    r = put_image(&s, images[i], err);
  if (r == 0)
    r = put_lists(&s, err);
  return r < 0 ? r : zl_tar_put_end(&s.to, err);
}
