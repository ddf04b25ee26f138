/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/strv.h"
#include "systemd/annotation.h"
#include "systemd/property.h"

/* One property as text: "CPUWeight=t 59". Of arrays bytes alone are read. */
static void print_value(struct zl_dbus_in *in, const char *signature, char *to, size_t room)
{
  if (strcmp(signature, "t") == 0) {
    (void)snprintf(to, room, "t %llu;", (unsigned long long)zl_dbus_get_u64(in));
  } else if (strcmp(signature, "s") == 0) {
    (void)snprintf(to, room, "s %s;", zl_dbus_get_string(in));
  } else if (strcmp(signature, "ay") == 0) {
    uint32_t n = zl_dbus_get_u32(in);

    for (to = stpcpy(to, "ay"); n > 0; n--, to += strlen(to))
      (void)snprintf(to, room, " %02x", zl_dbus_get_u8(in));
    (void)stpcpy(to, ";");
  } else {
    (void)snprintf(to, room, "%s %lld;", signature, (long long)(int32_t)zl_dbus_get_u32(in));
  }
}

static void expect(const struct zl_dbus_out *out, const char *expected)
{
  struct zl_dbus_in in = { .data = (const uint8_t *)out->buf.data, .len = out->buf.len };
  char text[2048] = "";

  assert_int_equal(out->r, 0);
  while (!in.bad && in.pos < in.len) {
    const size_t at = strlen(text);

    zl_dbus_skip_pad(&in, 8);
    (void)snprintf(text + at, sizeof(text) - at, "%s=", zl_dbus_get_string(&in));
    print_value(&in, zl_dbus_get_signature(&in), text + strlen(text), sizeof(text) - strlen(text));
  }
  assert_false(in.bad);
  assert_string_equal(text, expected);
}

static void resources(const char *json, bool is_v2, unsigned version, const char *expected)
{
  const struct zl_property_host host = { .is_v2 = is_v2, .version = version };
  zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);
  zl_autojson *doc = json_loads(json, 0, NULL);
  zl_autoresources *res = NULL;

  assert_int_equal(zl_engine_resources_parse(doc, "resources", &res, NULL), 0);
  zl_property_resources(&out, res, &host);
  expect(&out, expected);
}

#define NONE "18446744073709551615;"

static void limits(void **state)
{
  static const char all[] =
      "{\"memory\":{\"limit\":100,\"reservation\":50,\"swap\":130},"
      "\"cpu\":{\"shares\":1024,\"quota\":1,\"period\":3000,\"cpus\":\"1,8-9\"},"
      "\"pids\":{\"limit\":5},\"blockIO\":{\"weight\":1000},"
      "\"unified\":{\"memory.min\":\"7\",\"cpu.weight\":\"max\",\"io.max\":\"8:0 "
      "rbps=1\"}}";

  (void)state;
  resources("{}", true, 252, "");
  resources(all, true, 252,
            "MemoryMax=t 100;MemoryLow=t 50;MemorySwapMax=t 30;CPUWeight=t 100;"
            "CPUQuotaPeriodUSec=t 3000;CPUQuotaPerSecUSec=t 10000;TasksMax=t 5;IOWeight=t 10000;"
            "AllowedCPUs=ay 02 03;MemoryMin=t 7;CPUWeight=t " NONE);
  resources(
      all, true, 241,
      "MemoryMax=t 100;MemoryLow=t 50;MemorySwapMax=t 30;CPUWeight=t 100;"
      "CPUQuotaPerSecUSec=t 10000;TasksMax=t 5;IOWeight=t 10000;MemoryMin=t 7;CPUWeight=t " NONE);
  resources(all, false, 252,
            "MemoryLimit=t 100;CPUShares=t 1024;CPUQuotaPeriodUSec=t 3000;CPUQuotaPerSecUSec=t "
            "10000;TasksMax=t 5;BlockIOWeight=t 1000;");
}

static void quotas(void **state)
{
  (void)state;
  resources("{\"cpu\":{\"quota\":50000}}", true, 252, "CPUQuotaPerSecUSec=t 500000;");
  resources("{\"cpu\":{\"quota\":50001,\"period\":100000}}", true, 241,
            "CPUQuotaPerSecUSec=t 510000;");
  resources("{\"cpu\":{\"quota\":-1,\"period\":100000}}", true, 241, "CPUQuotaPerSecUSec=t " NONE);
  resources("{\"cpu\":{\"quota\":9223372036854775807}}", true, 252, "CPUQuotaPerSecUSec=t " NONE);
}

