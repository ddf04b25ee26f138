/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests, indexes and image configurations: what must be read, and what must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/config.h"
#include "image/manifest.h"

#define D1                 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2                 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define DESC(type, digest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7}"
#define CONFIG             "\"config\":" DESC(ZL_MT_OCI_CONFIG, D1)
#define LAYER_TYPE         "application/vnd.oci.image.layer.v1.tar+gzip"
#define LAYERS             "\"layers\":[" DESC(LAYER_TYPE, D2) "]"
#define V2                 "\"schemaVersion\":2"
#define OCI                "\"mediaType\":\"" ZL_MT_OCI_MANIFEST "\""
#define INDEX              "\"mediaType\":\"" ZL_MT_OCI_INDEX "\""
#define ENTRY              DESC(ZL_MT_OCI_MANIFEST, D1)

static int parse(const char *text, const char *type, struct zl_manifest *ret, struct zl_error *err)
{
  return zl_manifest_parse(text, strlen(text), type, "test", ret, err);
}

static void reads_what_is_right(void **state)
{
  static const struct {
    const char *text, *type;
    enum zl_manifest_kind kind;
  } cases[] = {
    { "{" V2 "," OCI "," CONFIG "," LAYERS "}", ZL_MT_OCI_MANIFEST, ZL_MANIFEST_IMAGE },
    { "{" V2 "," CONFIG "," LAYERS "}", ZL_MT_OCI_MANIFEST, ZL_MANIFEST_IMAGE },
    { "{" V2 "," OCI "," CONFIG "," LAYERS "}", NULL, ZL_MANIFEST_IMAGE },
    { "{" V2 "," OCI "," CONFIG "," LAYERS "}", "application/json", ZL_MANIFEST_IMAGE },
    { "{" V2 "," OCI "," CONFIG "," LAYERS "}", "Application/VND.oci.image.manifest.v1+json; x=y",
      ZL_MANIFEST_IMAGE },
    { "{" V2 "," OCI "," CONFIG ",\"layers\":[]}", NULL, ZL_MANIFEST_IMAGE },
    { "{" V2 "," OCI "," CONFIG "," LAYERS ",\"unknown\":[1,{}]}", NULL, ZL_MANIFEST_IMAGE },
    { "{" V2 "," INDEX ",\"manifests\":[" ENTRY "]}", ZL_MT_OCI_INDEX, ZL_MANIFEST_INDEX },
    { "{" V2 ",\"manifests\":[" ENTRY "]}", ZL_MT_DOCKER_LIST, ZL_MANIFEST_INDEX },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_automanifest m = { 0 };
    struct zl_error err = { 0 };
    int r = parse(cases[i].text, cases[i].type, &m, &err);

    if (r != 0 || m.kind != cases[i].kind)
      fail_msg("case %zu: %s", i, err.msg);
  }
}

