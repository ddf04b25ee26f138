/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/strv.h"
#include "image/image.h"
#include "image/store_internal.h"
#include "spec/imageref.h"
#include "store/store.h"

static int parse_name(const char *name, struct zl_image_ref *ret, struct zl_error *err)
{
  int r = zl_image_ref_parse(name, ret, err);

  if (r < 0)
    return r;
  if (ret->kind != ZL_IMAGE_REF_REGISTRY || ret->digest != NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s': a name is that of a registry, with a tag", name);
  return 0;
}

/* The row that an image without a name has instead goes when it gets one. */
static int write_name(struct zl_image_store *store, const char *image, const char *name,
                      struct zl_error *err)
{
  char digest[ZL_DIGEST_TEXT];
  zl_autofree char *reference = NULL;
  int r = zl_catalog_look_up(store, image, digest, &reference, err);

  if (r == 0)
    r = zl_store_run(store->store, err,
                     "INSERT OR REPLACE INTO images (reference, digest, source_digest, pulled_at)"
                     " SELECT ?1, digest, source_digest, pulled_at FROM images"
                     " WHERE digest = ?2 AND (?3 IS NULL OR reference = ?3)"
                     " ORDER BY reference LIMIT 1",
                     "sss", name, digest, reference);
  if (r == 0 && zl_store_changes(store->store) == 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no image '%s' is stored under a name", image);
  if (r == 0)
    r = zl_store_run(store->store, err, "DELETE FROM images WHERE reference = ?", "s", digest);
  return r;
}

int zl_image_tag(struct zl_image_store *store, const char *image, const char *name, char **ret_name,
                 struct zl_error *err)
{
  zl_auto_image_ref ref = { 0 };
  struct zl_error local = { 0 };
  int r;

  err = err != NULL ? err : &local;
  r = parse_name(name, &ref, err);
  if (r == 0)
    r = zl_store_begin(store->store, err);
  if (r < 0)
    return r;
  r = write_name(store, image, ref.canonical, err);
  if (r < 0) {
    zl_store_rollback(store->store);
    return zl_wrap(err, "naming image '%s'", image);
  }
  r = zl_store_commit(store->store, err);
  if (r == 0 && ret_name != NULL)
    *ret_name = zl_steal_ptr(&ref.canonical);
  return r;
}
