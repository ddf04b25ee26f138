/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"

void zl_descriptor_done(struct zl_descriptor *descriptor)
{
  zl_freep(&descriptor->media_type);
  zl_freep(&descriptor->ref_name);
  zl_freep(&descriptor->image_name);
  zl_strv_freep(&descriptor->urls);
}

void zl_manifest_done(struct zl_manifest *manifest)
{
  for (size_t i = 0; i < manifest->n_items; i++)
    zl_descriptor_done(&manifest->items[i]);
  zl_freep(&manifest->items);
  manifest->n_items = 0;
  zl_descriptor_done(&manifest->config);
  zl_freep(&manifest->media_type);
}

/* ---- Media types ----------------------------------------------------------------------------- */

static int kind_of(const char *media_type, enum zl_manifest_kind *ret)
{
  if (strcmp(media_type, ZL_MT_OCI_MANIFEST) == 0 || strcmp(media_type, ZL_MT_DOCKER_MANIFEST) == 0)
    *ret = ZL_MANIFEST_IMAGE;
  else if (strcmp(media_type, ZL_MT_OCI_INDEX) == 0 || strcmp(media_type, ZL_MT_DOCKER_LIST) == 0)
    *ret = ZL_MANIFEST_INDEX;
  else
    return -1;
  return 0;
}

static bool is_schema1(const char *media_type)
{
  return zl_has_prefix(media_type, "application/vnd.docker.distribution.manifest.v1+");
}

static int fail_schema1(const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "%s is in docker's schema 1, which has no verifiable layers: push it again with a "
                 "current tool",
                 what);
}

/* The type without parameters, lower case, as a new string. */
static char *bare_type(const char *content_type)
{
  size_t len = strcspn(content_type, "; \t");
  char *type = strndup(content_type, len);

  for (size_t i = 0; type != NULL && i < len; i++)
    if (type[i] >= 'A' && type[i] <= 'Z')
      type[i] = (char)(type[i] + ('a' - 'A'));
  return type;
}

/* What the document is, from its own member `mediaType` and from its carrier, which must agree.
 * A carrier that says something general ("application/json") says nothing. */
static int decide_type(const json_t *root, const char *content_type, const char *what,
                       struct zl_manifest *ret, struct zl_error *err)
{
  enum zl_manifest_kind kind;
  zl_autofree char *carrier = NULL;
  const char *own = NULL;