static const struct {
  const char *text, *type;
  enum zl_code code;
} wrong[] = {
  { "", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "[]", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "null", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "\"text\"", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{}", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{} {}", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{" V2 "}", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{" V2 "}", ZL_MT_OCI_INDEX, ZL_E_CORRUPT },
  { "{" V2 "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," CONFIG "," LAYERS "}", "application/json", ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "," LAYERS "} x", NULL, ZL_E_CORRUPT },
  { "{" V2 "," V2 "," OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT }, /* key twice */
  { "{" V2 "," OCI "," CONFIG "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "," LAYERS "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{\"schemaVersion\":1," OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_UNSUPPORTED },
  { "{\"schemaVersion\":3," OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{\"schemaVersion\":\"2\"," OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{\"schemaVersion\":2.0," OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" OCI "," CONFIG "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" V2 ",\"fsLayers\":[]}", NULL, ZL_E_UNSUPPORTED },
  { "{" V2 "," OCI "," CONFIG "," LAYERS "}",
    "application/vnd.docker.distribution.manifest.v1+prettyjws", ZL_E_UNSUPPORTED },
  { "{" V2 "," OCI "," CONFIG "," LAYERS "}", ZL_MT_OCI_INDEX, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "," LAYERS "}", ZL_MT_DOCKER_MANIFEST, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":[" ENTRY "]}", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  /* CVE-2021-41190: an index and an image at once */
  { "{" V2 "," OCI "," CONFIG "," LAYERS ",\"manifests\":[]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":[" ENTRY "],\"layers\":[]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":[" ENTRY "],\"config\":null}", NULL, ZL_E_CORRUPT },
  { "{" V2 ",\"mediaType\":5," CONFIG "," LAYERS "}", ZL_MT_OCI_MANIFEST, ZL_E_CORRUPT },
  { "{" V2 ",\"mediaType\":\"text/plain\"," CONFIG "," LAYERS "}", ZL_MT_OCI_MANIFEST,
    ZL_E_UNSUPPORTED },
  { "{" V2 "," OCI "," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":{}}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[1]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[null]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{}]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI ",\"config\":[]," LAYERS "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI ",\"config\":" DESC("application/vnd.wasm.config.v1+json", D1) "," LAYERS "}",
    NULL, ZL_E_UNSUPPORTED },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC("text/plain", D2) "]}", NULL, ZL_E_UNSUPPORTED },
  /* digests: they become file names (CVE-2024-3727) */
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(LAYER_TYPE, "sha256:../../etc/passwd") "]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(LAYER_TYPE, "sha256:1111") "]}", NULL,
    ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(LAYER_TYPE, "md5:1111") "]}", NULL,
    ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(
        LAYER_TYPE, "sha256:AAAA1111111111111111111111111111111111111111111111111111111111") "]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(LAYER_TYPE, D2 "00") "]}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[" DESC(LAYER_TYPE, D2 "\\u0000") "]}", NULL,
    ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":-1}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":99999999999999999999}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":\"7\"}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":7,\"urls\":\"http://x\"}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG ",\"layers\":[{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"" D2
    "\",\"size\":7,\"urls\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":[{\"mediaType\":\"" ZL_MT_OCI_MANIFEST "\",\"digest\":\"" D1
    "\",\"size\":7,\"platform\":{\"os\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123\"}}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":[{\"mediaType\":\"" ZL_MT_OCI_MANIFEST "\",\"digest\":\"" D1
    "\",\"size\":7,\"platform\":\"linux\"}]}",
    NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX "}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," INDEX ",\"manifests\":null}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "," LAYERS ",\"x\":\"\xff\xfe\"}", NULL, ZL_E_CORRUPT },
  { "{" V2 "," OCI "," CONFIG "," LAYERS
    ",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
    NULL, ZL_E_LIMIT },
};

static void refuses_what_is_wrong(void **state)
{
  (void)state;
  assert_true(ZL_COUNT(wrong) >= 40);
  for (size_t i = 0; i < ZL_COUNT(wrong); i++) {
    zl_automanifest m = { 0 };
    struct zl_error err = { 0 };
    int r = parse(wrong[i].text, wrong[i].type, &m, &err);
    /* Only a list that is too long may say LIMIT where the table says CORRUPT. */
    bool as_expected =
        r == -(int)wrong[i].code || (r == -ZL_E_LIMIT && strstr(wrong[i].text, "urls") != NULL);

    if (!as_expected)
      fail_msg("case %zu gave %d (%s): %s", i, r, err.msg, wrong[i].text);
    assert_int_equal(parse(wrong[i].text, wrong[i].type, &m, NULL),
                     r); /* without an error object */
  }
}

static void limits_layers_and_entries(void **state)
{
  static const struct {
    const char *head, *item;
    size_t max;
  } cases[] = {
    { "{" V2 "," OCI "," CONFIG ",\"layers\":[", DESC(LAYER_TYPE, D2), ZL_MAX_LAYERS },
    { "{" V2 "," INDEX ",\"manifests\":[", ENTRY, ZL_MAX_INDEX },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++)
    for (size_t extra = 0; extra < 2; extra++) {
      zl_autobuf text = ZL_BUF_INIT(1 << 20);
      zl_automanifest m = { 0 };

      assert_int_equal(zl_buf_puts(&text, cases[i].head, NULL), 0);
      for (size_t k = 0; k < cases[i].max + extra; k++)
        assert_int_equal(zl_buf_printf(&text, NULL, "%s%s", k > 0 ? "," : "", cases[i].item), 0);
      assert_int_equal(zl_buf_puts(&text, "]}", NULL), 0);
      assert_int_equal(parse(text.data, NULL, &m, NULL), extra == 0 ? 0 : -ZL_E_LIMIT);
    }
}

/* An index entry; `more` continues the platform object. */
#define PLATFORM(os, arch, more)                                     \
  "{\"mediaType\":\"" ZL_MT_OCI_MANIFEST "\",\"digest\":\"" D1 "\"," \
  "\"size\":1,\"platform\":{\"os\":\"" os "\","                      \
  "\"architecture\":\"" arch "\"" more "}}"
#define VARIANT(v) ",\"variant\":\"" v "\""

static const char *const entries[] = {
  PLATFORM("unknown", "unknown", ""),
  PLATFORM("windows", "amd64", ",\"os.version\":\"10.0.1\""),
  PLATFORM("linux", "arm", VARIANT("v7")),
  PLATFORM("linux", "amd64", ""),
  PLATFORM("linux", "amd64", VARIANT("v3")),
  PLATFORM("linux", "arm", VARIANT("v6")),
  PLATFORM("linux", "arm64", VARIANT("v8")),
};

static void selects_the_platform(void **state)
{
  static const struct {
    struct zl_image_platform node;
    int index; /* -1: none */
  } cases[] = {
    { { "linux", "amd64", "v1", "" }, 3 },    { { "linux", "amd64", "v3", "" }, 4 },
    { { "linux", "amd64", "v4", "" }, 4 },    { { "linux", "amd64", "v2", "" }, 3 },
    { { "linux", "arm", "v7", "" }, 2 },      { { "linux", "arm", "v6", "" }, 5 },
    { { "linux", "arm64", "v8", "" }, 6 },    { { "linux", "s390x", "", "" }, -1 },
    { { "freebsd", "amd64", "v1", "" }, -1 }, { { "linux", "arm", "v5", "" }, -1 },
  };
  zl_autobuf text = ZL_BUF_INIT(1 << 16);
  zl_automanifest m = { 0 };

  (void)state;
  assert_int_equal(zl_buf_puts(&text, "{" V2 "," INDEX ",\"manifests\":[", NULL), 0);
  for (size_t i = 0; i < ZL_COUNT(entries); i++)
    assert_int_equal(zl_buf_printf(&text, NULL, "%s%s", i > 0 ? "," : "", entries[i]), 0);
  assert_int_equal(zl_buf_puts(&text, "]}", NULL), 0);
  assert_int_equal(parse(text.data, NULL, &m, NULL), 0);
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    const struct zl_descriptor *found = zl_index_select(&m, &cases[i].node);

    if (found != (cases[i].index < 0 ? NULL : &m.items[cases[i].index]))
      fail_msg("case %zu", i);
  }
}

/* ---- Configurations -------------------------------------------------------------------------- */

static void reads_a_config(void **state)
{
  static const char text[] =
      "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\",\"rootfs\":{\"type\":"
      "\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2 "\"]},\"config\":{\"Entrypoint\":[\"/e\",\"-x\"],"
      "\"Cmd\":[\"c\"],\"Env\":[\"A=1\",\"B=\"],\"WorkingDir\":\"/w\",\"User\":\"u:g\","
      "\"StopSignal\":\"SIGINT\",\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":{}},"
      "\"Labels\":{\"k\":\"v=w\"}}}";
  zl_autoimage image = { 0 };
  zl_autostrv ids = NULL;

  (void)state;
  assert_int_equal(zl_image_config_parse(text, strlen(text), "test", &image, &ids, NULL), 0);
  assert_int_equal(zl_strv_len((const char *const *)ids), 2);
  assert_string_equal(image.arch, "arm64");
  assert_string_equal(image.config.entrypoint[1], "-x");
  assert_string_equal(image.config.env[1], "B=");
  assert_string_equal(image.config.user, "u:g");
  assert_string_equal(image.config.exposed_ports[0], "80/tcp");
  assert_string_equal(image.config.labels[0], "k=v=w");
  assert_false(image.config.args_escaped);
}

