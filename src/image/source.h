/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an image comes from: a registry, an image layout in a directory, an archive. Nothing that a
 * source delivers is trusted: the functions here compare sizes and digests, whatever the source is.
 */
#ifndef ZL_IMAGE_SOURCE_H
#define ZL_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/limits.h"
#include "image/manifest.h"

struct zl_source;

/* A manifest or index as its exact bytes. */
struct zl_document {
  struct zl_buf text; /* maximum ZL_MAX_JSON */
  char *media_type;   /* as delivered; NULL: the source does not say */
  char digest[ZL_DIGEST_TEXT];
};
#define ZL_DOCUMENT_INIT                     \
  {                                          \
    .text = ZL_BUF_INIT((size_t)ZL_MAX_JSON) \
  }
void zl_document_done(struct zl_document *document);
#define zl_autodocument ZL_CLEANUP(zl_document_done) struct zl_document

/* The next bytes of a blob. < 0 ends the transfer with that code; > 0, for a part only, ends it
 * with success. */
typedef int (*zl_blob_fn)(void *ctx, const void *data, size_t len, struct zl_error *err);

/* Some bytes of a blob, by way of one connection at a time. */
struct zl_blob_part {
  uint64_t first, end; /* wanted, `end` excluded: at least one byte */
  int cancel_fd;       /* readable: ZL_E_CANCELLED */
  bool ranged;         /* set before the first byte: the server sends what was asked for only */
};

struct zl_source_ops {
  /* The document that the reference names; digest filled. Once, by one thread. */
  int (*root)(struct zl_source *source, struct zl_document *ret, struct zl_error *err);
  /* A manifest by digest: text and media_type only. */
  int (*document)(struct zl_source *source, const struct zl_descriptor *descriptor,
                  struct zl_document *ret, struct zl_error *err);
  /* Streams a blob in order, each byte once, whatever retries that takes; fails unless exactly
   * descriptor->size bytes came. Any number of threads. */
  int (*blob)(struct zl_source *source, const struct zl_descriptor *descriptor, zl_blob_fn fn,
              void *ctx, struct zl_error *err);
  /* Streams bytes in order from part->first, each once, at least up to part->end. Beyond it, and up
   * to the blob's end, they come when the server sends no parts; the function then says when it has
   * enough. Any number of threads. NULL: the blobs are at hand, fetching parts makes no sense. */
  int (*part)(struct zl_source *source, const struct zl_descriptor *descriptor,
              struct zl_blob_part *part, zl_blob_fn fn, void *ctx, struct zl_error *err);
  void (*free)(struct zl_source *source);
  /* Of how many servers what is attached to a manifest may be asked. NULL, as the two below then:
   * this kind of source holds nothing attached. */
  size_t (*places)(const struct zl_source *source);
  /* Another tag of the same repository. Text and media_type only, to be distrusted. */
  int (*tagged)(struct zl_source *source, size_t place, const char *tag, struct zl_document *ret,
                struct zl_error *err);
  /* An index of the manifests that refer to a digest. Text only, to be distrusted. */
  int (*referrers)(struct zl_source *source, size_t place, const char *digest,
                   const char *artifact_type, struct zl_document *ret, struct zl_error *err);
};

struct zl_source {
  const struct zl_source_ops *ops;
};

int zl_source_root(struct zl_source *source, struct zl_document *ret, struct zl_error *err);
/* Size and digest are those of the descriptor, or ZL_E_CORRUPT. */
int zl_source_document(struct zl_source *source, const struct zl_descriptor *descriptor,
                       struct zl_document *ret, struct zl_error *err);
/* A small blob as a whole, verified; *ret's maximum bounds it (ZL_E_LIMIT). */
int zl_source_read(struct zl_source *source, const struct zl_descriptor *descriptor,
                   struct zl_buf *ret, struct zl_error *err);
/* Streams; the caller hashes. */
int zl_source_blob(struct zl_source *source, const struct zl_descriptor *descriptor, zl_blob_fn fn,
                   void *ctx, struct zl_error *err);
/* Whether there is a way to fetch parts, and the way. */
bool zl_source_has_parts(const struct zl_source *source);
int zl_source_part(struct zl_source *source, const struct zl_descriptor *descriptor,
                   struct zl_blob_part *part, zl_blob_fn fn, void *ctx, struct zl_error *err);
/* What is attached to a manifest, as servers 0 to zl_source_places - 1 have it: a manifest by
 * another tag of the repository, and the index of those that refer to a digest. Nothing of it is
 * verified. ZL_E_NOT_FOUND: that server has none. */
size_t zl_source_places(const struct zl_source *source);
int zl_source_tagged(struct zl_source *source, size_t place, const char *tag,
                     struct zl_document *ret, struct zl_error *err);
int zl_source_referrers(struct zl_source *source, size_t place, const char *digest,
                        const char *artifact_type, struct zl_document *ret, struct zl_error *err);
void zl_source_free(struct zl_source *source);
ZL_DEFINE_CLEANUP(struct zl_source, zl_source_free)

/* ZL_E_CORRUPT unless `data` is what `digest` says; `what` names it. */
int zl_digest_check(const void *data, size_t len, const char *digest, const char *what,
                    struct zl_error *err);

#endif
