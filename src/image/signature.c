/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signature.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "image/artifact.h"
#include "image/cosign.h"
#include "image/notation.h"

enum {
  MAX_KEYS = 8 /* of one rule, policy_config.c reads no more */
};

/* One search. `why` is what was wrong with the last signature, or with the last server. */
struct search {
  const struct zl_signature_request *request;
  struct zl_pubkey *keys[MAX_KEYS];
  struct zl_trust *trusts[MAX_KEYS];
  size_t n_keys;
  size_t tried; /* signatures */
  uint64_t until;
  bool found;
  struct zl_error why;
};

static void search_done(struct search *s)
{
  for (size_t i = 0; i < s->n_keys; i++) {
    zl_pubkey_free(s->keys[i]);
    zl_trust_free(s->trusts[i]);
  }
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static int load_key(struct search *s, const char *path, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_KEY_FILE);
  zl_autofree char *what = zl_asprintf("key '%s'", path);
  int r = what != NULL ? zl_file_read(AT_FDCWD, path, &text, err) : zl_fail_nomem(err, path);

  if (r < 0)
    return zl_wrap(err, "key '%s'", path);
  if (s->request->rule->format == ZL_SIGNATURE_COSIGN)
    r = zl_pubkey_parse(text.data != NULL ? text.data : "", text.len, what, &s->keys[s->n_keys],
                        err);
  else
    r = zl_trust_parse(text.data != NULL ? text.data : "", text.len, what, &s->trusts[s->n_keys],
                       err);
  if (r == 0)
    s->n_keys++;
  return r;
}

static int load_keys(struct search *s, struct zl_error *err)
{
  char *const *files = s->request->rule->files;
  int r = 0;

  for (size_t i = 0; r == 0 && files[i] != NULL && i < MAX_KEYS; i++)
    r = load_key(s, files[i], err);
  return r;
}

/* ---- One signature --------------------------------------------------------------------------- */

/* Whether this is our fault or the user's wish: then no other signature is tried. */
static bool is_ours(int r)
{
  return r == -ZL_E_CANCELLED || r == -ZL_E_NO_MEMORY;
}

static int check_name(const struct zl_signature_request *request,
                      const struct zl_cosign_claim *claim, struct zl_error *err)
{
  const struct zl_image_ref *ref = request->ref;
  const char *identity = request->rule->identity;
  const bool covered = identity != NULL
                           ? zl_policy_covers(identity, claim->registry, claim->repository)
                           : ref->kind == ZL_IMAGE_REF_REGISTRY &&
                                 strcmp(claim->registry, ref->registry) == 0 &&
                                 strcmp(claim->repository, ref->repository) == 0;

  if (!covered)
    return zl_fail(err, ZL_E_AUTH, 0, "it is for '%s/%s'", claim->registry, claim->repository);
  if (claim->tag != NULL && ref->kind == ZL_IMAGE_REF_REGISTRY && ref->digest == NULL &&
      strcmp(claim->tag, ref->tag) != 0)
    return zl_fail(err, ZL_E_AUTH, 0, "it is for the tag '%s'", claim->tag);
  return 0;
}

static int check_digest(const char *signed_digest, const char *digest, struct zl_error *err)
{
  return strcmp(signed_digest, digest) == 0
             ? 0
             : zl_fail(err, ZL_E_AUTH, 0, "it is for another manifest, %s", signed_digest);
}

static int try_payload(struct search *s, const char *digest, const struct zl_buf *payload,
                       const char *signature, struct zl_error *err)
{
  zl_autoclaim claim = { 0 };
  int r = -ZL_E_AUTH;

  for (size_t i = 0; r < 0 && i < s->n_keys; i++)
    r = zl_cosign_verify(s->keys[i], payload->data, payload->len, signature, err);
  if (r == 0)
    r = zl_cosign_claim_parse(payload->data, payload->len, &claim, err);
  if (r == 0)
    r = check_digest(claim.digest, digest, err);
  if (r == 0)
    r = check_name(s->request, &claim, err);
  if (r == 0)
    s->until = UINT64_MAX;
  return r;
}

