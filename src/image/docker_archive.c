/* SPDX-License-Identifier: Apache-2.0
 *
 * What `docker save` writes: `manifest.json` lists images, each with a configuration and layer
 * files. There is no registry manifest in it, so one is made: same archive, same digest.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/config.h"
#include "image/files.h"
#include "image/local.h"

#define LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar"

struct blob {
  char digest[ZL_DIGEST_TEXT];
  char *file; /* in the archive */
  uint64_t size;
};

enum {
  ANY = -1
};

struct docker_archive {
  struct zl_source base;
  const struct zl_image_ref *ref;
  struct zl_files *files;
  size_t position;                      /* of the image in the list; ANY: what the reference says */
  struct blob blobs[ZL_MAX_LAYERS + 1]; /* the configuration, then the layers, base first */
  size_t n_blobs;
};

static void docker_archive_free(struct zl_source *source)
{
  struct docker_archive *a = (struct docker_archive *)source;

  for (size_t i = 0; i < a->n_blobs; i++)
    free(a->blobs[i].file);
  zl_files_free(a->files);
  free(a);
}

/* ---- Choosing the image ---------------------------------------------------------------------- */

static bool has_tag(const json_t *image, const char *canonical)
{
  json_t *tags = json_object_get(image, "RepoTags");

  for (size_t i = 0; i < json_array_size(tags); i++) {
    const char *tag = json_string_value(json_array_get(tags, i));
    zl_auto_image_ref ref = { 0 };

    if (tag != NULL && zl_image_ref_parse(tag, &ref, NULL) == 0 &&
        strcmp(ref.canonical, canonical) == 0)
      return true;
  }
  return false;
}

static int choose(const struct docker_archive *a, const json_t *images, const json_t **ret,
                  struct zl_error *err)
{
  const char *tag = a->ref->tag;

  if (!json_is_array(images) || json_array_size(images) == 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': manifest.json lists no image", a->ref->path);
  if (a->position != (size_t)ANY && a->position < json_array_size(images)) {
    *ret = json_array_get(images, a->position);
    return 0;
  }
  if (tag == NULL && json_array_size(images) > 1)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' holds several images: name one, '%s:NAME:TAG'",
                   a->ref->path, a->ref->path);
  for (size_t i = 0; i < json_array_size(images); i++) {
    const json_t *image = json_array_get(images, i);

    if (tag == NULL || has_tag(image, tag)) {
      *ret = image;
      return 0;
    }
  }
  return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s' holds no image named '%s'", a->ref->path, tag);
}

/* ---- Making the manifest --------------------------------------------------------------------- */

static int hash_piece(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  (void)err;
  zl_hash_update(ctx, data, len);
  return 0;
}

static int hash_range(const struct zl_range *range, char digest[ZL_DIGEST_TEXT],
                      struct zl_error *err)
{
  zl_autohash hash = NULL;
  int r = zl_hash_new(ZL_SHA256, &hash, err);

  if (r == 0)
    r = zl_range_stream(range, hash_piece, hash, err);
  return r < 0 ? r : zl_hash_final(hash, digest, err);
}

static int first_bytes(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  (void)err;
  memcpy(ctx, data, len);
  return 0;
}

/* A plain tar's digest is its diff id, which the unpacking proves; only compressed layers have to
 * be read twice. */
static int layer_digest(const struct zl_range *range, const char *diff_id,
                        char digest[ZL_DIGEST_TEXT], struct zl_error *err)
{
  unsigned char magic[4] = { 0 };
  struct zl_range head = *range;
  int r;

  head.size = range->size < sizeof(magic) ? range->size : sizeof(magic);
  r = zl_range_stream(&head, first_bytes, magic, err);
  if (r < 0)
    return r;
  if ((magic[0] == 0x1f && magic[1] == 0x8b) || memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
    return hash_range(range, digest, err);
  (void)snprintf(digest, ZL_DIGEST_TEXT, "%s", diff_id);
  return 0;
}

static int add_blob(struct docker_archive *a, const char *file, const char *diff_id,
                    struct zl_error *err)
{
  struct blob *b = &a->blobs[a->n_blobs];
  zl_autorange range = { .fd = -1 };
  int r = zl_files_find(a->files, file, &range, err);

  if (r == 0)
    r = diff_id != NULL ? layer_digest(&range, diff_id, b->digest, err)
                        : hash_range(&range, b->digest, err);
  if (r < 0)
    return r;
  b->size = range.size;
  b->file = strdup(file);
  if (b->file == NULL)
    return zl_fail_nomem(err, "an archive");
  a->n_blobs++;
  return 0;
}

static int add_layers(struct docker_archive *a, char *const *files, char *const *diff_ids,
                      struct zl_error *err)
{
  size_t n = zl_strv_len((const char *const *)files);
  int r = 0;

  if (n != zl_strv_len((const char *const *)diff_ids))
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': manifest.json has %zu layers, the image %zu",
                   a->ref->path, n, zl_strv_len((const char *const *)diff_ids));
  for (size_t i = 0; files != NULL && diff_ids != NULL && i < n && r == 0; i++)
    r = add_blob(a, files[i], diff_ids[i], err);
  return r;
}

