/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of image references: what is accepted has parts of the grammar's letters only, none
 * of which could lead out of a directory or address, and its canonical form names the same image.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/strv.h"
#include "spec/imageref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static void require(bool condition)
{
  if (!condition)
    abort();
}

static bool same(const char *a, const char *b)
{
  return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void only(const char *text, const char *letters)
{
  require(*text != '\0' && strspn(text, letters) == strlen(text));
}

static void check_registry(const struct zl_image_ref *ref)
{
  only(ref->registry, LOWER UPPER DIGITS ".-:[]");
  only(ref->repository, LOWER DIGITS "._-/");
  require(ref->repository[0] != '/' && strstr(ref->repository, "//") == NULL &&
          strstr(ref->repository, "..") == NULL && ref->path == NULL);
  require(ref->tag != NULL || ref->digest != NULL);
  if (ref->tag != NULL)
    only(ref->tag, LOWER UPPER DIGITS "._-");
  require(ref->tag == NULL || strlen(ref->tag) <= 128);
  require(ref->digest == NULL || zl_digest_is_valid(ref->digest, NULL));
}

/* Absolute, on Windows with a drive. */
static void check_local(const struct zl_image_ref *ref)
{
  require(ref->path != NULL && (ref->path[0] == '/' || ref->path[1] == ':'));
  require(ref->registry == NULL && ref->repository == NULL && ref->digest == NULL);
}

static void check(const struct zl_image_ref *ref)
{
  zl_auto_image_ref again = { 0 };

  require(ref->canonical != NULL);
  if (ref->kind == ZL_IMAGE_REF_REGISTRY)
    check_registry(ref);
  else
    check_local(ref);
  require(zl_image_ref_parse(ref->canonical, &again, NULL) == 0 && again.kind == ref->kind);
  require(same(again.canonical, ref->canonical) && same(again.registry, ref->registry) &&
          same(again.repository, ref->repository) && same(again.path, ref->path) &&
          same(again.tag, ref->tag) && same(again.digest, ref->digest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  zl_autofree char *text = strndup((const char *)data, size);
  zl_auto_image_ref ref = { 0 };
  struct zl_error err = { 0 };
  int r;

  require(text != NULL);
  r = zl_image_ref_parse(text, &ref, &err);
  if (r == 0)
    check(&ref);
  else
    require(-r == (int)err.code && err.msg[0] != '\0' && ref.canonical == NULL);
  return 0;
}
