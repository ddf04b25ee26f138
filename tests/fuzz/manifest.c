/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of manifests and indexes: the first line is the type that they are delivered as, none
 * when it is empty. What is accepted keeps every promise of manifest.h: limits, digests that are
 * fit for file names, types that a layer may have, one kind of document.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_TYPE = 200
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

static void check_digest(const char *digest)
{
  const char *hex = strchr(digest, ':');

  require(zl_has_prefix(digest, "sha256:") || zl_has_prefix(digest, "sha512:"));
  require(strspn(hex + 1, "0123456789abcdef") == strlen(hex + 1));
  require(strlen(hex + 1) == (zl_has_prefix(digest, "sha256:") ? 64 : 128));
}

static void check_descriptor(const struct zl_descriptor *d)
{
  require(d->media_type != NULL && d->size <= INT64_MAX);
  check_digest(d->digest);
  require(d->urls == NULL || zl_strv_len((const char *const *)d->urls) <= ZL_MAX_BLOB_URLS);
}

static void check_image(const struct zl_manifest *m)
{
  require(m->n_items <= ZL_MAX_LAYERS);
  check_descriptor(&m->config);
  for (size_t i = 0; i < m->n_items; i++) {
    enum zl_compression compression;

    require(zl_layer_compression(&m->items[i], &compression, NULL) == 0);
  }
}

static void check_index(const struct zl_manifest *m)
{
  static const struct zl_image_platform node = { "linux", "amd64", "v3", "" };
  const struct zl_descriptor *chosen = zl_index_select(m, &node);

  require(m->n_items <= ZL_MAX_INDEX);
  require(chosen == NULL || (chosen >= m->items && chosen < m->items + m->n_items));
}

static void check(const struct zl_manifest *m)
{
  require(m->media_type != NULL);
  for (size_t i = 0; i < m->n_items; i++)
    check_descriptor(&m->items[i]);
  if (m->kind == ZL_MANIFEST_IMAGE)
    check_image(m);
  else
    check_index(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data, *line = memchr(data, '\n', size);
  size_t type_len = line != NULL ? (size_t)(line - text) : 0;
  char type[MAX_TYPE + 1] = "";
  zl_automanifest m = { 0 };
  struct zl_error err = { 0 };
  int r;

  if (type_len > MAX_TYPE)
    return 0;
  memcpy(type, text, type_len);
  if (line != NULL) {
    text = line + 1;
    size -= type_len + 1;
  }
  r = zl_manifest_parse(text, size, *type != '\0' ? type : NULL, "fuzz", &m, &err);
  if (r == 0)
    check(&m);
  else
    require(-r == (int)err.code && err.msg[0] != '\0' && m.items == NULL);
  return 0;
}