static int try_cosign(struct search *s, const char *digest, const struct zl_artifact_blob *layer,
                      struct zl_error *err)
{
  zl_autobuf payload = ZL_BUF_INIT((size_t)ZL_MAX_SIGNATURE);
  const char *signature =
      json_string_value(json_object_get(layer->annotations, ZL_COSIGN_SIGNATURE));
  int r;

  if (signature == NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "its annotation '%s' is missing", ZL_COSIGN_SIGNATURE);
  r = zl_source_read(s->request->source, &layer->blob, &payload, err);
  if (r == 0 && payload.len == 0)
    return zl_fail(err, ZL_E_AUTH, 0, "its payload is empty");
  return r < 0 ? r : try_payload(s, digest, &payload, signature, err);
}

static int try_notation(struct search *s, const char *digest, const struct zl_artifact_blob *layer,
                        struct zl_error *err)
{
  zl_autobuf envelope = ZL_BUF_INIT((size_t)ZL_MAX_ENVELOPE);
  struct zl_notation_claim claim = { 0 };
  int r = zl_source_read(s->request->source, &layer->blob, &envelope, err);

  if (r < 0)
    return r;
  r = -ZL_E_AUTH;
  for (size_t i = 0; r < 0 && i < s->n_keys; i++)
    r = zl_notation_verify(s->trusts[i], envelope.data != NULL ? envelope.data : "", envelope.len,
                           &claim, err);
  if (r == 0)
    r = check_digest(claim.digest, digest, err);
  if (r == 0)
    s->until = claim.until;
  return r;
}

/* 1: it was a signature of our format, good or bad. */
static int try_layer(struct search *s, const char *digest, const struct zl_artifact_blob *layer,
                     struct zl_error *err)
{
  const bool cosign = s->request->rule->format == ZL_SIGNATURE_COSIGN;
  const char *type = layer->blob.media_type;
  int r;

  if (!cosign && strcmp(type, ZL_MT_COSE) == 0) {
    s->tried++;
    (void)zl_fail(&s->why, ZL_E_AUTH, 0,
                  "it is a COSE envelope, which is not supported: sign with "
                  "--signature-format jws");
    return 0;
  }
  if (strcmp(type, cosign ? ZL_MT_COSIGN_PAYLOAD : ZL_MT_JWS) != 0)
    return 0;
  if (s->tried >= ZL_MAX_SIGNATURES)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d signatures, none of the first ones is valid",
                   ZL_MAX_SIGNATURES);
  s->tried++;
  r = cosign ? try_cosign(s, digest, layer, &s->why) : try_notation(s, digest, layer, &s->why);
  s->found = r == 0;
  if (is_ours(r))
    *err = s->why;
  return is_ours(r) ? r : 0;
}

/* `attached`: the manifest has to refer to the digest by itself. */
static int try_manifest(struct search *s, const char *digest, const struct zl_document *document,
                        bool attached, struct zl_error *err)
{
  zl_autoartifact artifact = { 0 };
  int r = zl_artifact_parse(document->text.data != NULL ? document->text.data : "",
                            document->text.len, &artifact, &s->why);

  if (r < 0) {
    (void)zl_wrap(&s->why, "its manifest");
    return 0;
  }
  if (attached && strcmp(artifact.subject, digest) != 0)
    return 0;
  for (size_t i = 0; r == 0 && !s->found && i < artifact.n_blobs; i++)
    r = try_layer(s, digest, &artifact.blobs[i], err);
  return r;
}

/* ---- One server ------------------------------------------------------------------------------ */

/* A failure to get something is kept for the message; only ours ends the search. */
static int note(struct search *s, int r, const struct zl_error *local, struct zl_error *err)
{
  if (is_ours(r)) {
    *err = *local;
    return r;
  }
  if (r < 0 && r != -ZL_E_NOT_FOUND && s->tried == 0)
    s->why = *local;
  return 0;
}

static int try_tag(struct search *s, size_t place, const char *digest, struct zl_error *err)
{
  zl_autodocument document = ZL_DOCUMENT_INIT;
  zl_autofree char *tag = zl_attached_tag(digest, ".sig");
  struct zl_error local = { 0 };
  int r;

  if (tag == NULL)
    return zl_fail_nomem(err, "a signature");
  r = zl_source_tagged(s->request->source, place, tag, &document, &local);
  return r < 0 ? note(s, r, &local, err) : try_manifest(s, digest, &document, false, err);
}