static void reads_a_config_for_windows(void **state)
{
  static const char text[] =
      "{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10.0.20348.2966\","
      "\"rootfs\":{"
      "\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]},\"config\":{\"ArgsEscaped\":true,"
      "\"Cmd\":[\"cmd /S /C dir\"]}}";
  zl_autoimage image = { 0 };
  zl_autostrv ids = NULL;

  (void)state;
  assert_int_equal(zl_image_config_parse(text, strlen(text), "test", &image, &ids, NULL), 0);
  assert_string_equal(image.os_version, "10.0.20348.2966");
  assert_true(image.config.args_escaped);
}

static void refuses_a_bad_config(void **state)
{
#define OS "\"os\":\"linux\",\"architecture\":\"amd64\""
  static const char *const cases[] = {
    "",
    "[]",
    "{}",
    "{\"os\":\"linux\"}",
    "{\"os\":\"\",\"architecture\":\"amd64\"}",
    "{" OS ",\"os\":\"windows\"}",
    "{" OS ",\"config\":[]}",
    "{" OS ",\"config\":{\"Env\":\"A=b\"}}",
    "{" OS ",\"config\":{\"Cmd\":[1]}}",
    "{" OS ",\"config\":{\"Cmd\":[null]}}",
    "{" OS ",\"config\":{\"User\":0}}",
    "{" OS ",\"config\":{\"ArgsEscaped\":1}}",
    "{" OS ",\"config\":{\"Labels\":{\"a\":1}}}",
    "{" OS ",\"config\":{\"Labels\":[]}}",
    "{" OS ",\"config\":{\"Volumes\":[\"/x\"]}}",
    "{" OS ",\"config\":{\"WorkingDir\":\"/\\u0000x\"}}",
    "{" OS ",\"rootfs\":[]}",
    "{" OS ",\"rootfs\":{\"diff_ids\":[\"sha256:1\"]}}",
    "{" OS ",\"rootfs\":{\"diff_ids\":[7]}}",
    "{" OS ",\"rootfs\":{\"diff_ids\":\"" D1 "\"}}",
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autoimage image = { 0 };
    zl_autostrv ids = NULL;
    struct zl_error err = { 0 };

    if (zl_image_config_parse(cases[i], strlen(cases[i]), "test", &image, &ids, &err) !=
        -ZL_E_CORRUPT)
      fail_msg("accepted or wrong code %d: %s", (int)err.code, cases[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_what_is_right),
    cmocka_unit_test(refuses_what_is_wrong),
    cmocka_unit_test(limits_layers_and_entries),
    cmocka_unit_test(selects_the_platform),
    cmocka_unit_test(reads_a_config),
    cmocka_unit_test(reads_a_config_for_windows),
    cmocka_unit_test(refuses_a_bad_config),
  };

  return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
