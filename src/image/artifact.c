/* SPDX-License-Identifier: Apache-2.0 */
#include "image/artifact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"

void zl_artifact_done(struct zl_artifact *artifact)
{
  for (size_t i = 0; i < artifact->n_blobs; i++)
    zl_descriptor_done(&artifact->blobs[i].blob);
  zl_freep(&artifact->blobs);
  artifact->n_blobs = 0;
  zl_json_decref(&artifact->root);
}

static int bad(struct zl_error *err, const char *what)
{
  return zl_fail(err, ZL_E_CORRUPT, 0, "%s", what);
}

static int read_descriptor(const json_t *object, struct zl_descriptor *ret, struct zl_error *err)
{
  const char *type = NULL, *digest = NULL;
  int64_t size = -1;

  if (!json_is_object(object) || zl_json_get_string(object, "", "mediaType", &type, err) < 0 ||
      zl_json_get_string(object, "", "digest", &digest, err) < 0 ||
      zl_json_get_int(object, "", "size", 0, INT64_MAX, -1, &size, err) < 0 || type == NULL ||
      digest == NULL || size < 0 || !zl_digest_is_valid(digest, NULL))
    return bad(err, "a descriptor lacks mediaType, digest or size");
  (void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
  ret->size = (uint64_t)size;
  ret->media_type = strdup(type);
  return ret->media_type != NULL ? 0 : zl_fail_nomem(err, "a manifest");
}

static int read_root(const char *text, size_t len, const char *list, json_t **ret_list,
                     struct zl_artifact *ret, struct zl_error *err)
{
  int64_t version = 0;

  if (zl_json_parse(text, len, "the manifest", &ret->root, err) < 0 || !json_is_object(ret->root))
    return bad(err, "it is not JSON");
  if (zl_json_get_int(ret->root, "", "schemaVersion", 0, 100, 0, &version, err) < 0 || version != 2)
    return bad(err, "it is no manifest of schema 2");
  *ret_list = json_object_get(ret->root, list);
  if (!json_is_array(*ret_list))
    return zl_fail(err, ZL_E_CORRUPT, 0, "its '%s' are missing", list);
  if (json_array_size(*ret_list) > ZL_MAX_INDEX)
    return zl_fail(err, ZL_E_LIMIT, 0, "it has more than %d %s", ZL_MAX_INDEX, list);
  ret->blobs = calloc(json_array_size(*ret_list) + 1, sizeof(*ret->blobs));
  return ret->blobs != NULL ? 0 : zl_fail_nomem(err, "a manifest");
}

static int add(const json_t *object, struct zl_artifact *ret, struct zl_error *err)
{
  struct zl_artifact_blob *blob = &ret->blobs[ret->n_blobs++];
  const json_t *annotations = json_object_get(object, "annotations");

  blob->annotations = json_is_object(annotations) ? annotations : NULL;
  return read_descriptor(object, &blob->blob, err);
}

static int read_subject(struct zl_artifact *ret, struct zl_error *err)
{
  const json_t *subject = json_object_get(ret->root, "subject");
  struct zl_descriptor descriptor = { 0 };
  int r = subject != NULL ? read_descriptor(subject, &descriptor, err) : 0;

  (void)snprintf(ret->subject, sizeof(ret->subject), "%s", descriptor.digest);
  zl_descriptor_done(&descriptor);
  return r;
}

int zl_artifact_parse(const char *text, size_t len, struct zl_artifact *ret, struct zl_error *err)
{
  json_t *layers = NULL;
  int r = read_root(text, len, "layers", &layers, ret, err);

  for (size_t i = 0; r == 0 && i < json_array_size(layers); i++)
    r = add(json_array_get(layers, i), ret, err);
  return r < 0 ? r : read_subject(ret, err);
}

int zl_referrers_parse(const char *text, size_t len, const char *artifact_type,
                       struct zl_artifact *ret, struct zl_error *err)
{
  json_t *manifests = NULL;
  int r = read_root(text, len, "manifests", &manifests, ret, err);

  for (size_t i = 0; r == 0 && i < json_array_size(manifests); i++) {
    const json_t *item = json_array_get(manifests, i);
    const char *type = json_string_value(json_object_get(item, "artifactType"));

    if (type == NULL || artifact_type == NULL || strcmp(type, artifact_type) == 0)
      r = add(item, ret, err);
  }
  return r;
}

char *zl_attached_tag(const char *digest, const char *suffix)
{
  char *tag = zl_asprintf("%s%s", digest, suffix);

  if (tag != NULL)
    tag[strcspn(tag, ":")] = '-';
  return tag;
}
