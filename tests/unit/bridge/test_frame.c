/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "bridge/frame.h"

static void headers_are_little_endian(void **state)
{
  static const uint8_t bytes[ZL_FRAME_HEADER] = { 0x01, 0x05, 0x10, 0x10, 0x22, 0x11, 0x00, 0x00,
                                                  0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01 };
  struct zl_frame frame = { ZL_BRIDGE_EXECUTE_PROCESS, 0x1122, UINT64_C(0x0123456789abcdef) };
  struct zl_frame back = { 0 };
  uint8_t header[ZL_FRAME_HEADER];

  (void)state;
  zl_frame_encode(&frame, header);
  assert_memory_equal(header, bytes, sizeof(bytes));
  assert_int_equal(zl_frame_decode(bytes, ZL_BRIDGE_MAX_TO_HOST, &back, NULL), 0);
  assert_int_equal(back.type, frame.type);
  assert_int_equal(back.size, frame.size);
  assert_true(back.id == frame.id);
}

static void sizes_have_bounds(void **state)
{
  static const struct {
    uint32_t size, max;
    int r;
  } cases[] = {
    { 0, ZL_BRIDGE_MAX_TO_HOST, -ZL_E_LIMIT },
    { 8, ZL_BRIDGE_MAX_TO_HOST, -ZL_E_LIMIT },
    { 15, ZL_BRIDGE_MAX_TO_HOST, -ZL_E_LIMIT },
    { 16, ZL_BRIDGE_MAX_TO_HOST, 0 },
    { 65536, ZL_BRIDGE_MAX_TO_HOST, 0 },
    { 65537, ZL_BRIDGE_MAX_TO_HOST, -ZL_E_LIMIT },
    { UINT32_MAX, ZL_BRIDGE_MAX_TO_HOST, -ZL_E_LIMIT },
    { 15, ZL_BRIDGE_MAX_TO_GUEST, -ZL_E_LIMIT },
    { 16, ZL_BRIDGE_MAX_TO_GUEST, 0 },
    { 65537, ZL_BRIDGE_MAX_TO_GUEST, 0 },
    { 4259840, ZL_BRIDGE_MAX_TO_GUEST, 0 },
    { 4259841, ZL_BRIDGE_MAX_TO_GUEST, -ZL_E_LIMIT },
    { UINT32_MAX, ZL_BRIDGE_MAX_TO_GUEST, -ZL_E_LIMIT },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_frame frame = { .type = ZL_BRIDGE_CREATE, .size = cases[i].size },
                    back = { .size = 1 };
    struct zl_error err = { 0 };
    uint8_t header[ZL_FRAME_HEADER];

    zl_frame_encode(&frame, header);
    assert_int_equal(zl_frame_decode(header, cases[i].max, &back, &err), cases[i].r);
    assert_int_equal(back.size, cases[i].r == 0 ? cases[i].size : 1);
    assert_int_equal(err.code, cases[i].r == 0 ? ZL_OK : ZL_E_LIMIT);
  }
}

static void messages_have_names(void **state)
{
  static const struct {
    const char *name;
    uint32_t type;
    bool request;
  } cases[] = {
    { "Create", 0x10100101, true },
    { "Start", 0x10100201, true },
    { "ShutdownGraceful", 0x10100301, true },
    { "ShutdownForced", 0x10100401, true },
    { "ExecuteProcess", 0x10100501, true },
    { "WaitForProcess", 0x10100601, true },
    { "SignalProcess", 0x10100701, true },
    { "ResizeConsole", 0x10100801, true },
    { "GetProperties", 0x10100901, true },
    { "ModifySettings", 0x10100a01, true },
    { "NegotiateProtocol", 0x10100b01, true },
    { "DumpStacks", 0x10100c01, true },
    { "DeleteContainerState", 0x10100d01, true },
    { "UpdateContainer", 0x10100e01, true },
    { "LifecycleNotification", 0x10100f01, true },
    { "ModifyServiceSettings", 0x10200101, true },
    { "Create", 0x20100101, false },
    { "ModifyServiceSettings", 0x20200101, false },
    { "unknown message", 0x30100101, false },
    { "unknown message", 0x00100101, false },
    { "unknown message", 0x90100101, false },
    { "unknown message", 0x10101001, false },
    { "unknown message", 0x10100102, false },
    { "unknown message", 0, false },
    { "unknown message", UINT32_MAX, false },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    assert_string_equal(zl_bridge_message_name(cases[i].type), cases[i].name);
    assert_int_equal(zl_bridge_is_request(cases[i].type), cases[i].request);
  }
}

static void results_become_codes(void **state)
{
  static const struct {
    uint32_t hresult;
    enum zl_code code;
  } cases[] = {
    { 0, ZL_OK },
    { 1, ZL_OK },
    { 0x7fffffff, ZL_OK },
    { 0x80070002, ZL_E_NO_COMMAND },
    { 0x800700c1, ZL_E_NOT_EXECUTABLE },
    { 0x80070490, ZL_E_NOT_FOUND },
    { 0xc037010e, ZL_E_NOT_FOUND },
    { 0xc0370105, ZL_E_CONFLICT },
    { 0xc037010f, ZL_E_CONFLICT },
    { 0xc0370110, ZL_E_CONFLICT },
    { 0x80070057, ZL_E_INVALID },
    { 0xc037010d, ZL_E_INVALID },
    { 0x80070032, ZL_E_UNSUPPORTED },
    { 0xc037010b, ZL_E_UNSUPPORTED },
    { 0xc037010c, ZL_E_UNSUPPORTED },
    { 0x80004001, ZL_E_UNSUPPORTED },
    { 0xc0370109, ZL_E_TIMEOUT },
    { 0x8007000e, ZL_E_NO_MEMORY },
    { 0x80070718, ZL_E_LIMIT },
    { 0x80004005, ZL_E_REMOTE },
    { 0xffffffff, ZL_E_REMOTE },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++)
    assert_int_equal(zl_bridge_code_of((int32_t)cases[i].hresult), cases[i].code);
}

static void codes_survive_the_way_there_and_back(void **state)
{
  static const enum zl_code kept[] = {
    ZL_OK,        ZL_E_NO_COMMAND,  ZL_E_NOT_EXECUTABLE, ZL_E_NOT_FOUND, ZL_E_CONFLICT,
    ZL_E_INVALID, ZL_E_UNSUPPORTED, ZL_E_TIMEOUT,        ZL_E_NO_MEMORY, ZL_E_LIMIT
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(kept); i++)
    assert_int_equal(zl_bridge_code_of(zl_bridge_hresult_of(kept[i])), kept[i]);
  assert_int_equal((uint32_t)zl_bridge_hresult_of(ZL_E_NOT_FOUND), 0x80070490);
  assert_int_equal((uint32_t)zl_bridge_hresult_of(ZL_E_CONFLICT), 0xc0370105);
  assert_int_equal((uint32_t)zl_bridge_hresult_of(ZL_E_UNSUPPORTED), 0x80070032);
  assert_int_equal((uint32_t)zl_bridge_hresult_of(ZL_E_SYSTEM), 0x80004005);
  for (int code = 1; code < ZL_E_MAX_; code++)
    assert_true(zl_bridge_hresult_of((enum zl_code)code) < 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(headers_are_little_endian),
    cmocka_unit_test(sizes_have_bounds),
    cmocka_unit_test(messages_have_names),
    cmocka_unit_test(results_become_codes),
    cmocka_unit_test(codes_survive_the_way_there_and_back),
  };

  return cmocka_run_group_tests_name("bridge frames", tests, NULL, NULL);
}