  if (zl_json_get_string(root, what, "mediaType", &own, err) < 0)
    return -ZL_E_CORRUPT;
  if (content_type != NULL) {
    carrier = bare_type(content_type);
    if (carrier == NULL)
      return zl_fail_nomem(err, what);
  }
  if ((own != NULL && is_schema1(own)) || (carrier != NULL && is_schema1(carrier)))
    return fail_schema1(what, err);
  if (carrier != NULL && kind_of(carrier, &kind) < 0)
    zl_freep(&carrier);
  if (own == NULL && carrier == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: nothing says what kind of manifest it is", what);
  if (own != NULL && kind_of(own, &kind) < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s: '%.100s' is no manifest of an image", what, own);
  if (own != NULL && carrier != NULL && strcmp(own, carrier) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s says it is '%s' and was delivered as '%s'", what, own,
                   carrier);
  ret->media_type = own != NULL ? strdup(own) : zl_steal_ptr(&carrier);
  if (ret->media_type == NULL)
    return zl_fail_nomem(err, what);
  (void)kind_of(ret->media_type, &ret->kind);
  return 0;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static int copy_part(const json_t *object, const char *path, const char *key,
                     char ret[ZL_PLATFORM_PART], struct zl_error *err)
{
  const char *text = NULL;

  if (zl_json_get_string(object, path, key, &text, err) < 0)
    return -ZL_E_CORRUPT;
  if (text != NULL && strlen(text) >= ZL_PLATFORM_PART)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s.%s: longer than %d characters", path, key,
                   ZL_PLATFORM_PART - 1);
  (void)snprintf(ret, ZL_PLATFORM_PART, "%s", text != NULL ? text : "");
  return 0;
}

static int parse_platform(const json_t *object, const char *path, struct zl_image_platform *ret,
                          struct zl_error *err)
{
  json_t *platform = NULL;

  if (zl_json_get_object(object, path, "platform", &platform, err) < 0 ||
      copy_part(platform, path, "os", ret->os, err) < 0 ||
      copy_part(platform, path, "architecture", ret->arch, err) < 0 ||
      copy_part(platform, path, "variant", ret->variant, err) < 0 ||
      copy_part(platform, path, "os.version", ret->os_version, err) < 0)
    return -ZL_E_CORRUPT;
  return 0;
}

static int parse_extras(const json_t *object, const char *path, struct zl_descriptor *ret,
                        struct zl_error *err)
{
  const char *name = NULL, *image = NULL;
  json_t *annotations = NULL;

  if (zl_json_get_object(object, path, "annotations", &annotations, err) < 0 ||
      zl_json_get_string(annotations, path, "org.opencontainers.image.ref.name", &name, err) < 0 ||
      zl_json_get_string(annotations, path, "io.containerd.image.name", &image, err) < 0 ||
      zl_json_get_strv(object, path, "urls", ZL_MAX_BLOB_URLS, &ret->urls, err) < 0)
    return -ZL_E_CORRUPT;
  if ((name != NULL && (ret->ref_name = strdup(name)) == NULL) ||
      (image != NULL && (ret->image_name = strdup(image)) == NULL))
    return zl_fail_nomem(err, path);
  return parse_platform(object, path, &ret->platform, err);
}

static int parse_descriptor(const json_t *object, const char *path, struct zl_descriptor *ret,
                            struct zl_error *err)
{
  const char *type = NULL, *digest = NULL;
  int64_t size = -1;

  if (!json_is_object(object))
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: expected an object", path);
  if (zl_json_get_string(object, path, "mediaType", &type, err) < 0 ||
      zl_json_get_string(object, path, "digest", &digest, err) < 0 ||
      zl_json_get_int(object, path, "size", 0, INT64_MAX, -1, &size, err) < 0)
    return -ZL_E_CORRUPT;
  if (type == NULL || digest == NULL || size < 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: mediaType, digest and size are required", path);
  if (!zl_digest_is_valid(digest, NULL))
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: '%.100s' is not a sha256 or sha512 digest", path,
                   digest);
  (void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
  ret->size = (uint64_t)size;
  ret->media_type = strdup(type);
  if (ret->media_type == NULL)
    return zl_fail_nomem(err, path);
  return parse_extras(object, path, ret, err);
}

static int parse_items(const json_t *root, const char *what, const char *key, size_t max,
                       struct zl_manifest *ret, struct zl_error *err)
{
  json_t *array = NULL;
  int r = zl_json_get_array(root, what, key, max, &array, err);

  if (r < 0)
    return r;
  if (array == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: '%s' is missing", what, key);
  if (json_array_size(array) == 0)
    return 0;
  ret->items = calloc(json_array_size(array), sizeof(*ret->items));
  if (ret->items == NULL)
    return zl_fail_nomem(err, what);
  for (size_t i = 0; i < json_array_size(array); i++) {
    zl_autofree char *path = zl_asprintf("%s: %s[%zu]", what, key, i);

    if (path == NULL)
      return zl_fail_nomem(err, what);
    ret->n_items = i + 1;
    r = parse_descriptor(json_array_get(array, i), path, &ret->items[i], err);
    if (r < 0)
      return r;
  }
  return 0;
}

/* ---- Documents ------------------------------------------------------------------------------- */

static bool has(const json_t *root, const char *key)
{
  return json_object_get(root, key) != NULL;
}

static int check_shape(const json_t *root, const char *what, struct zl_error *err)
{
  int64_t version = -1;

  if (zl_json_get_int(root, what, "schemaVersion", 0, 100, -1, &version, err) < 0)
    return -ZL_E_CORRUPT;
  if (version == 1 || has(root, "fsLayers"))
    return fail_schema1(what, err);
  if (version != 2)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: schemaVersion must be 2", what);
  if (has(root, "manifests") && (has(root, "layers") || has(root, "config")))
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s is an index and an image at once: refused", what);
  return 0;
}

static int parse_image(const json_t *root, const char *what, struct zl_manifest *ret,
                       struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("%s: config", what);
  json_t *config = NULL;
  int r;

  if (path == NULL)
    return zl_fail_nomem(err, what);
  r = zl_json_get_object(root, what, "config", &config, err);
  if (r < 0)
    return r;
  if (config == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: 'config' is missing", what);
  r = parse_descriptor(config, path, &ret->config, err);
  if (r < 0)
    return r;
  if (strcmp(ret->config.media_type, ZL_MT_OCI_CONFIG) != 0 &&
      strcmp(ret->config.media_type, ZL_MT_DOCKER_CONFIG) != 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "%s is not a container image: its configuration is of type '%.100s'", what,
                   ret->config.media_type);
  r = parse_items(root, what, "layers", ZL_MAX_LAYERS, ret, err);
  for (size_t i = 0; r == 0 && i < ret->n_items; i++) {
    enum zl_compression ignored;

    r = zl_layer_compression(&ret->items[i], &ignored, err);
  }
  return r;
}

static int parse_document(const json_t *root, const char *content_type, const char *what,
                          struct zl_manifest *ret, struct zl_error *err)
{
  int r;

  if (!json_is_object(root))
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: expected an object", what);
  r = check_shape(root, what, err);
  if (r == 0)
    r = decide_type(root, content_type, what, ret, err);
  if (r < 0)
    return r;
  return ret->kind == ZL_MANIFEST_IMAGE
             ? parse_image(root, what, ret, err)
             : parse_items(root, what, "manifests", ZL_MAX_INDEX, ret, err);
}

/* JSON errors say "invalid argument"; here the argument is somebody's published document. */
static int as_corrupt(struct zl_error *err, int r)
{
  if (r != -ZL_E_INVALID)
    return r;
  if (err != NULL)
    err->code = ZL_E_CORRUPT;
  return -ZL_E_CORRUPT;
}

int zl_manifest_parse(const char *text, size_t len, const char *content_type, const char *what,
                      struct zl_manifest *ret, struct zl_error *err)
{
  zl_automanifest manifest = { 0 };
  struct zl_error local = { 0 };
  zl_autojson *root = NULL;
  int r;

  if (err == NULL)
    err = &local;
  r = zl_json_parse(text, len, what, &root, err);
  if (r == 0)
    r = parse_document(root, content_type, what, &manifest, err);
  if (r < 0)
    return as_corrupt(err, -(int)err->code);
  *ret = manifest;
  manifest = (struct zl_manifest){ 0 };
  return 0;
}

/* ---- Layers and platforms -------------------------------------------------------------------- */

int zl_layer_compression(const struct zl_descriptor *layer, enum zl_compression *ret,
                         struct zl_error *err)
{
  static const struct {
    const char *type;
    enum zl_compression compression;
  } types[] = {
    { "application/vnd.oci.image.layer.v1.tar", ZL_COMPRESSION_NONE },
    { "application/vnd.oci.image.layer.v1.tar+gzip", ZL_COMPRESSION_GZIP },
    { "application/vnd.oci.image.layer.v1.tar+zstd", ZL_COMPRESSION_ZSTD },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar", ZL_COMPRESSION_NONE },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ZL_COMPRESSION_GZIP },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", ZL_COMPRESSION_ZSTD },
    { "application/vnd.docker.image.rootfs.diff.tar", ZL_COMPRESSION_AUTO },
    { "application/vnd.docker.image.rootfs.diff.tar.gzip", ZL_COMPRESSION_AUTO },
    { "application/vnd.docker.image.rootfs.diff.tar.zstd", ZL_COMPRESSION_AUTO },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar", ZL_COMPRESSION_AUTO },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ZL_COMPRESSION_AUTO },
  };

  for (size_t i = 0; i < ZL_COUNT(types); i++)
    if (strcmp(layer->media_type, types[i].type) == 0) {
      *ret = types[i].compression;
      return 0;
    }
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "layer %s is of type '%.100s', which is not supported",
                 layer->digest, layer->media_type);
}

bool zl_descriptor_is_manifest(const struct zl_descriptor *item)
{
  enum zl_manifest_kind kind;

  return kind_of(item->media_type, &kind) == 0;
}

const struct zl_descriptor *zl_index_select(const struct zl_manifest *index,
                                            const struct zl_image_platform *node)
{
  const struct zl_descriptor *best = NULL, *unnamed = NULL;
  unsigned best_rank = 0;
  size_t named = 0;

  for (size_t i = 0; i < index->n_items; i++) {
    const struct zl_descriptor *item = &index->items[i];
    unsigned rank;

    if (!zl_descriptor_is_manifest(item))
      continue;
    if (item->platform.os[0] == '\0' && item->platform.arch[0] == '\0') {
      unnamed = unnamed != NULL ? unnamed : item;
      continue;
    }
    named++;
    rank = zl_platform_rank(&item->platform, node);
    if (rank > best_rank) {
      best_rank = rank;
      best = item;
    }
  }
  return best != NULL || named > 0 ? best : unnamed;
}
