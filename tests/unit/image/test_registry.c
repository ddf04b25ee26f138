/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the registry client that need no network: addresses, challenges, configuration,
 * stored credentials.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../scratch.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/strv.h"
#include "image/auth_header.h"
#include "image/credentials.h"
#include "image/registry_config.h"
#include "image/retry_after.h"
#include "image/url.h"

/* ---- Addresses ------------------------------------------------------------------------------- */

static void resolves_addresses(void **state)
{
  static const char base[] = "https://a.example:444/v2/x/y?q=1";
  static const struct {
    const char *location, *result; /* NULL: refused */
  } cases[] = {
    { "https://b.example/z", "https://b.example/z" },
    { "HTTPS://B.Example:443/Z?a=b#frag", "https://b.example/Z?a=b" },
    { "http://b:80", "http://b/" },
    { "https://[::1]:5000/x", "https://[::1]:5000/x" },
    { "//c.example/p", "https://c.example/p" },
    { "/p?next=http://evil/", "https://a.example:444/p?next=http://evil/" },
    { "z", "https://a.example:444/v2/x/z" },
    { "?r=2", "https://a.example:444/v2/x/y?r=2" },
    { "", NULL },
    { "file:///etc/passwd", NULL },
    { "ftp://b/", NULL },
    { "javascript:1", NULL },
    { "https://", NULL },
    { "https:///path", NULL },
    { "https://u@b/", NULL },
    { "https://u:p@b/", NULL },
    { "https://b\\@c/", NULL },
    { "https://b:0/", NULL },
    { "https://b:65536/", NULL },
    { "https://b:12x/", NULL },
    { "https://b:/", NULL },
    { "https://b /", NULL },
    { "https://b/\r\nX-Evil: 1", NULL },
    { "https://b/a b", NULL },
    { "https://[::1/", NULL },
    { "https://[]/", NULL },
    { "https://[fe80::1%25eth0]/", NULL },
    { "https://.b/", NULL },
    { "https://b%00c/", NULL },
    { "//", NULL },
    { "/\x7f", NULL },
  };
  zl_autourl from = { 0 };

  (void)state;
  assert_int_equal(zl_url_parse(base, &from, NULL), 0);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autourl url = { 0 };
    zl_autofree char *text = NULL;

    if (zl_url_resolve(&from, cases[i].location, &url, NULL) == 0)
      text = zl_url_render(&url);
    if ((text == NULL) != (cases[i].result == NULL) ||
        (text != NULL && strcmp(text, cases[i].result) != 0))
      fail_msg("'%s' gave '%s'", cases[i].location, text != NULL ? text : "(refused)");
  }
}

static void knows_loopback(void **state)
{
  (void)state;
  assert_true(zl_host_is_loopback("127.0.0.1") && zl_host_is_loopback("localhost") &&
              zl_host_is_loopback("[::1]"));
  assert_false(zl_host_is_loopback("127.evil.example") || zl_host_is_loopback("10.0.0.1"));
}

/* ---- Challenges ------------------------------------------------------------------------------ */

