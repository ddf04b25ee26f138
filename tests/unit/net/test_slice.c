/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/ip4.h"
#include "net/slice.h"

static uint32_t ip(const char *text)
{
  uint32_t address = 0;

  assert_true(zl_ip4_parse(text, &address));
  return address;
}

static struct zl_slice slice_of(const char *text)
{
  struct zl_slice slice = { 0 };
  struct zl_error err = { 0 };

  assert_int_equal(zl_slice_parse(text, &slice, &err), 0);
  return slice;
}

static void addresses_are_parsed_strictly(void **state)
{
  static const char *const bad[] = { "",          "1",        "1.2.3",    "1.2.3.4.5",
                                     "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
                                     "1.2.3.-4",  "1..2.3",   "1.2.3.",   "1.2.3.0004",
                                     "0x1.2.3.4", "a.b.c.d" };
  char text[ZL_IP4_TEXT];
  uint32_t address;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_ip4_parse(bad[i], &address));
  assert_string_equal(zl_ip4_format(ip("255.0.10.1"), text), "255.0.10.1");
  assert_int_equal(ip("10.200.0.1"), 0x0ac80001);
}

static void a_slice_has_a_gateway_and_containers(void **state)
{
  struct zl_slice slice = slice_of("10.220.99.16/28");
  char text[ZL_SLICE_TEXT];

  (void)state;
  assert_int_equal(zl_slice_gateway(&slice), ip("10.220.99.17"));
  assert_int_equal(zl_slice_first(&slice), ip("10.220.99.18"));
  assert_int_equal(zl_slice_last(&slice), ip("10.220.99.30"));
  assert_int_equal(zl_slice_capacity(&slice), 13);
  assert_false(zl_slice_has(&slice, ip("10.220.99.17")));
  assert_true(zl_slice_has(&slice, ip("10.220.99.18")));
  assert_false(zl_slice_has(&slice, ip("10.220.99.31")));
  assert_string_equal(zl_slice_format(&slice, text), "10.220.99.16/28");
}

static void the_smallest_and_the_largest_slice(void **state)
{
  struct zl_slice small = slice_of("192.168.1.4/30"), large = slice_of("10.0.0.0/8");

  (void)state;
  assert_int_equal(zl_slice_capacity(&small), 1);
  assert_int_equal(zl_slice_first(&small), zl_slice_last(&small));
  assert_int_equal(zl_slice_capacity(&large), (1U << 24) - 3);
}

static void wrong_slices_are_refused(void **state)
{
  static const struct {
    const char *text, *says;
  } cases[] = {
    { "", "is not an IPv4 network" },
    { "10.0.0.0", "is not an IPv4 network" },
    { "10.0.0.0/", "is not an IPv4 network" },
    { "10.0.0.0/33", "is not an IPv4 network" },
    { "10.0.0.0/28x", "is not an IPv4 network" },
    { "fd00::/64", "is not an IPv4 network" },
    { "10.0.0.0/7", "/8 to /30" },
    { "10.0.0.0/31", "/8 to /30" },
    { "10.200.0.5/28", "use 10.200.0.0/28" },
    { "127.0.0.0/8", "reserved" },
    { "0.0.0.0/8", "reserved" },
    { "169.254.0.0/16", "reserved" },
    { "224.0.0.0/8", "reserved" },
    { "255.255.255.0/24", "reserved" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_error err = { 0 };
    struct zl_slice slice = { 0 };

    assert_int_equal(zl_slice_parse(cases[i].text, &slice, &err), -ZL_E_INVALID);
    assert_non_null(strstr(err.msg, cases[i].says));
    assert_int_equal(slice.prefix, 0);
  }
}

static void the_lowest_free_address_is_found(void **state)
{
  struct zl_slice slice = slice_of("10.220.99.16/28");
  uint32_t taken[16];

  (void)state;
  assert_int_equal(zl_slice_lowest_free(&slice, NULL, 0), ip("10.220.99.18"));
  for (uint32_t i = 0; i < 13; i++)
    taken[i] = ip("10.220.99.18") + i;
  assert_int_equal(zl_slice_lowest_free(&slice, taken, 12), ip("10.220.99.30"));
  assert_int_equal(zl_slice_lowest_free(&slice, taken, 13), 0);
  assert_int_equal(zl_slice_lowest_free(&slice, taken + 1, 12), ip("10.220.99.18"));
  taken[5] = taken[6]; /* .23 is free; one appears twice */
  assert_int_equal(zl_slice_lowest_free(&slice, taken, 13), ip("10.220.99.23"));
}

static void addresses_of_other_slices_do_not_count(void **state)
{
  struct zl_slice slice = slice_of("10.220.99.16/28");
  const uint32_t taken[] = { ip("1.2.3.4"), ip("10.220.99.17"), ip("10.220.99.18"),
                             ip("10.220.99.99") };

  (void)state;
  assert_int_equal(zl_slice_lowest_free(&slice, taken, ZL_COUNT(taken)), ip("10.220.99.19"));
}

static void overlaps_are_seen_both_ways(void **state)
{
  struct zl_slice slice = slice_of("10.200.0.16/28");

  (void)state;
  assert_true(zl_slice_overlaps(&slice, ip("10.200.0.5"), 16));
  assert_true(zl_slice_overlaps(&slice, ip("10.200.0.20"), 32));
  assert_true(zl_slice_overlaps(&slice, ip("10.200.0.16"), 28));
  assert_true(zl_slice_overlaps(&slice, 0, 0));
  assert_false(zl_slice_overlaps(&slice, ip("10.200.0.15"), 32));
  assert_false(zl_slice_overlaps(&slice, ip("10.200.0.32"), 28));
  assert_false(zl_slice_overlaps(&slice, ip("10.201.0.0"), 16));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(addresses_are_parsed_strictly),
    cmocka_unit_test(a_slice_has_a_gateway_and_containers),
    cmocka_unit_test(the_smallest_and_the_largest_slice),
    cmocka_unit_test(wrong_slices_are_refused),
    cmocka_unit_test(the_lowest_free_address_is_found),
    cmocka_unit_test(addresses_of_other_slices_do_not_count),
    cmocka_unit_test(overlaps_are_seen_both_ways),
  };

  return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
