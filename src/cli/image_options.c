/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs about images share.
 */
#include "cli/image_options.h"

#include <string.h>

enum zl_image_compression zl_image_compression_of(const struct zl_args *args)
{
  const char *text = zl_args_get(args, "compression");

  if (text == NULL || strcmp(text, "gzip") == 0)
    return ZL_IMAGE_GZIP;
  return strcmp(text, "zstd") == 0 ? ZL_IMAGE_ZSTD : ZL_IMAGE_PLAIN;
}

int zl_image_facts(struct zl_runtime *rt, const char *image, json_t **ret, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = zl_inspect_image(rt, image, &text, err);

  return r < 0 ? r : zl_json_parse(text, strlen(text), image, ret, err);
}

/* A member that may be missing, as null. */
static json_t *member(const json_t *object, const char *key)
{
  json_t *value = json_object_get(object, key);

  return value != NULL ? json_incref(value) : json_null();
}

/* ---- History --------------------------------------------------------------------------------- */

static json_t *step_of(const json_t *entry, json_int_t size, bool empty)
{
  json_t *step =
      json_pack("{s:o, s:o, s:I, s:o}", "created", member(entry, "created"), "createdBy",
                member(entry, "created_by"), "size", size, "comment", member(entry, "comment"));

  if (empty && step != NULL)
    (void)json_object_set_new(step, "empty", json_true());
  return step;
}

/* Layers without a step of their own come last: the oldest ones are what the history is silent
 * about. */
json_t *zl_image_history(const json_t *facts)
{
  const json_t *entries = json_object_get(json_object_get(facts, "config"), "history");
  const json_t *bytes = json_object_get(facts, "layerBytes"); /* top first */
  zl_autojson *list = json_array();
  size_t layer = 0;

  for (size_t i = json_array_size(entries); i > 0; i--) {
    const json_t *entry = json_array_get(entries, i - 1);
    bool empty = json_is_true(json_object_get(entry, "empty_layer"));
    json_int_t size = empty ? 0 : json_integer_value(json_array_get(bytes, layer));

    layer += !empty;
    if (json_array_append_new(list, step_of(entry, size, empty)) < 0)
      return NULL;
  }
  for (; layer < json_array_size(bytes); layer++)
    if (json_array_append_new(
            list, step_of(NULL, json_integer_value(json_array_get(bytes, layer)), false)) < 0)
      return NULL;
  return zl_steal_ptr(&list);
}

/* ---- Description ----------------------------------------------------------------------------- */

/* "host/repository:tag" without what follows the repository; a digest is kept apart already. */
static size_t repository_length(const char *reference)
{
  const char *at = strchr(reference, '@'), *slash = strrchr(reference, '/');
  size_t whole = at != NULL ? (size_t)(at - reference) : strlen(reference);
  const char *colon = strchr(slash != NULL ? slash : reference, ':');

  return colon != NULL && (size_t)(colon - reference) < whole ? (size_t)(colon - reference) : whole;
}

static bool is_of_registry(const char *reference)
{
  static const char *const others[] = { "oci:", "oci-archive:", "docker-archive:", "sha256:",
                                        "sha512:" };

  for (size_t i = 0; i < ZL_COUNT(others); i++)
    if (zl_has_prefix(reference, others[i]))
      return false;
  return true;
}

static void add_names(const json_t *facts, json_t *tags, json_t *digests)
{
  const char *digest = json_string_value(json_object_get(facts, "digest"));
  const json_t *references = json_object_get(facts, "references");

  for (size_t i = 0; i < json_array_size(references); i++) {
    const char *reference = json_string_value(json_array_get(references, i));
    zl_autofree char *named = NULL;

    if (reference == NULL || digest == NULL || !is_of_registry(reference))
      continue;
    if (strchr(reference, '@') == NULL)
      (void)json_array_append_new(tags, json_string(reference));
    named = zl_asprintf("%.*s@%s", (int)repository_length(reference), reference, digest);
    if (named != NULL)
      (void)json_array_append_new(digests, json_string(named));
  }
}

static json_int_t sum(const json_t *numbers)
{
  json_int_t total = 0;

  for (size_t i = 0; i < json_array_size(numbers); i++)
    total += json_integer_value(json_array_get(numbers, i));
  return total;
}

json_t *zl_image_description(const json_t *facts)
{
  const json_t *config = json_object_get(facts, "config");
  const json_t *manifest = json_object_get(facts, "manifest");
  const json_t *rootfs = json_object_get(config, "rootfs");
  zl_autojson *tags = json_array(), *digests = json_array();

  add_names(facts, tags, digests);
  return json_pack(
      "{s:o, s:o, s:O, s:O, s:o, s:o, s:o, s:o, s:o, s:O*, s:I, s:o, s:{s:s, s:o}, s:o, s:o, s:o}",
      "Id", member(json_object_get(manifest, "config"), "digest"), "Digest",
      member(facts, "digest"), "RepoTags", tags, "RepoDigests", digests, "Created",
      member(config, "created"), "Author", member(config, "author"), "Architecture",
      member(config, "architecture"), "Os", member(config, "os"), "Variant",
      member(config, "variant"), "OsVersion", json_object_get(config, "os.version"), "Size",
      sum(json_object_get(facts, "layerBytes")), "Config", member(config, "config"), "RootFS",
      "Type", "layers", "Layers", member(rootfs, "diff_ids"), "History", member(config, "history"),
      "ManifestType", member(manifest, "mediaType"), "Annotations",
      member(manifest, "annotations"));
}
