/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strv.h"
#include "spec/imageref.h"

#define SHA256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void canonical_names(void **state)
{
  static const struct {
    const char *text, *canonical;
  } cases[] = {
    { "busybox", "docker.io/library/busybox:latest" },
    { "busybox:1.36", "docker.io/library/busybox:1.36" },
    { "docker.io/busybox", "docker.io/library/busybox:latest" },
    { "index.docker.io/library/busybox", "docker.io/library/busybox:latest" },
    { "a/b", "docker.io/a/b:latest" },
    { "localhost/b", "localhost/b:latest" },
    { "Host/b", "Host/b:latest" },
    { "127.0.0.1:5000/a/b@" SHA256, "127.0.0.1:5000/a/b@" SHA256 },
    { "busybox:1@" SHA256, "docker.io/library/busybox:1@" SHA256 },
    { "[::1]:5000/a:b", "[::1]:5000/a:b" },
    { "a.b.c/d__e/f-g--h.i_j:_x.Y-z", "a.b.c/d__e/f-g--h.i_j:_x.Y-z" },
    { "oci:/a/b", "oci:/a/b" },
    { "oci:/a/b:tag/1", "oci:/a/b:tag/1" },
    { "oci:C:\\x:t", "oci:C:\\x:t" },
    { "oci-archive:/a.tar:1", "oci-archive:/a.tar:1" },
    { "docker-archive:/a.tar", "docker-archive:/a.tar" },
    { "docker-archive:/a.tar:busybox", "docker-archive:/a.tar:docker.io/library/busybox:latest" },
  };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_auto_image_ref ref = { 0 };
    zl_auto_image_ref again = { 0 };

    print_message("%s\n", cases[i].text);
    assert_int_equal(zl_image_ref_parse(cases[i].text, &ref, &err), 0);
    assert_string_equal(ref.canonical, cases[i].canonical);
    assert_int_equal(zl_image_ref_parse(ref.canonical, &again, &err), 0);
    assert_string_equal(again.canonical, ref.canonical);
  }
}

static void parts(void **state)
{
  zl_auto_image_ref ref = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_image_ref_parse("ghcr.io:443/a/b:1@" SHA256, &ref, &err), 0);
  assert_int_equal(ref.kind, ZL_IMAGE_REF_REGISTRY);
  assert_string_equal(ref.registry, "ghcr.io:443");
  assert_string_equal(ref.repository, "a/b");
  assert_string_equal(ref.tag, "1");
  assert_string_equal(ref.digest, SHA256);
  assert_null(ref.path);
}

static void relative_paths_become_absolute(void **state)
{
  zl_auto_image_ref ref = { 0 };
  struct zl_error err = { 0 };
  zl_autofree char *cwd = getcwd(NULL, 0);

  (void)state;
  assert_int_equal(zl_image_ref_parse("oci:x/y:t", &ref, &err), 0);
  assert_true(zl_has_prefix(ref.path, cwd));
  assert_string_equal(ref.tag, "t");
  assert_int_equal(ref.kind, ZL_IMAGE_REF_OCI_DIR);
}

static void bad_names(void **state)
{
  static const char *const cases[] = {
    "",
    ":",
    "@",
    "/",
    "a/",
    "/a",
    "a//b",
    "Busybox",
    "a/B",
    "a:",
    "a:-x",
    "a@",
    "a@sha256:12",
    "a@md5:d41d8cd98f00b204e9800998ecf8427e",
    "a b",
    "a\nb",
    "a..b",
    "a___b",
    "-a",
    "a-",
    "a_",
    "host:0/a",
    "host:65536/a",
    "host:x/a",
    "-h.x/a",
    "h-.x/a",
    "h..x/a",
    "[::1/a",
    "[zz]/a",
    "oci:",
    "oci-archive:",
    "oci:/a:",
    "docker-archive:/a:B",
    "docker-archive::x",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "a@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "https://docker.io/a",
    "a:b:c",
    ("a@" SHA256 ":x"),
    "\xc3\xa9",
  };
  char longest[400];
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_auto_image_ref ref = { 0 };

    print_message("%s\n", cases[i]);
    assert_int_equal(zl_image_ref_parse(cases[i], &ref, &err), -ZL_E_INVALID);
    assert_null(ref.canonical);
  }
  memset(longest, 'a', sizeof(longest));
  longest[sizeof(longest) - 1] = '\0';
  {
    zl_auto_image_ref ref = { 0 };

    assert_int_equal(zl_image_ref_parse(longest, &ref, &err), -ZL_E_INVALID);
    longest[1] = ':';
    longest[2 + 129] = '\0';
    assert_int_equal(zl_image_ref_parse(longest, &ref, &err), -ZL_E_INVALID);
    longest[2 + 128] = '\0';
    assert_int_equal(zl_image_ref_parse(longest, &ref, &err), 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(canonical_names),
    cmocka_unit_test(parts),
    cmocka_unit_test(relative_paths_become_absolute),
    cmocka_unit_test(bad_names),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
