/* SPDX-License-Identifier: Apache-2.0
 *
 * The OCI image layout: `oci-layout`, `index.json` and `blobs/<algorithm>/<hex>`.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/artifact.h"
#include "image/files.h"
#include "image/local.h"

struct layout {
  struct zl_source base;
  const struct zl_image_ref *ref;
  struct zl_files *files;
  size_t position; /* of the image in the index; ANY: what the reference says */
};

enum {
  ANY = -1
};

static void layout_free(struct zl_source *source)
{
  struct layout *l = (struct layout *)source;

  zl_files_free(l->files);
  free(l);
}

static int check_version(const struct layout *l, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  const char *version = NULL;
  int r = zl_files_read(l->files, "oci-layout", &text, err);

  if (r < 0)
    return zl_wrap(err, "'%s' is not an image layout", l->ref->path);
  r = zl_json_parse(text.data != NULL ? text.data : "", text.len, "oci-layout", &json, err);
  if (r == 0)
    r = zl_json_get_string(json, "oci-layout", "imageLayoutVersion", &version, err);
  if (r == 0 && (version == NULL || !zl_has_prefix(version, "1.")))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "'%s': image layout version '%.40s'", l->ref->path,
                   version != NULL ? version : "");
  return r;
}

/* The digest was checked to be "algorithm:hex", so no other name can come of it (CVE-2024-3727). */
static int find_blob(const struct layout *l, const struct zl_descriptor *blob, struct zl_range *ret,
                     struct zl_error *err)
{
  zl_autofree char *name = zl_asprintf("blobs/%s", blob->digest);
  zl_autorange range = { .fd = -1 };
  int r;

  if (name == NULL)
    return zl_fail_nomem(err, "a blob");
  name[strcspn(name, ":")] = '/';
  r = zl_files_find(l->files, name, &range, err);
  if (r == 0 && range.size != blob->size)
    r = zl_fail(err, ZL_E_CORRUPT, 0, "blob %s has %llu bytes, its manifest says %llu",
                blob->digest, (unsigned long long)range.size, (unsigned long long)blob->size);
  if (r < 0)
    return r;
  *ret = range;
  range.owned = false;
  return 0;
}

static int layout_blob(struct zl_source *source, const struct zl_descriptor *descriptor,
                       zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  zl_autorange range = { .fd = -1 };
  int r = find_blob((struct layout *)source, descriptor, &range, err);

  return r < 0 ? r : zl_range_stream(&range, fn, ctx, err);
}

static int collect(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  return zl_buf_append(ctx, data, len, err);
}

static int layout_document(struct zl_source *source, const struct zl_descriptor *descriptor,
                           struct zl_document *ret, struct zl_error *err)
{
  int r = layout_blob(source, descriptor, collect, &ret->text, err);

  if (r < 0)
    return r;
  ret->media_type = strdup(descriptor->media_type);
  return ret->media_type != NULL ? 0 : zl_fail_nomem(err, "a manifest");
}

