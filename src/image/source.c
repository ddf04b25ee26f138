/* SPDX-License-Identifier: Apache-2.0 */
#include "image/source.h"

#include <string.h>

#include "base/limits.h"

void zl_document_done(struct zl_document *document)
{
  zl_buf_done(&document->text);
  zl_freep(&document->media_type);
}

int zl_digest_check(const void *data, size_t len, const char *digest, const char *what,
                    struct zl_error *err)
{
  char actual[ZL_DIGEST_TEXT];
  enum zl_digest_alg alg = ZL_SHA256;
  int r;

  if (!zl_digest_is_valid(digest, &alg))
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s: '%.100s' is not a digest", what, digest);
  r = zl_digest_of(alg, data, len, actual, err);
  if (r < 0)
    return r;
  if (strcmp(actual, digest) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s %s has the digest %s", what, digest, actual);
  return 0;
}

static int check_size(const struct zl_descriptor *descriptor, size_t len, const char *what,
                      struct zl_error *err)
{
  if (descriptor->size == len)
    return 0;
  return zl_fail(err, ZL_E_CORRUPT, 0, "%s %s has %zu bytes, its manifest says %llu", what,
                 descriptor->digest, len, (unsigned long long)descriptor->size);
}

int zl_source_root(struct zl_source *source, struct zl_document *ret, struct zl_error *err)
{
  return source->ops->root(source, ret, err);
}

int zl_source_document(struct zl_source *source, const struct zl_descriptor *descriptor,
                       struct zl_document *ret, struct zl_error *err)
{
  zl_autodocument document = ZL_DOCUMENT_INIT;
  int r;

  if (descriptor->size > ZL_MAX_JSON)
    return zl_fail(err, ZL_E_LIMIT, 0, "manifest %s has %llu bytes, the limit is %d",
                   descriptor->digest, (unsigned long long)descriptor->size, ZL_MAX_JSON);
  r = source->ops->document(source, descriptor, &document, err);
  if (r == 0)
    r = check_size(descriptor, document.text.len, "manifest", err);
  if (r == 0)
    r = zl_digest_check(document.text.data, document.text.len, descriptor->digest, "manifest", err);
  if (r < 0)
    return r;
  memcpy(document.digest, descriptor->digest, sizeof(document.digest));
  *ret = document;
  document = (struct zl_document)ZL_DOCUMENT_INIT;
  return 0;
}

static int collect(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  return zl_buf_append(ctx, data, len, err);
}

int zl_source_read(struct zl_source *source, const struct zl_descriptor *descriptor,
                   struct zl_buf *ret, struct zl_error *err)
{
  int r;

  if (descriptor->size > ret->max)
    return zl_fail(err, ZL_E_LIMIT, 0, "blob %s has %llu bytes, the limit is %zu",
                   descriptor->digest, (unsigned long long)descriptor->size, ret->max);
  r = source->ops->blob(source, descriptor, collect, ret, err);
  if (r == 0)
    r = check_size(descriptor, ret->len, "blob", err);
  return r < 0 ? r : zl_digest_check(ret->data, ret->len, descriptor->digest, "blob", err);
}

int zl_source_blob(struct zl_source *source, const struct zl_descriptor *descriptor, zl_blob_fn fn,
                   void *ctx, struct zl_error *err)
{
  return source->ops->blob(source, descriptor, fn, ctx, err);
}

bool zl_source_has_parts(const struct zl_source *source)
{
  return source->ops->part != NULL;
}

int zl_source_part(struct zl_source *source, const struct zl_descriptor *descriptor,
                   struct zl_blob_part *part, zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  return source->ops->part(source, descriptor, part, fn, ctx, err);
}

size_t zl_source_places(const struct zl_source *source)
{
  return source->ops->places != NULL ? source->ops->places(source) : 0;
}

int zl_source_tagged(struct zl_source *source, size_t place, const char *tag,
                     struct zl_document *ret, struct zl_error *err)
{
  return source->ops->tagged(source, place, tag, ret, err);
}

int zl_source_referrers(struct zl_source *source, size_t place, const char *digest,
                        const char *artifact_type, struct zl_document *ret, struct zl_error *err)
{
  return source->ops->referrers(source, place, digest, artifact_type, ret, err);
}

void zl_source_free(struct zl_source *source)
{
  if (source != NULL)
    source->ops->free(source);
}