static void without_limit(void **state)
{
  (void)state;
  resources("{\"memory\":{\"limit\":-1,\"swap\":-1},\"pids\":{\"limit\":0}}", true, 252,
            "MemoryMax=t " NONE "MemorySwapMax=t " NONE "TasksMax=t " NONE);
  /* Of both together nothing can be said without the one of memory. */
  resources("{\"memory\":{\"swap\":100}}", true, 252, "");
}

/* ---- Annotations --------------------------------------------------------------------------- */

static int annotate(const char *name, const char *value, struct zl_dbus_out *out,
                    struct zl_error *err)
{
  zl_autofree char *key = zl_asprintf("org.systemd.property.%s", name);
  zl_autojson *doc = json_pack("{s:s, s:s}", "org.other", "uint64 1", key, value);

  return zl_annotations_put(out, doc, err);
}

static void good_annotations(void **state)
{
  static const struct zl_key_value cases[] = {
    { "MemoryMax=t 18446744073709551615;", "uint64 18446744073709551615" },
    { "TasksMax=t 5;", "@t  5" },
    { "KillSignal=i 15;", "15" },
    { "KillSignal=i 15;", "int32 15" },
    { "SendSIGKILL=b 0;", "false" },
    { "KillMode=s mixed;", "'mixed'" },
    { "ManagedOOMMemoryPressureLimit=u 7;", "uint32 7" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);
    char name[64] = "";

    (void)strncat(name, cases[i].key, strcspn(cases[i].key, "="));
    assert_int_equal(annotate(name, cases[i].value, &out, NULL), 0);
    expect(&out, cases[i].key);
  }
}

static void seconds(void **state)
{
  static const struct zl_key_value cases[] = {
    { "TimeoutStopUSec=t 5000000;", "5" },
    { "TimeoutStopUSec=t 500000;", "0.5" },
    { "TimeoutStopUSec=t 1000001;", "double 1.000001" },
    { "TimeoutStopUSec=t 7000000;", "uint64 7" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);

    assert_int_equal(annotate("TimeoutStopSec", cases[i].value, &out, NULL), 0);
    expect(&out, cases[i].key);
  }
}

static void bad_annotations(void **state)
{
  static const struct {
    const char *name, *value;
    int code;
  } cases[] = {
    { "ExecStart", "'x'", ZL_E_UNSUPPORTED },
    { "ExecStopPost", "@a(sasb) []", ZL_E_UNSUPPORTED },
    { "Environment", "['A=b']", ZL_E_UNSUPPORTED },
    { "Wants", "['x.service']", ZL_E_UNSUPPORTED },
    { "DeviceAllow", "[('char-*', 'rwm')]", ZL_E_UNSUPPORTED },
    { "Sec", "1", ZL_E_UNSUPPORTED },
    { "", "1", ZL_E_UNSUPPORTED },
    { "TasksMax", "5", ZL_E_INVALID },
    { "TasksMax", "uint645", ZL_E_INVALID },
    { "TasksMax", "uint64 ", ZL_E_INVALID },
    { "TasksMax", "uint64 5 ", ZL_E_INVALID },
    { "TasksMax", "uint32 5", ZL_E_INVALID },
    { "KillSignal", "2147483648", ZL_E_INVALID },
    { "KillMode", "mixed", ZL_E_INVALID },
    { "KillMode", "'mixed\"", ZL_E_INVALID },
    { "KillMode", "''", ZL_E_INVALID },
    { "KillMode", "'a' 'b'", ZL_E_INVALID },
    { "SendSIGHUP", "yes", ZL_E_INVALID },
    { "TimeoutStopSec", "", ZL_E_INVALID },
    { "TimeoutStopSec", ".5", ZL_E_INVALID },
    { "TimeoutStopSec", "1.1234567", ZL_E_INVALID },
    { "TimeoutStopSec", "1.2.3", ZL_E_INVALID },
    { "TimeoutStopSec", "-1", ZL_E_INVALID },
    { "TimeoutStopSec", "18446744073709551615", ZL_E_INVALID },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autodbusout out = ZL_DBUS_OUT_INIT(NULL);
    struct zl_error err = { 0 };

    assert_int_equal(annotate(cases[i].name, cases[i].value, &out, &err), -cases[i].code);
    assert_non_null(strstr(err.msg, "annotations: org.systemd.property."));
    assert_int_equal(out.buf.len, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(limits),        cmocka_unit_test(quotas),
    cmocka_unit_test(without_limit), cmocka_unit_test(good_annotations),
    cmocka_unit_test(seconds),       cmocka_unit_test(bad_annotations),
  };

  return cmocka_run_group_tests_name("systemd-property", tests, NULL, NULL);
}
