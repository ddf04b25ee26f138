/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cosign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "spec/imageref.h"

enum {
  MAX_SIGNATURE_TEXT = 4096 /* RSA of 8192 bits has 1368 characters */
};

#define PAYLOAD_TYPE "cosign container image signature"

void zl_cosign_claim_done(struct zl_cosign_claim *claim)
{
  zl_freep(&claim->registry);
  zl_freep(&claim->repository);
  zl_freep(&claim->tag);
}

/* What is critical and not understood makes the signature void: nothing but these members. */
static int only(const json_t *object, const char *path, const char *const *members,
                struct zl_error *err)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
    bool known = false;

    for (size_t i = 0; members[i] != NULL; i++)
      known |= strcmp(key, members[i]) == 0;
    if (!known)
      return zl_fail(err, ZL_E_AUTH, 0, "%s has '%.60s', which is not known", path, key);
  }
  return 0;
}

static int get_text(const json_t *object, const char *path, const char *key, const char **ret,
                    struct zl_error *err)
{
  *ret = NULL;
  if (zl_json_get_string(object, path, key, ret, err) < 0)
    return -ZL_E_AUTH;
  return *ret != NULL ? 0 : zl_fail(err, ZL_E_AUTH, 0, "%s.%s is missing", path, key);
}

/* Older names of docker.io in payloads. */
static const char *canonical_host(const char *host)
{
  return strcmp(host, "index.docker.io") == 0 || strcmp(host, "registry-1.docker.io") == 0
             ? "docker.io"
             : host;
}

static int take_name(const char *text, struct zl_cosign_claim *ret, struct zl_error *err)
{
  const char *slash = strchr(text, '/');
  zl_autofree char *host = slash != NULL ? strndup(text, (size_t)(slash - text)) : strdup("");
  zl_autofree char *whole = host != NULL
                                ? zl_asprintf("%s%s", slash != NULL ? canonical_host(host) : text,
                                              slash != NULL ? slash : "")
                                : NULL;
  const char *last = strrchr(text, '/');
  zl_auto_image_ref ref = { 0 };

  if (whole == NULL)
    return zl_fail_nomem(err, "a signature");
  if (zl_image_ref_parse(whole, &ref, NULL) < 0 || ref.kind != ZL_IMAGE_REF_REGISTRY ||
      slash == NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "docker-reference '%.200s' names no repository", text);
  ret->registry = zl_steal_ptr(&ref.registry);
  ret->repository = zl_steal_ptr(&ref.repository);
  if (last != NULL && strpbrk(last, ":") != NULL && ref.digest == NULL)
    ret->tag = zl_steal_ptr(&ref.tag);
  return 0;
}

static int read_critical(const json_t *critical, struct zl_cosign_claim *ret, struct zl_error *err)
{
  static const char *const members[] = { "identity", "image", "type", NULL };
  static const char *const in_identity[] = { "docker-reference", NULL };
  static const char *const in_image[] = { "docker-manifest-digest", NULL };
  const json_t *identity = json_object_get(critical, "identity");
  const json_t *image = json_object_get(critical, "image");
  const char *type, *reference, *digest;

  if (!json_is_object(identity) || !json_is_object(image))
    return zl_fail(err, ZL_E_AUTH, 0, "critical.identity or critical.image is missing");
  if (only(critical, "critical", members, err) < 0 ||
      only(identity, "critical.identity", in_identity, err) < 0 ||
      only(image, "critical.image", in_image, err) < 0 ||
      get_text(critical, "critical", "type", &type, err) < 0 ||
      get_text(identity, "critical.identity", "docker-reference", &reference, err) < 0 ||
      get_text(image, "critical.image", "docker-manifest-digest", &digest, err) < 0)
    return -ZL_E_AUTH;
  if (strcmp(type, PAYLOAD_TYPE) != 0)
    return zl_fail(err, ZL_E_AUTH, 0, "critical.type is '%.60s', not '%s'", type, PAYLOAD_TYPE);
  if (!zl_digest_is_valid(digest, NULL))
    return zl_fail(err, ZL_E_AUTH, 0, "docker-manifest-digest '%.100s' is not a digest", digest);
  (void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
  return take_name(reference, ret, err);
}

int zl_cosign_claim_parse(const char *payload, size_t len, struct zl_cosign_claim *ret,
                          struct zl_error *err)
{
  static const char *const members[] = { "critical", "optional", NULL };
  zl_autoclaim claim = { 0 };
  zl_autojson *root = NULL;
  struct zl_error local = { 0 };
  int r = 0;

  err = err != NULL ? err : &local;
  if (zl_json_parse_upto(payload, len, ZL_MAX_SIGNATURE, "the payload", &root, err) < 0 ||
      !json_is_object(json_object_get(root, "critical")))
    r = zl_fail(err, ZL_E_AUTH, 0, "the payload is no simple signing document");
  if (r == 0)
    r = only(root, "the payload", members, err);
  if (r == 0)
    r = read_critical(json_object_get(root, "critical"), &claim, err);
  if (r < 0)
    return r;
  *ret = claim;
  claim = (struct zl_cosign_claim){ 0 };
  return 0;
}

int zl_cosign_verify(const struct zl_pubkey *key, const char *payload, size_t len,
                     const char *signature, struct zl_error *err)
{
  zl_autofree char *raw = NULL;
  size_t raw_len = 0;

  if (strlen(signature) <= MAX_SIGNATURE_TEXT)
    raw = zl_base64_decode(signature, &raw_len);
  if (raw == NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "the signature is not base64");
  return zl_pubkey_verify(key, ZL_SIGNED_BY_KEY, payload, len, raw, raw_len, err);
}