static void parses_challenges(void **state)
{
  static const struct {
    const char *header;
    int result; /* scheme, or a negative code */
    const char *realm, *service, *scope;
  } cases[] = {
    { "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull\"", ZL_AUTH_BEARER,
      "https://a/t", "s", "repository:x:pull" },
    { "bearer REALM=\"r\" , Service = s", ZL_AUTH_BEARER, "r", "s", NULL },
    { "Basic realm=\"a, b=c\"", ZL_AUTH_BASIC, NULL, NULL, NULL },
    { "Basic", ZL_AUTH_BASIC, NULL, NULL, NULL },
    { "Basic realm=\"x\", Bearer realm=\"y\"", ZL_AUTH_BEARER, "y", NULL, NULL },
    { "Negotiate abc==, Basic realm=x", ZL_AUTH_BASIC, NULL, NULL, NULL },
    { "Bearer realm=\"a\\\"b\"", ZL_AUTH_BEARER, "a\"b", NULL, NULL },
    { ", ,Bearer realm=r,error=\"insufficient_scope\",,", ZL_AUTH_BEARER, "r", NULL, NULL },
    { "", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm=\"\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer service=\"s\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm=\"open", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm=\"esc\\", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm=\"a\nb\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm=\"a\",realm=\"b\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Digest realm=\"x\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "=", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "\"\"", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer@realm", -ZL_E_REMOTE, NULL, NULL, NULL },
    { "Bearer realm==?", -ZL_E_REMOTE, NULL, NULL, NULL },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autochallenge c = { 0 };
    struct zl_error err = { 0 };
    int r = zl_auth_challenge_parse(cases[i].header, &c, &err);
    const char *const want[] = { cases[i].realm, cases[i].service, cases[i].scope };
    const char *const got[] = { c.realm, c.service, c.scope };

    if ((r < 0 ? r : (int)c.scheme) != cases[i].result)
      fail_msg("'%s' gave %d: %s", cases[i].header, r, err.msg);
    for (size_t k = 0; k < ZL_COUNT(want) && r == 0; k++)
      if ((want[k] == NULL) != (got[k] == NULL) ||
          (want[k] != NULL && strcmp(want[k], got[k]) != 0))
        fail_msg("'%s' part %zu: '%s'", cases[i].header, k, got[k] != NULL ? got[k] : "(none)");
  }
}

static void bounds_challenges(void **state)
{
  zl_autobuf text = ZL_BUF_INIT(1 << 20);
  zl_autochallenge c = { 0 };

  (void)state;
  for (int i = 0; i < 20000; i++)
    assert_int_equal(zl_buf_puts(&text, i % 2 ? "x=y," : "Foo ", NULL), 0);
  assert_int_equal(zl_auth_challenge_parse(text.data, &c, NULL), -ZL_E_REMOTE);
}

static void codes_base64(void **state)
{
  static const char *const pairs[][2] = {
    { "", "" },        { "f", "Zg==" },        { "fo", "Zm8=" },
    { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe", "//4=" },
  };
  static const char *const bad[] = { "Z", "Zg=", "Zg===", "Z m8=", "Zm8=x", "=", "Zm9v====", "-_" };
  size_t len;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(pairs); i++) {
    zl_autofree char *text = zl_base64_encode(pairs[i][0], strlen(pairs[i][0]));
    zl_autofree char *back = zl_base64_decode(pairs[i][1], &len);

    assert_string_equal(text, pairs[i][1]);
    assert_non_null(back);
    assert_int_equal(len, strlen(pairs[i][0]));
    assert_memory_equal(back, pairs[i][0], len);
  }
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_null(zl_base64_decode(bad[i], &len));
}

/* ---- Configuration --------------------------------------------------------------------------- */

static void reads_the_configuration(void **state)
{
  static const char text[] = "slice_cidr: 10.200.0.0/28\n"
                             "registries:\n"
                             "  \"127.0.0.1:5000\": {insecure: true}\n"
                             "  docker.io:\n"
                             "    ca_file: " SCRATCH_DRIVE "/etc/ca.pem\n"
                             "    mirrors:\n"
                             "      - mirror.example.com\n"
                             "      - {url: \"http://[::1]:5000/a/b/\", tags: true}\n";
  zl_autoregistries regs = { 0 };
  const struct zl_registry_config *hub;
  zl_autourl url = { 0 };

  (void)state;
  assert_int_equal(zl_registries_parse(text, strlen(text), "f", &regs, NULL), 0);
  assert_true(zl_registries_find(&regs, "127.0.0.1:5000")->insecure);
  assert_null(zl_registries_find(&regs, "127.0.0.1"));
  hub = zl_registries_find(&regs, "docker.io");
  assert_non_null(hub);
  assert_false(hub->insecure);
  assert_string_equal(hub->tls.ca_files[0], SCRATCH_DRIVE "/etc/ca.pem");
  assert_int_equal(hub->n_mirrors, 2);
  assert_string_equal(hub->mirrors[0].host, "mirror.example.com");
  assert_string_equal(hub->mirrors[0].prefix, "");
  assert_false(hub->mirrors[0].tags || hub->mirrors[0].http);
  assert_string_equal(hub->mirrors[1].host, "[::1]:5000");
  assert_string_equal(hub->mirrors[1].prefix, "a/b");
  assert_true(hub->mirrors[1].tags && hub->mirrors[1].http);
  assert_int_equal(zl_url_parse("http://127.0.0.1:5000/x", &url, NULL), 0);
  assert_ptr_equal(zl_registries_find_url(&regs, &url),
                   zl_registries_find(&regs, "127.0.0.1:5000"));
  assert_int_equal(zl_registries_add_insecure(&regs, "docker.io,new:1,", NULL), 0);
  assert_true(zl_registries_find(&regs, "docker.io")->insecure &&
              zl_registries_find(&regs, "new:1")->insecure);
}

static void refuses_bad_configuration(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "[]", "expected a mapping" },
    { "registry: {}", "unknown key 'registry'" },
    { "registries: []", "registries" },
    { "registries: {a: {insecure: yes}}", "true or false" },
    { "registries: {a: {insecure: \"true\"}}", "true or false" },
    { "registries: {a: {secure: true}}", "unknown key 'secure'" },
    { "registries: {a: true}", "expected a mapping" },
    { "registries: {\"http://a\": {}}", "is not a host name" },
    { "registries: {\"a b\": {}}", "is not a host name" },
    { "registries: {a: {ca_file: relative.pem}}", "absolute" },
    { "registries: {a: {ca_file: [x]}}", "a path" },
    { "registries: {a: {mirrors: m}}", "list" },
    { "registries: {a: {mirrors: [\"ftp://m\"]}}", "is not" },
    { "registries: {a: {mirrors: [\"m?x=1\"]}}", "is not" },
    { "registries: {a: {mirrors: [{tags: true}]}}", "'url' is missing" },
    { "registries: {a: {mirrors: [{url: m, tag: true}]}}", "unknown key 'tag'" },
    { "registries: {a: {mirrors: [1,2,3,4,5,6,7,8,9]}}", "limit" },
    { "registries: {a: {}, a: {}}", "line 1" },
    { "registries: {a: {}", "line" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autoregistries regs = { 0 };
    struct zl_error err = { 0 };
    int r = zl_registries_parse(cases[i].text, strlen(cases[i].text), "file.yaml", &regs, &err);

    if (r >= 0 || strstr(err.msg, cases[i].message) == NULL ||
        strstr(err.msg, "file.yaml") == NULL || strstr(err.msg, "line") == NULL)
      fail_msg("'%s' gave %d: %s", cases[i].text, r, err.msg);
  }
}

