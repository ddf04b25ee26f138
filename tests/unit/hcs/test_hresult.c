/* SPDX-License-Identifier: Apache-2.0
 *
 * Every code that is known, in each of its spellings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/hcs/hresult.h"

enum {
  SHUTDOWN = ZL_HRESULT_SHUTDOWN,
  TERMINATE = ZL_HRESULT_TERMINATE,
  SIGNAL = ZL_HRESULT_SIGNAL,
  END = ZL_HRESULT_END,
  DELETE = ZL_HRESULT_DELETE
};

/* By the low word: HRESULT 0x8037…, and 0xC037… where there is one. */
static const struct hcs_row {
  uint32_t low;
  const char *name, *vmcompute;
  enum zl_code error;
  enum zl_hresult_retry retry;
  unsigned done;
} hcs_rows[] = {
  { 0x100, "HCS_E_TERMINATED_DURING_START", "ERROR_VMCOMPUTE_TERMINATED_DURING_START", ZL_E_SYSTEM,
    ZL_HRESULT_RENEW, 0 },
  { 0x101, "HCS_E_IMAGE_MISMATCH", "ERROR_VMCOMPUTE_IMAGE_MISMATCH", ZL_E_WRONG_PLATFORM,
    ZL_HRESULT_FINAL, 0 },
  { 0x102, "HCS_E_HYPERV_NOT_INSTALLED", "ERROR_VMCOMPUTE_HYPERV_NOT_INSTALLED", ZL_E_UNSUPPORTED,
    ZL_HRESULT_FINAL, 0 },
  { 0x103, NULL, "ERROR_VMCOMPUTE_OPERATION_PENDING", ZL_E_INTERNAL, ZL_HRESULT_FINAL, 0 },
  { 0x105, "HCS_E_INVALID_STATE", "ERROR_VMCOMPUTE_INVALID_STATE", ZL_E_CONFLICT, ZL_HRESULT_FINAL,
    TERMINATE | SIGNAL | END },
  { 0x106, "HCS_E_UNEXPECTED_EXIT", "ERROR_VMCOMPUTE_UNEXPECTED_EXIT", ZL_E_SYSTEM,
    ZL_HRESULT_FINAL, 0 },
  { 0x107, "HCS_E_TERMINATED", "ERROR_VMCOMPUTE_TERMINATED", ZL_E_SYSTEM, ZL_HRESULT_FINAL, 0 },
  { 0x108, "HCS_E_CONNECT_FAILED", "ERROR_VMCOMPUTE_CONNECT_FAILED", ZL_E_REMOTE, ZL_HRESULT_RENEW,
    0 },
  { 0x109, "HCS_E_CONNECTION_TIMEOUT", "ERROR_VMCOMPUTE_TIMEOUT", ZL_E_TIMEOUT, ZL_HRESULT_RENEW,
    0 },
  { 0x10a, "HCS_E_CONNECTION_CLOSED", "ERROR_VMCOMPUTE_CONNECTION_CLOSED", ZL_E_REMOTE,
    ZL_HRESULT_FINAL, 0 },
  { 0x10b, "HCS_E_UNKNOWN_MESSAGE", "ERROR_VMCOMPUTE_UNKNOWN_MESSAGE", ZL_E_UNSUPPORTED,
    ZL_HRESULT_FINAL, 0 },
  { 0x10c, "HCS_E_UNSUPPORTED_PROTOCOL_VERSION", "ERROR_VMCOMPUTE_UNSUPPORTED_PROTOCOL_VERSION",
    ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x10d, "HCS_E_INVALID_JSON", "ERROR_VMCOMPUTE_INVALID_JSON", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL,
    0 },
  { 0x10e, "HCS_E_SYSTEM_NOT_FOUND", "ERROR_VMCOMPUTE_SYSTEM_NOT_FOUND", ZL_E_NOT_FOUND,
    ZL_HRESULT_FINAL, SHUTDOWN | TERMINATE | SIGNAL | END | DELETE },
  { 0x10f, "HCS_E_SYSTEM_ALREADY_EXISTS", "ERROR_VMCOMPUTE_SYSTEM_ALREADY_EXISTS", ZL_E_CONFLICT,
    ZL_HRESULT_REPLACE, 0 },
  { 0x110, "HCS_E_SYSTEM_ALREADY_STOPPED", "ERROR_VMCOMPUTE_SYSTEM_ALREADY_STOPPED", ZL_E_CONFLICT,
    ZL_HRESULT_FINAL, SHUTDOWN | TERMINATE },
  { 0x111, "HCS_E_PROTOCOL_ERROR", "ERROR_VMCOMPUTE_PROTOCOL_ERROR", ZL_E_REMOTE, ZL_HRESULT_FINAL,
    0 },
  { 0x112, "HCS_E_INVALID_LAYER", "ERROR_VMCOMPUTE_INVALID_LAYER", ZL_E_CORRUPT, ZL_HRESULT_FINAL,
    0 },
  { 0x113, "HCS_E_WINDOWS_INSIDER_REQUIRED", "ERROR_VMCOMPUTE_WINDOWS_INSIDER_REQUIRED",
    ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x114, "HCS_E_SERVICE_NOT_AVAILABLE", NULL, ZL_E_SYSTEM, ZL_HRESULT_SERVICE, 0 },
  { 0x115, "HCS_E_OPERATION_NOT_STARTED", NULL, ZL_E_INTERNAL, ZL_HRESULT_FINAL, 0 },
  { 0x116, "HCS_E_OPERATION_ALREADY_STARTED", NULL, ZL_E_INTERNAL, ZL_HRESULT_FINAL, 0 },
  { 0x117, "HCS_E_OPERATION_PENDING", NULL, ZL_E_INTERNAL, ZL_HRESULT_FINAL, 0 },
  { 0x118, "HCS_E_OPERATION_TIMEOUT", NULL, ZL_E_TIMEOUT, ZL_HRESULT_FINAL, 0 },
  { 0x119, "HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET", NULL, ZL_E_INTERNAL, ZL_HRESULT_FINAL,
    0 },
  { 0x11a, "HCS_E_OPERATION_RESULT_ALLOCATION_FAILED", NULL, ZL_E_NO_MEMORY, ZL_HRESULT_FINAL, 0 },
  { 0x11b, "HCS_E_ACCESS_DENIED", NULL, ZL_E_PERMISSION, ZL_HRESULT_FINAL, 0 },
  { 0x11c, "HCS_E_GUEST_CRITICAL_ERROR", NULL, ZL_E_SYSTEM, ZL_HRESULT_FINAL, 0 },
  { 0x11d, "HCS_E_PROCESS_INFO_NOT_AVAILABLE", NULL, ZL_E_INTERNAL, ZL_HRESULT_FINAL, 0 },
  { 0x11e, "HCS_E_SERVICE_DISCONNECT", NULL, ZL_E_REMOTE, ZL_HRESULT_SERVICE, 0 },
  { 0x11f, "HCS_E_PROCESS_ALREADY_STOPPED", NULL, ZL_E_CONFLICT, ZL_HRESULT_FINAL, SIGNAL | END },
};