/* The entry that the tag names; NULL in *ret when no tag was given and the index is the image. */
static int choose(const struct layout *l, const struct zl_manifest *index,
                  const struct zl_descriptor **ret, struct zl_error *err)
{
  const char *tag = l->ref->tag;
  const struct zl_descriptor *found = NULL;

  if (l->position != (size_t)ANY && l->position < index->n_items) {
    *ret = &index->items[l->position];
    return 0;
  }
  for (size_t i = 0; tag != NULL && i < index->n_items; i++) {
    const struct zl_descriptor *item = &index->items[i];

    if (item->ref_name == NULL || strcmp(item->ref_name, tag) != 0)
      continue;
    if (found != NULL && strcmp(found->digest, item->digest) != 0)
      return zl_fail(err, ZL_E_INVALID, 0, "'%s' holds several images named '%s'", l->ref->path,
                     tag);
    found = item;
  }
  if (tag != NULL && found == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s' holds no image named '%s'", l->ref->path, tag);
  if (tag == NULL && index->n_items == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s' holds no image", l->ref->path);
  if (tag == NULL && index->n_items == 1)
    found = &index->items[0];
  for (size_t i = 0; found == NULL && index->items != NULL && i < index->n_items; i++)
    if (index->items[i].platform.os[0] == '\0')
      return zl_fail(err, ZL_E_INVALID, 0, "'%s' holds several images: name one, '%s:TAG'",
                     l->ref->path, l->ref->path);
  *ret = found;
  return 0;
}

static int layout_root(struct zl_source *source, struct zl_document *ret, struct zl_error *err)
{
  struct layout *l = (struct layout *)source;
  zl_automanifest index = { 0 };
  const struct zl_descriptor *item = NULL;
  int r = check_version(l, err);

  if (r == 0)
    r = zl_files_read(l->files, "index.json", &ret->text, err);
  if (r == 0)
    r = zl_manifest_parse(ret->text.data != NULL ? ret->text.data : "", ret->text.len,
                          ZL_MT_OCI_INDEX, "index.json", &index, err);
  if (r == 0)
    r = choose(l, &index, &item, err);
  if (r < 0)
    return r;
  if (item == NULL) {
    ret->media_type = strdup(ZL_MT_OCI_INDEX);
    return ret->media_type != NULL
               ? zl_digest_of(ZL_SHA256, ret->text.data, ret->text.len, ret->digest, err)
               : zl_fail_nomem(err, "index.json");
  }
  zl_document_done(ret);
  return zl_source_document(source, item, ret, err);
}

/* ---- What is attached ------------------------------------------------------------------------ */

static int read_index(const struct layout *l, struct zl_artifact *ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_JSON);
  int r = zl_files_read(l->files, "index.json", &text, err);

  if (r == 0)
    r = zl_referrers_parse(text.data != NULL ? text.data : "", text.len, NULL, ret, err);
  return r;
}

static size_t layout_places(const struct zl_source *source)
{
  (void)source;
  return 1;
}

/* The entry of index.json with that name. */
static int layout_tagged(struct zl_source *source, size_t place, const char *tag,
                         struct zl_document *ret, struct zl_error *err)
{
  struct layout *l = (struct layout *)source;
  zl_autoartifact index = { 0 };
  int r = read_index(l, &index, err);

  (void)place;
  for (size_t i = 0; r == 0 && i < index.n_blobs; i++) {
    const char *name = json_string_value(
        json_object_get(index.blobs[i].annotations, "org.opencontainers.image.ref.name"));

    if (name != NULL && strcmp(name, tag) == 0)
      return zl_source_document(source, &index.blobs[i].blob, ret, err);
  }
  return r < 0 ? r : zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s' holds no '%s'", l->ref->path, tag);
}

/* All entries of index.json: which of them refer to the digest their manifests tell. */
static int layout_referrers(struct zl_source *source, size_t place, const char *digest,
                            const char *artifact_type, struct zl_document *ret,
                            struct zl_error *err)
{
  struct layout *l = (struct layout *)source;

  (void)place;
  (void)digest;
  (void)artifact_type;
  return zl_files_read(l->files, "index.json", &ret->text, err);
}

static const struct zl_source_ops layout_ops = {
  .root = layout_root,
  .document = layout_document,
  .blob = layout_blob,
  .free = layout_free,
  .places = layout_places,
  .tagged = layout_tagged,
  .referrers = layout_referrers,
};

static struct layout *layout_new(const struct zl_image_ref *ref)
{
  struct layout *l = calloc(1, sizeof(*l));

  if (l == NULL)
    return NULL;
  l->base.ops = &layout_ops;
  l->ref = ref;
  l->position = (size_t)ANY;
  return l;
}

static int keep(struct layout *l, int r, struct zl_source **ret)
{
  if (r < 0)
    layout_free(&l->base);
  else
    *ret = &l->base;
  return r;
}

int zl_layout_open(const struct zl_image_ref *ref, struct zl_source **ret, struct zl_error *err)
{
  struct layout *l = layout_new(ref);
  int r;

  if (l == NULL)
    return zl_fail_nomem(err, "an image layout");
  r = ref->kind == ZL_IMAGE_REF_OCI_DIR ? zl_files_open_dir(ref->path, &l->files, err)
                                        : zl_files_open_archive(ref->path, &l->files, err);
  return keep(l, r, ret);
}

int zl_layout_open_at(int fd, size_t position, struct zl_source **ret, struct zl_error *err)
{
  static char name[] = "the archive";
  static const struct zl_image_ref ref = { .kind = ZL_IMAGE_REF_OCI_ARCHIVE, .path = name };
  struct layout *l = layout_new(&ref);

  if (l == NULL)
    return zl_fail_nomem(err, "an image layout");
  l->position = position;
  return keep(l, zl_files_open_fd(fd, name, &l->files, err), ret);
}