static void comments_say_nothing(void **state)
{
  static const char text[] = "# nothing\n\n  # at all\n";
  zl_autoregistries regs = { 0 };

  (void)state;
  assert_int_equal(zl_registries_parse(text, strlen(text), "f", &regs, NULL), 0);
  assert_int_equal(regs.count, 0);
}

/* ---- Credentials ----------------------------------------------------------------------------- */

/* "dTpw" is u:p. */
static void looks_credentials_up(void **state)
{
  static const struct {
    const char *text, *host, *repository;
    int result; /* 1 found, 0 none, or a negative code */
    const char *user, *password, *token, *helper, *server;
  } cases[] = {
    { "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\"}}}", "r.io", "a/b", 1, "u", "p", NULL, NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\"}}}", "x.io", "a/b", 0, NULL, NULL, NULL, NULL,
      NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\"}}}", "r.io:5000", "a", 0, NULL, NULL, NULL, NULL,
      NULL },
    { "{\"auths\":{\"https://r.io/v2/\":{\"auth\":\"dTpw\"}}}", "r.io", "a", 1, "u", "p", NULL,
      NULL, NULL },
    { "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}", "docker.io", "a/b", 1,
      "u", "p", NULL, NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\"},\"r.io/a\":{\"auth\":\"djpx\"}}}", "r.io", "a/b", 1,
      "v", "q", NULL, NULL, NULL },
    { "{\"auths\":{\"r.io/a/b\":{\"auth\":\"dTpw\"},\"r.io/a\":{\"auth\":\"djpx\"}}}", "r.io",
      "a/b", 1, "u", "p", NULL, NULL, NULL },
    { "{\"auths\":{\"r.io/a\":{\"auth\":\"dTpw\"}}}", "r.io", "ab", 0, NULL, NULL, NULL, NULL,
      NULL },
    { "{\"auths\":{\"r.io\":{\"username\":\"u\",\"password\":\"p\"}}}", "r.io", "a", 1, "u", "p",
      NULL, NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\",\"identitytoken\":\"t\"}}}", "r.io", "a", 1, NULL,
      NULL, "t", NULL, NULL },
    { "{\"auths\":{\"r.io\":{}},\"credsStore\":\"s\"}", "r.io", "a", 0, NULL, NULL, NULL, "s",
      "r.io" },
    { "{\"credsStore\":\"s\"}", "docker.io", "a", 0, NULL, NULL, NULL, "s",
      "https://index.docker.io/v1/" },
    { "{\"credsStore\":\"s\",\"credHelpers\":{\"r.io\":\"h\"}}", "r.io", "a", 0, NULL, NULL, NULL,
      "h", "r.io" },
    { "{\"auths\":{\"r.io\":{\"auth\":\"\"}}}", "r.io", "a", 0, NULL, NULL, NULL, NULL, NULL },
    { "{}", "r.io", "a", 0, NULL, NULL, NULL, NULL, NULL },
    { "", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL, NULL },
    { "[]", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL, NULL },
    { "{\"auths\":[]}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL, NULL },
    { "{\"auths\":{\"r.io\":5}}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"%%%\"}}}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL,
      NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":\"dXA=\"}}}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL,
      NULL, NULL },
    { "{\"auths\":{\"r.io\":{\"auth\":7}}}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL,
      NULL },
    { "{\"credsStore\":7}", "r.io", "a", -ZL_E_INVALID, NULL, NULL, NULL, NULL, NULL },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autocredentials c = { 0 };
    zl_autofree char *helper = NULL, *server = NULL;
    struct zl_error err = { 0 };
    int r = zl_credentials_from_text(cases[i].text, strlen(cases[i].text), cases[i].host,
                                     cases[i].repository, &c, &helper, &server, &err);
    const char *const want[] = { cases[i].user, cases[i].password, cases[i].token, cases[i].helper,
                                 cases[i].server };
    const char *const got[] = { c.username, c.password, c.identity_token, helper, server };

    if (r != cases[i].result)
      fail_msg("case %zu gave %d: %s", i, r, err.msg);
    for (size_t k = 0; k < ZL_COUNT(want); k++)
      if ((want[k] == NULL) != (got[k] == NULL) ||
          (want[k] != NULL && strcmp(want[k], got[k]) != 0))
        fail_msg("case %zu part %zu: '%s'", i, k, got[k] != NULL ? got[k] : "(none)");
  }
}

static void refuses_helper_names(void **state)
{
  static const char *const names[] = { "../x", "a/b", "", "-x", "a b" };
  zl_autocredentials c = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(names); i++)
    assert_int_equal(zl_credential_helper_get(names[i], "r.io", &c, NULL), -ZL_E_INVALID);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void understands_retry_after(void **state)
{
  static const uint64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
  static const struct {
    const char *text;
    int64_t seconds; /* -1: not understood */
  } cases[] = {
    { "0", 0 },
    { "120", 120 },
    { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
    { "Sun, 06 Nov 1994 08:50:07 GMT", 30 },
    { "Mon, 07 Nov 1994 08:49:37 GMT", 86400 },
    { "Sun, 06 Nov 1993 08:50:07 GMT", 0 },
    { "Sun, 01 Jan 1970 00:00:00 GMT", 0 },
    { "", -1 },
    { "-1", -1 },
    { "1.5", -1 },
    { "soon", -1 },
    { "99999999999999999999", -1 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
    { "Sun Nov  6 08:49:37 1994", -1 },
    { "Sun, 06 Nov 1994 08:49:37", -1 },
    { "Sun, 06 Nov 1994 08:49:37 GMT and more", -1 },
    { "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
    { "Sun, 32 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 24:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 08:61:37 GMT", -1 },
    { "Sun, 06 Nov 0094 08:49:37 GMT", -1 },
  };

  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uint64_t seconds = 4711;
    bool known = zl_retry_after_parse(cases[i].text, now, &seconds);

    if (known != (cases[i].seconds >= 0) || (known && seconds != (uint64_t)cases[i].seconds))
      fail_msg("'%s': %d, %llu s", cases[i].text, known, (unsigned long long)seconds);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(resolves_addresses),
    cmocka_unit_test(knows_loopback),
    cmocka_unit_test(parses_challenges),
    cmocka_unit_test(bounds_challenges),
    cmocka_unit_test(codes_base64),
    cmocka_unit_test(reads_the_configuration),
    cmocka_unit_test(refuses_bad_configuration),
    cmocka_unit_test(comments_say_nothing),
    cmocka_unit_test(looks_credentials_up),
    cmocka_unit_test(refuses_helper_names),
    cmocka_unit_test(understands_retry_after),
  };

  return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