static int try_referrer(struct search *s, const char *digest, const struct zl_descriptor *manifest,
                        struct zl_error *err)
{
  zl_autodocument document = ZL_DOCUMENT_INIT;
  struct zl_error local = { 0 };
  int r = zl_source_document(s->request->source, manifest, &document, &local);

  return r < 0 ? note(s, r, &local, err) : try_manifest(s, digest, &document, true, err);
}

static int try_referrers(struct search *s, size_t place, const char *digest, struct zl_error *err)
{
  const char *type =
      s->request->rule->format == ZL_SIGNATURE_COSIGN ? ZL_AT_COSIGN : ZL_AT_NOTATION;
  zl_autodocument document = ZL_DOCUMENT_INIT;
  zl_autoartifact list = { 0 };
  struct zl_error local = { 0 };
  int r = zl_source_referrers(s->request->source, place, digest, type, &document, &local);

  if (r == 0) {
    r = zl_referrers_parse(document.text.data != NULL ? document.text.data : "", document.text.len,
                           type, &list, &local);
    if (r < 0)
      (void)zl_wrap(&local, "the list of referrers");
  }
  if (r < 0)
    return note(s, r, &local, err);
  for (size_t i = 0; r == 0 && !s->found && i < list.n_blobs && i < ZL_MAX_SIGNATURES; i++)
    r = try_referrer(s, digest, &list.blobs[i].blob, err);
  return r;
}

static int try_place(struct search *s, size_t place, const char *digest, struct zl_error *err)
{
  int r = 0;

  if (s->request->rule->format == ZL_SIGNATURE_COSIGN)
    r = try_tag(s, place, digest, err);
  return r < 0 || s->found ? r : try_referrers(s, place, digest, err);
}

static int try_all(struct search *s, struct zl_error *err)
{
  const struct zl_signature_request *request = s->request;
  const size_t places = zl_source_places(request->source);
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(request->digests); i++)
    for (size_t k = 0; r == 0 && !s->found && request->digests[i] != NULL && k < places; k++)
      r = try_place(s, k, request->digests[i], err);
  return r;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static int refuse(const struct search *s, struct zl_error *err)
{
  const struct zl_signature_request *request = s->request;
  const struct zl_policy_rule *rule = request->rule;
  const char *format = rule->format == ZL_SIGNATURE_COSIGN ? "cosign" : "notation";
  const char *more = rule->files[1] != NULL ? " or another" : "";

  if (s->tried > 0)
    return zl_fail(err, ZL_E_AUTH, 0,
                   "signatures for '%s': none of %zu %s signatures of %.19s… is valid for key "
                   "'%s'%s: %.200s",
                   rule->prefix, s->tried, format, request->digests[0], rule->files[0], more,
                   s->why.msg);
  if (zl_source_places(request->source) == 0)
    return zl_fail(err, ZL_E_AUTH, 0,
                   "signatures for '%s': an archive of `docker save` holds no signatures: use an "
                   "image layout",
                   rule->prefix);
  if (s->why.code != ZL_OK)
    return zl_fail(err, s->why.code, 0, "signatures for '%s': %s signature of %.19s…: %.250s",
                   rule->prefix, format, request->digests[0], s->why.msg);
  return zl_fail(err, ZL_E_AUTH, 0,
                 "signatures for '%s': %.19s… has no %s signature; one by key '%s'%s is needed",
                 rule->prefix, request->digests[0], format, rule->files[0], more);
}

int zl_signature_check(const struct zl_signature_request *request, uint64_t *ret_until,
                       struct zl_error *err)
{
  ZL_CLEANUP(search_done) struct search s = { .request = request };
  struct zl_error local = { 0 };
  int r;

  err = err != NULL ? err : &local;
  r = load_keys(&s, err);
  if (r == 0)
    r = try_all(&s, err);
  if (r < 0)
    return zl_wrap(err, "signatures for '%s'", request->rule->prefix);
  if (!s.found)
    return refuse(&s, err);
  zl_debug("signature of %s is valid for '%s'", request->ref->canonical, request->rule->prefix);
  *ret_until = s.until;
  return 0;
}