static int read_image(struct docker_archive *a, const json_t *image, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_JSON);
  zl_autostrv layers = NULL;
  zl_autostrv diff_ids = NULL;
  zl_autoimage config = { 0 };
  const char *file = NULL;
  int r = zl_json_get_string(image, "manifest.json", "Config", &file, err);

  if (r == 0)
    r = zl_json_get_strv(image, "manifest.json", "Layers", ZL_MAX_LAYERS, &layers, err);
  if (r < 0)
    return r;
  if (file == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': manifest.json names no 'Config'", a->ref->path);
  r = add_blob(a, file, NULL, err);
  if (r == 0)
    r = zl_files_read(a->files, file, &text, err);
  if (r == 0)
    r = zl_image_config_parse(text.data != NULL ? text.data : "", text.len, file, &config,
                              &diff_ids, err);
  return r < 0 ? r : add_layers(a, layers, diff_ids, err);
}

static json_t *descriptor(const char *type, const struct blob *blob)
{
  return json_pack("{s:s, s:I, s:s}", "mediaType", type, "size", (json_int_t)blob->size, "digest",
                   blob->digest);
}

static int render(const struct docker_archive *a, struct zl_document *ret, struct zl_error *err)
{
  zl_autojson *layers = json_array(), *root = NULL;
  zl_autofree char *text = NULL;
  int r;

  for (size_t i = 1; i < a->n_blobs; i++)
    (void)json_array_append_new(layers, descriptor(LAYER_TYPE, &a->blobs[i]));
  root = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", ZL_MT_DOCKER_MANIFEST,
                   "config", descriptor(ZL_MT_DOCKER_CONFIG, &a->blobs[0]), "layers", layers);
  ret->media_type = strdup(ZL_MT_DOCKER_MANIFEST);
  if (root == NULL || json_array_size(layers) + 1 != a->n_blobs || ret->media_type == NULL)
    return zl_fail_nomem(err, "a manifest");
  r = zl_json_render(root, &text, err);
  if (r == 0)
    r = zl_buf_puts(&ret->text, text, err);
  return r < 0 ? r : zl_digest_of(ZL_SHA256, ret->text.data, ret->text.len, ret->digest, err);
}

static int docker_archive_root(struct zl_source *source, struct zl_document *ret,
                               struct zl_error *err)
{
  struct docker_archive *a = (struct docker_archive *)source;
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_JSON);
  zl_autojson *images = NULL;
  const json_t *image = NULL;
  int r = zl_files_read(a->files, "manifest.json", &text, err);

  if (r < 0)
    return zl_wrap(err, "'%s' is not a docker archive", a->ref->path);
  r = zl_json_parse(text.data != NULL ? text.data : "", text.len, "manifest.json", &images, err);
  if (r == 0)
    r = choose(a, images, &image, err);
  if (r == 0)
    r = read_image(a, image, err);
  return r < 0 ? r : render(a, ret, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int docker_archive_document(struct zl_source *source, const struct zl_descriptor *wanted,
                                   struct zl_document *ret, struct zl_error *err)
{
  (void)source;
  (void)ret;
  return zl_fail(err, ZL_E_NOT_FOUND, 0, "a docker archive holds no manifest %s", wanted->digest);
}

static int docker_archive_blob(struct zl_source *source, const struct zl_descriptor *wanted,
                               zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  const struct docker_archive *a = (const struct docker_archive *)source;

  for (size_t i = 0; i < a->n_blobs; i++) {
    zl_autorange range = { .fd = -1 };
    int r;

    if (strcmp(a->blobs[i].digest, wanted->digest) != 0)
      continue;
    r = zl_files_find(a->files, a->blobs[i].file, &range, err);
    return r < 0 ? r : zl_range_stream(&range, fn, ctx, err);
  }
  return zl_fail(err, ZL_E_NOT_FOUND, 0, "the archive has no blob %s", wanted->digest);
}

static const struct zl_source_ops docker_archive_ops = {
  .root = docker_archive_root,
  .document = docker_archive_document,
  .blob = docker_archive_blob,
  .free = docker_archive_free,
};

static struct docker_archive *archive_new(const struct zl_image_ref *ref)
{
  struct docker_archive *a = calloc(1, sizeof(*a));

  if (a == NULL)
    return NULL;
  a->base.ops = &docker_archive_ops;
  a->ref = ref;
  a->position = (size_t)ANY;
  return a;
}

static int keep(struct docker_archive *a, int r, struct zl_source **ret)
{
  if (r < 0)
    docker_archive_free(&a->base);
  else
    *ret = &a->base;
  return r;
}

int zl_docker_archive_open(const struct zl_image_ref *ref, struct zl_source **ret,
                           struct zl_error *err)
{
  struct docker_archive *a = archive_new(ref);

  if (a == NULL)
    return zl_fail_nomem(err, "an archive");
  return keep(a, zl_files_open_archive(ref->path, &a->files, err), ret);
}

int zl_docker_archive_open_at(int fd, size_t position, struct zl_source **ret, struct zl_error *err)
{
  static char name[] = "the archive";
  static const struct zl_image_ref ref = { .kind = ZL_IMAGE_REF_DOCKER_ARCHIVE, .path = name };
  struct docker_archive *a = archive_new(&ref);

  if (a == NULL)
    return zl_fail_nomem(err, "an archive");
  a->position = position;
  return keep(a, zl_files_open_fd(fd, name, &a->files, err), ret);
}