/* By the whole HRESULT. */
static const struct other_row {
  uint32_t code;
  const char *name;
  enum zl_code error;
  enum zl_hresult_retry retry;
  unsigned done;
} other_rows[] = {
  { 0x80070002, "ERROR_FILE_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, 0 },
  { 0x80070003, "ERROR_PATH_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, 0 },
  { 0x80070005, "ERROR_ACCESS_DENIED", ZL_E_PERMISSION, ZL_HRESULT_FINAL, END },
  { 0x80070006, "ERROR_INVALID_HANDLE", ZL_E_CONFLICT, ZL_HRESULT_FINAL, 0 },
  { 0x8007000d, "ERROR_INVALID_DATA", ZL_E_CORRUPT, ZL_HRESULT_FINAL, 0 },
  { 0x8007000e, "ERROR_OUTOFMEMORY", ZL_E_NO_MEMORY, ZL_HRESULT_FINAL, 0 },
  { 0x80070015, "ERROR_NOT_READY", ZL_E_SYSTEM, ZL_HRESULT_SOON, 0 },
  { 0x80070020, "ERROR_SHARING_VIOLATION", ZL_E_CONFLICT, ZL_HRESULT_RELEASE, 0 },
  { 0x80070032, "ERROR_NOT_SUPPORTED", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x80070057, "E_INVALIDARG", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x8007007e, "ERROR_MOD_NOT_FOUND", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x8007007f, "ERROR_PROC_NOT_FOUND", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x8007048f, "ERROR_DEVICE_NOT_CONNECTED", ZL_E_SYSTEM, ZL_HRESULT_SOON, 0 },
  { 0x80070490, "ERROR_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, SIGNAL | END | DELETE },
  { 0x80070522, "ERROR_PRIVILEGE_NOT_HELD", ZL_E_PERMISSION, ZL_HRESULT_FINAL, 0 },
  { 0x8007052e, "ERROR_LOGON_FAILURE", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, 0 },
  { 0x800705aa, "ERROR_NO_SYSTEM_RESOURCES", ZL_E_LIMIT, ZL_HRESULT_FINAL, 0 },
  { 0x800705b4, "ERROR_TIMEOUT", ZL_E_TIMEOUT, ZL_HRESULT_FINAL, 0 },
  { 0x80071126, "ERROR_NOT_A_REPARSE_POINT", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x80004001, "E_NOTIMPL", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x80004005, "E_FAIL", ZL_E_SYSTEM, ZL_HRESULT_FINAL, 0 },
  { 0x803b0001, "HCN_E_NETWORK_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, DELETE },
  { 0x803b0002, "HCN_E_ENDPOINT_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, DELETE },
  { 0x803b0005, "HCN_E_SUBNET_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, 0 },
  { 0x803b0006, "HCN_E_ADAPTER_NOT_FOUND", ZL_E_NOT_FOUND, ZL_HRESULT_FINAL, 0 },
  { 0x803b000a, "HCN_E_INVALID_NETWORK", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x803b000c, "HCN_E_INVALID_ENDPOINT", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x803b000d, "HCN_E_INVALID_POLICY", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x803b0010, "HCN_E_NETWORK_ALREADY_EXISTS", ZL_E_CONFLICT, ZL_HRESULT_REPLACE, 0 },
  { 0x803b0013, "HCN_E_PORT_ALREADY_EXISTS", ZL_E_CONFLICT, ZL_HRESULT_FINAL, 0 },
  { 0x803b0014, "HCN_E_ENDPOINT_ALREADY_ATTACHED", ZL_E_CONFLICT, ZL_HRESULT_REPLACE, 0 },
  { 0x803b0015, "HCN_E_REQUEST_UNSUPPORTED", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x803b001b, "HCN_E_INVALID_JSON", ZL_E_UNSUPPORTED, ZL_HRESULT_FINAL, 0 },
  { 0x803b001e, "HCN_E_INVALID_IP", ZL_E_INVALID, ZL_HRESULT_FINAL, 0 },
  { 0x803b002b, "HCN_E_ENDPOINT_NAMESPACE_ALREADY_EXISTS", ZL_E_CONFLICT, ZL_HRESULT_REPLACE, 0 },
  { 0x803b002c, "HCN_E_ENTITY_HAS_REFERENCES", ZL_E_CONFLICT, ZL_HRESULT_FINAL, 0 },
  { 0x803b002e, "HCN_E_NAMESPACE_ATTACH_FAILED", ZL_E_CONFLICT, ZL_HRESULT_REPLACE, 0 },
  { 0x803b002f, "HCN_E_ADDR_INVALID_OR_RESERVED", ZL_E_NO_ADDRESS, ZL_HRESULT_REPLACE, 0 },
};

static void check_meaning(uint32_t hr, enum zl_code error, enum zl_hresult_retry retry,
                          unsigned done)
{
  assert_int_equal(zl_hresult_error(hr), error);
  assert_int_equal(zl_hresult_retry(hr), retry);
  for (unsigned call = SHUTDOWN; call <= DELETE; call <<= 1)
    assert_int_equal(zl_hresult_is_done(hr, (enum zl_hresult_call)call), (done & call) != 0);
}

/* The spelling with `name`, or that there is none. */
static void check_name(uint32_t hr, const char *name)
{
  char text[ZL_HRESULT_TEXT], expected[ZL_HRESULT_TEXT];

  if (name == NULL)
    assert_null(zl_hresult_find(hr));
  (void)snprintf(expected, sizeof(expected), name != NULL ? "%s (0x%08x)" : "%s0x%08x",
                 name != NULL ? name : "", (unsigned)hr);
  assert_string_equal(zl_hresult_format(hr, text), expected);
}

static void the_compute_service(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(hcs_rows); i++) {
    const struct hcs_row *row = &hcs_rows[i];

    check_name(0x80370000 | row->low, row->name);
    check_name(0xc0370000 | row->low, row->vmcompute);
    if (row->name != NULL)
      check_meaning(0x80370000 | row->low, row->error, row->retry, row->done);
    if (row->vmcompute != NULL)
      check_meaning(0xc0370000 | row->low, row->error, row->retry, row->done);
  }
}

/* virtdisk answers with Win32 codes, computecore with HRESULTs around them. */
static void windows_and_the_network(void **state)
{
  (void)state;
  for (size_t i = 0; i < ZL_COUNT(other_rows); i++) {
    const struct other_row *row = &other_rows[i];
    uint32_t low = row->code & 0xffff;

    check_name(row->code, row->name);
    check_meaning(row->code, row->error, row->retry, row->done);
    if ((row->code & 0xffff0000) != 0x80070000) {
      assert_int_equal(zl_hresult_fold(row->code), row->code);
      continue;
    }
    assert_int_equal(zl_hresult_fold(row->code), low);
    check_name(low, row->name);
    check_meaning(low, row->error, row->retry, row->done);
    check_meaning(0xc0070000 | low, row->error, row->retry, row->done);
  }
}

/* A row that is added is added here, too. */
static void no_row_is_untested(void **state)
{
  unsigned n = 0;

  (void)state;
  while (zl_hresult_at(n) != NULL)
    n++;
  assert_int_equal(n, ZL_COUNT(hcs_rows) + ZL_COUNT(other_rows));
  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < i; j++)
      assert_int_not_equal(zl_hresult_at(i)->code, zl_hresult_at(j)->code);
}

static void success_is_none_of_them(void **state)
{
  static const uint32_t successes[] = { 0, 1 /* S_FALSE */, 0x00263001 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(successes); i++) {
    assert_false(zl_hresult_failed(successes[i]));
    assert_int_equal(zl_hresult_error(successes[i]), ZL_OK);
    assert_true(zl_hresult_is_done(successes[i], ZL_HRESULT_SHUTDOWN));
    assert_null(zl_hresult_find(successes[i]));
  }
}

static void an_unknown_failure_is_final(void **state)
{
  char text[ZL_HRESULT_TEXT];

  (void)state;
  assert_true(zl_hresult_failed(0x8037ffff));
  check_meaning(0x8037ffff, ZL_E_SYSTEM, ZL_HRESULT_FINAL, 0);
  assert_string_equal(zl_hresult_format(0x8037ffff, text), "0x8037ffff");
}

static void only_win32_codes_are_folded(void **state)
{
  static const struct {
    uint32_t hr, folded;
  } rows[] = {
    { 0x80070020, 0x20 },
    { 0x00070020, 0x20 },
    { 0xc0070020, 0x20 },
    { 0x80370020, 0x80370020 },
    { 0x80270020, 0x80270020 },
    { 0x90070020, 0x90070020 },
    { 0x20, 0x20 },
    { 0, 0 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    assert_int_equal(zl_hresult_fold(rows[i].hr), rows[i].folded);
}

/* Guests write a signed number, some tools an unsigned one. */
static void numbers_of_replies(void **state)
{
  static const struct {
    int64_t number;
    uint32_t hr;
  } rows[] = {
    { -1070137075, 0xc037010d },
    { INT64_C(3224830221), 0xc037010d },
    { -2147024809, 0x80070057 },
    { 0, 0 },
    { INT32_MIN, 0x80000000 },
    { UINT32_MAX, 0xffffffff },
    { (int64_t)INT32_MIN - 1, 0x80004005 },
    { (int64_t)UINT32_MAX + 1, 0x80004005 },
    { INT64_MIN, 0x80004005 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    assert_int_equal(zl_hresult_of_number(rows[i].number), rows[i].hr);
}

static void a_failure_says_what_to_do(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hresult_fail(&err, 0xc0370102, "creating a machine"), -ZL_E_UNSUPPORTED);
  assert_string_equal(err.msg,
                      "creating a machine: ERROR_VMCOMPUTE_HYPERV_NOT_INSTALLED (0xc0370102): "
                      "enable the Hyper-V feature, on a virtual host nested virtualisation too");
  assert_int_equal((uint32_t)err.os_error, 0xc0370102);
  assert_int_equal(zl_hresult_fail(&err, 0x80371234, "x"), -ZL_E_SYSTEM);
  assert_string_equal(err.msg, "x: 0x80371234");
  assert_int_equal(zl_hresult_fail(NULL, 0x80070005, "x"), -ZL_E_PERMISSION);
  /* Success is no failure: who calls it with one has a bug. */
  assert_int_equal(zl_hresult_fail(&err, 0, "x"), -ZL_E_INTERNAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_compute_service),         cmocka_unit_test(windows_and_the_network),
    cmocka_unit_test(no_row_is_untested),          cmocka_unit_test(success_is_none_of_them),
    cmocka_unit_test(an_unknown_failure_is_final), cmocka_unit_test(only_win32_codes_are_folded),
    cmocka_unit_test(numbers_of_replies),          cmocka_unit_test(a_failure_says_what_to_do),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
