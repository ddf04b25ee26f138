/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and signatures of each kind, against what OpenSSL's command line has signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/signature.h"
#include "scratch.h"
#include "signature_vectors.h"

/* NULL: this host cannot check signatures of that kind, and says so. */
static struct zl_pubkey *parse(const struct vector *v)
{
  struct zl_pubkey *key = NULL;
  struct zl_error err = { 0 };

  if (strcmp(v->name, "p521") == 0 && !scratch_has_p521()) {
    assert_int_equal(zl_pubkey_parse(v->pem, strlen(v->pem), v->name, &key, NULL),
                     -ZL_E_UNSUPPORTED);
    return NULL;
  }

  if (zl_pubkey_parse(v->pem, strlen(v->pem), v->name, &key, &err) < 0)
    fail_msg("%s: %s", v->name, err.msg);
  return key;
}

static int check(const struct zl_pubkey *key, enum zl_signature_kind kind, const char *data,
                 const void *signature, size_t len)
{
  return zl_pubkey_verify(key, kind, data, strlen(data), signature, len, NULL);
}

/* The signature is good; of other data, with a bit more or less, it is not. */
static void check_kind(const struct vector *v, enum zl_signature_kind kind, const char *text)
{
  ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = parse(v);
  size_t len = 0;
  zl_autofree char *raw = zl_base64_decode(text, &len);

  assert_non_null(raw);
  if (key == NULL)
    return;
  if (check(key, kind, signed_data, raw, len) != 0)
    fail_msg("%s: the signature is not taken", v->name);
  assert_int_equal(check(key, kind, "what was not signed", raw, len), -ZL_E_AUTH);
  assert_int_equal(check(key, kind, "", raw, len), -ZL_E_AUTH);
  for (size_t at = 0; at < len; at += 7) {
    raw[at] ^= 4;
    assert_int_equal(check(key, kind, signed_data, raw, len), -ZL_E_AUTH);
    raw[at] ^= 4;
  }
  assert_int_equal(check(key, kind, signed_data, raw, len - 1), -ZL_E_AUTH);
  assert_int_equal(check(key, kind, signed_data, raw, len + 1), -ZL_E_AUTH); /* a NUL follows */
  assert_int_equal(check(key, kind, signed_data, "", 0), -ZL_E_AUTH);
}

static void signatures_of_keys(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(vectors); i++)
    check_kind(&vectors[i], ZL_SIGNED_BY_KEY, vectors[i].by_key);
}

static void signatures_of_jws(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(vectors); i++)
    check_kind(&vectors[i], ZL_SIGNED_JWS, vectors[i].by_jws);
}

static void one_key_does_not_take_anothers(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(vectors); i++) {
    ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = parse(&vectors[i]);
    const struct vector *other = &vectors[(i + 1) % ZL_COUNT(vectors)];
    size_t len = 0;
    zl_autofree char *raw = zl_base64_decode(other->by_key, &len);

    if (key == NULL)
      continue;
    assert_string_equal(zl_pubkey_jws_name(key), vectors[i].jws);
    assert_int_equal(check(key, ZL_SIGNED_BY_KEY, signed_data, raw, len), -ZL_E_AUTH);
    assert_int_equal(check(key, ZL_SIGNED_JWS, signed_data, raw, len), -ZL_E_AUTH);
  }
}

/* The numbers of an ECDSA signature have one form only. */
static void only_the_shortest_form_counts(void **state)
{
  ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = parse(&vectors[0]);
  size_t len = 0;
  zl_autofree char *raw = zl_base64_decode(vectors[0].by_key, &len);
  char longer[128];

  (void)state;
  assert_true(len + 1 < sizeof(longer) && raw[0] == 0x30 && raw[2] == 2);
  /* a zero more in front of the first number */
  memcpy(longer, raw, 4);
  longer[1]++;
  longer[3]++;
  longer[4] = 0;
  memcpy(longer + 5, raw + 4, len - 4);
  assert_int_equal(check(key, ZL_SIGNED_BY_KEY, signed_data, longer, len + 1), -ZL_E_AUTH);
}

static void other_keys_are_refused(void **state)
{
  static const char *const none[] = {
    "", "text", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkw\n"
  };
  struct zl_pubkey *key = NULL;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(none); i++)
    assert_int_equal(zl_pubkey_parse(none[i], strlen(none[i]), "k", &key, NULL), -ZL_E_INVALID);
  for (size_t i = 0; i < ZL_COUNT(refused); i++)
    assert_int_equal(zl_pubkey_parse(refused[i].pem, strlen(refused[i].pem), "k", &key, NULL),
                     -ZL_E_UNSUPPORTED);
}

/* Each byte of a key changed: refused, or another key, which takes nothing. */
static void damaged_keys_take_nothing(void **state)
{
  const struct vector *v = &vectors[0];
  size_t len = 0;
  zl_autofree char *raw = zl_base64_decode(v->by_key, &len);
  zl_autofree char *pem = strdup(v->pem);

  (void)state;
  assert_non_null(pem);
  for (char *p = strchr(pem, '\n') + 1; *p != '-'; p++) {
    ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = NULL;
    const char before = *p;

    if (before == '\n' || before == '=')
      continue;
    *p = before == 'A' ? 'B' : 'A';
    if (zl_pubkey_parse(pem, strlen(pem), "k", &key, NULL) == 0)
      assert_int_equal(check(key, ZL_SIGNED_BY_KEY, signed_data, raw, len), -ZL_E_AUTH);
    *p = before;
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(signatures_of_keys),
    cmocka_unit_test(signatures_of_jws),
    cmocka_unit_test(one_key_does_not_take_anothers),
    cmocka_unit_test(only_the_shortest_form_counts),
    cmocka_unit_test(other_keys_are_refused),
    cmocka_unit_test(damaged_keys_take_nothing),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
