/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the scanner that finds linux.seccomp in a document's text without reading it as
 * JSON. A compiled filter is used again for the same text, so this must hold: when the rest of the
 * document, with something else in its place, is a proper document that has this as linux.seccomp,
 * and what was found is a proper object, then the document itself is proper, has what was found as
 * linux.seccomp, and is the same otherwise.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/config.h"
#include "oci/profile.h"

#define OTHER "{\"fuzz\":1}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *parse(const char *text, size_t len, int *ret)
{
  struct zl_error err = { 0 };
  json_t *doc = NULL;

  *ret = zl_engine_document_parse(text, len, &doc, &err);
  if (*ret < 0 && (doc != NULL || err.code == ZL_OK || err.msg[0] == '\0'))
    abort();
  return doc;
}

static json_t *profile_of(const json_t *doc)
{
  return json_object_get(json_object_get(doc, "linux"), "seccomp");
}

/* The document with OTHER where the profile was found; NULL: that is none. */
static json_t *parse_rest(const char *text, size_t size, const struct oci_span *profile)
{
  zl_autobuf rest = ZL_BUF_INIT((size_t)2 * ZL_MAX_BUNDLE);
  const char *after = profile->at + profile->len;
  zl_autojson *other = json_pack("{s:i}", "fuzz", 1);
  json_t *doc;
  int r;

  if (zl_buf_append(&rest, text, (size_t)(profile->at - text), NULL) < 0 ||
      zl_buf_puts(&rest, OTHER, NULL) < 0 ||
      zl_buf_append(&rest, after, (size_t)(text + size - after), NULL) < 0)
    return NULL;
  doc = parse(rest.data, rest.len, &r);
  if (doc != NULL && json_equal(profile_of(doc), other))
    return doc;
  json_decref(doc);
  return NULL;
}

static void check_same(const char *text, size_t size, json_t *rest, json_t *profile)
{
  int r;
  zl_autojson *whole = parse(text, size, &r);

  if (r == -ZL_E_LIMIT)
    return; /* deeper as a whole */
  if (whole == NULL || !json_equal(profile_of(whole), profile))
    abort();
  if (json_object_del(json_object_get(whole, "linux"), "seccomp") < 0 ||
      json_object_del(json_object_get(rest, "linux"), "seccomp") < 0 || !json_equal(whole, rest))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data;
  struct oci_span found = { 0 };
  int r;

  if (!oci_profile_find(text, size, &found))
    return 0;
  if (found.at < text || found.len < 2 || found.at + found.len > text + size || *found.at != '{' ||
      found.at[found.len - 1] != '}')
    abort();
  {
    zl_autojson *profile = parse(found.at, found.len, &r);
    zl_autojson *rest = parse_rest(text, size, &found);

    if (json_is_object(profile) && rest != NULL)
      check_same(text, size, rest, profile);
  }
  return 0;
}
