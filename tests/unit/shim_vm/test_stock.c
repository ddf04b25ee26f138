/* SPDX-License-Identifier: Apache-2.0
 *
 * Which containers the prepared one can become, and what has to be said for that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "shim/vm/stock.h"

/* The member at `path`, whose parts are separated by dots. */
static json_t *find(json_t *json, const char *path)
{
  char copy[80], *next = copy, *name;

  (void)strcpy(copy, path);
  while ((name = strsep(&next, ".")) != NULL)
    json = json_object_get(json, name);
  return json;
}

static void set(json_t *bundle, const char *path, const char *name, json_t *value)
{
  assert_int_equal(json_object_set_new(*path != '\0' ? find(bundle, path) : bundle, name, value),
                   0);
}

static void expect(json_t *amendment, const char *path, const char *text)
{
  zl_autojson *wanted = json_loads(text, JSON_DECODE_ANY, NULL);

  assert_true(json_equal(find(amendment, path), wanted));
}

static void what_concerns_the_program_is_said(void **state)
{
  zl_autojson *stock = stock_bundle(), *bundle = stock_bundle(), *amendment = NULL;

  (void)state;
  set(bundle, "", "hostname", json_string("web-1"));
  set(bundle, "process", "args", json_pack("[s, s]", "httpd", "-f"));
  set(bundle, "process", "cwd", json_string("/srv"));
  set(bundle, "root", "readonly", json_true());
  set(bundle, "zlayer", "user", json_string("www"));
  set(bundle, "zlayer", "openStdin", json_true());
  set(bundle, "zlayer.log", "files", json_integer(2));
  amendment = stock_amendment(bundle, stock);
  assert_non_null(amendment);
  expect(amendment, "hostname", "\"web-1\"");
  expect(amendment, "process.args", "[\"httpd\", \"-f\"]");
  expect(amendment, "process.cwd", "\"/srv\"");
  expect(amendment, "root.readonly", "true");
  expect(amendment, "zlayer.user", "\"www\"");
  expect(amendment, "zlayer.openStdin", "true");
  assert_null(find(amendment, "process.capabilities")); /* it has them */
  assert_null(find(amendment, "zlayer.log"));
  assert_null(find(amendment, "linux")); /* its limits are as they were */
}

static void limits_are_said_when_they_differ(void **state)
{
  zl_autojson *stock = stock_bundle(), *bundle = stock_bundle(), *amendment = NULL;

  (void)state;
  set(bundle, "linux.resources", "memory", json_pack("{s:i}", "limit", 67108864));
  amendment = stock_amendment(bundle, stock);
  assert_non_null(amendment);
  expect(amendment, "linux.resources.memory.limit", "67108864");
}

/* Each has been decided when the container was prepared. */
static const struct {
  const char *object, *name, *value;
} differences[] = {
  { "", "domainname", "\"example\"" },
  { "", "mounts", "[]" },
  { "linux", "maskedPaths", "[\"/proc/kcore\"]" },
  { "linux", "readonlyPaths", "[]" },
  { "linux", "sysctl", "{\"net.ipv4.ip_forward\": \"1\"}" },
  { "linux", "namespaces", "[{\"type\": \"mount\"}, {\"type\": \"network\"}]" },
  { "linux", "cgroupsPath", "\"/other\"" },
  { "linux", "devices",
    "[{\"path\": \"/dev/fuse\", \"type\": \"c\", \"major\": 10, \"minor\": 229}]" },
  { "linux.resources", "devices", "[{\"allow\": true}]" },
  { "linux", "seccomp", "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}" },
  { "process.capabilities", "bounding", "[\"CAP_KILL\"]" },
  { "process.capabilities", "ambient", "[\"CAP_KILL\"]" },
  { "process", "apparmorProfile", "\"some\"" },
  { "process", "selinuxLabel", "\"some\"" },
  { "zlayer", "seccomp", "\"unconfined\"" },
  { "zlayer", "volatile", "false" },
  { "zlayer", "allDevices", "true" },
  { "zlayer", "network", "{\"mode\": \"none\"}" },
  { "zlayer", "layers", "[\"/\"]" },
};

static void what_is_decided_is_not_amended(void **state)
{
  zl_autojson *stock = stock_bundle();

  (void)state;
  for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
    zl_autojson *bundle = stock_bundle(), *amendment = NULL;
    json_t *value = json_loads(differences[i].value, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    set(bundle, differences[i].object, differences[i].name, value);
    amendment = stock_amendment(bundle, stock);
    if (amendment != NULL)
      fail_msg("%s.%s may differ", differences[i].object, differences[i].name);
  }
}

static void nothing_becomes_of_none(void **state)
{
  zl_autojson *bundle = stock_bundle();

  (void)state;
  assert_null(stock_amendment(bundle, NULL));
}

/* One message of a socket. */
static void a_long_amendment_is_none(void **state)
{
  zl_autojson *stock = stock_bundle(), *bundle = stock_bundle();
  char *text = calloc(1, (64 << 10) + 1);

  (void)state;
  memset(text, 'x', 64 << 10);
  set(bundle, "process", "args", json_pack("[s]", text));
  assert_null(stock_amendment(bundle, stock));
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_concerns_the_program_is_said),
    cmocka_unit_test(limits_are_said_when_they_differ),
    cmocka_unit_test(what_is_decided_is_not_amended),
    cmocka_unit_test(nothing_becomes_of_none),
    cmocka_unit_test(a_long_amendment_is_none),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
