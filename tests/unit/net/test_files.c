/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "net/files.h"

#define ADDRESS UINT32_C(0x0ac80002)
#define GATEWAY UINT32_C(0x0ac80001)

static void hosts_name_the_container_and_its_neighbours(void **state)
{
  static const struct zl_hosts_entry others[] = { { "db", ADDRESS + 1 },
                                                  { "my_cache", ADDRESS + 2 } };
  static const char *const extra[] = { "host.zlayer:host-gateway", "a=1.2.3.4", "six:[fd00::1]",
                                       "seven:fd00::2", NULL };
  const struct zl_hosts hosts = { .hostname = "web.example",
                                  .address = ADDRESS,
                                  .gateway = GATEWAY,
                                  .extra = extra,
                                  .others = others,
                                  .n_others = 2 };
  zl_autofree char *text = NULL;

  (void)state;
  assert_int_equal(zl_files_hosts(&hosts, &text, NULL), 0);
  assert_string_equal(text, "127.0.0.1\tlocalhost\n"
                            "::1\tlocalhost ip6-localhost ip6-loopback\n"
                            "10.200.0.2\tweb.example web\n"
                            "10.200.0.3\tdb\n"
                            "10.200.0.4\tmy_cache\n"
                            "10.200.0.1\thost.zlayer\n"
                            "1.2.3.4\ta\n"
                            "fd00::1\tsix\n"
                            "fd00::2\tseven\n");
}

static void without_an_address_the_own_name_is_loopback(void **state)
{
  const struct zl_hosts hosts = { .hostname = "alone" };
  zl_autofree char *text = NULL;

  (void)state;
  assert_int_equal(zl_files_hosts(&hosts, &text, NULL), 0);
  assert_non_null(strstr(text, "\n127.0.0.1\talone\n"));
}

static void bad_hosts_are_refused(void **state)
{
  static const char *const bad[] = {
    "a",           "a:",           ":1.2.3.4",    "a:1.2.3",        "a:01.2.3.4",
    "a b:1.2.3.4", "a\nb:1.2.3.4", "a:1.2.3.4\n", "a:host-gateway", "-a:1.2.3.4",
    "a:[1.2.3.4"
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    const char *const extra[] = { bad[i], NULL };
    const struct zl_hosts hosts = { .hostname = "web", .extra = extra };
    struct zl_error err = { 0 };
    char *text = NULL;

    assert_int_equal(zl_files_hosts(&hosts, &text, &err), -ZL_E_INVALID);
    assert_null(text);
    assert_non_null(strstr(err.msg, "/etc/hosts"));
  }
}

static void resolv_takes_what_can_be_reached_of_the_host(void **state)
{
  const struct zl_resolv resolv = { .host = "# made by something\n"
                                            "nameserver 127.0.0.53\n"
                                            "nameserver\t10.0.0.2 \n"
                                            "nameserver fe80::1%eth0\n"
                                            "nameservers 9.9.9.9\n"
                                            "nameserver 10.0.0.3 # second\n"
                                            "search  example.org\tcorp.example\n"
                                            "options ndots:2 timeout:1\n"
                                            "sortlist 1.2.3.4" };
  zl_autofree char *text = NULL;

  (void)state;
  assert_int_equal(zl_files_resolv(&resolv, &text, NULL), 0);
  assert_string_equal(text, "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"
                            "search example.org corp.example\noptions ndots:2 timeout:1\n");
}

static void resolv_falls_back_to_public_servers(void **state)
{
  const struct zl_resolv stub = { .host = "nameserver 127.0.0.1\nnameserver ::1" }, none = { 0 };
  zl_autofree char *one = NULL, *two = NULL;

  (void)state;
  assert_int_equal(zl_files_resolv(&stub, &one, NULL), 0);
  assert_string_equal(one, "nameserver 1.1.1.1\nnameserver 8.8.8.8\n");
  assert_int_equal(zl_files_resolv(&none, &two, NULL), 0);
  assert_string_equal(two, one);
}

static void resolv_given_lists_win(void **state)
{
  static const char *const servers[] = { "127.0.0.1", "9.9.9.9", NULL };
  static const char *const search[] = { "svc.local", NULL };
  static const char *const none[] = { NULL };
  const struct zl_resolv resolv = {
    .servers = servers, .search = search, .options = none, .host = "nameserver 1.2.3.4\noptions a"
  };
  zl_autofree char *text = NULL;

  (void)state;
  assert_int_equal(zl_files_resolv(&resolv, &text, NULL), 0);
  assert_string_equal(text, "nameserver 127.0.0.1\nnameserver 9.9.9.9\nsearch svc.local\n");
}

static void bad_resolv_entries_are_refused(void **state)
{
  static const char *const server[] = { "1.2.3.4\nnameserver 6.6.6.6", NULL };
  static const char *const search[] = { "a b", NULL };
  const struct zl_resolv one = { .servers = server }, two = { .search = search };
  struct zl_error err = { 0 };
  char *text = NULL;

  (void)state;
  assert_int_equal(zl_files_resolv(&one, &text, &err), -ZL_E_INVALID);
  assert_int_equal(zl_files_resolv(&two, &text, &err), -ZL_E_INVALID);
  assert_null(text);
}

static void the_files_are_bounded(void **state)
{
  enum {
    MANY = 4096
  };
  static struct zl_hosts_entry others[MANY];
  struct zl_error err = { 0 };
  char *text = NULL;
  const struct zl_hosts hosts = { .hostname = "web", .others = others, .n_others = MANY };

  (void)state;
  for (size_t i = 0; i < MANY; i++)
    others[i] = (struct zl_hosts_entry){ "a-name-of-some-length", ADDRESS };
  assert_int_equal(zl_files_hosts(&hosts, &text, &err), -ZL_E_LIMIT);
  assert_null(text);
}

static void the_host_name_is_checked(void **state)
{
  zl_autofree char *text = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_files_hostname("web-1", &text, &err), 0);
  assert_string_equal(text, "web-1\n");
  assert_int_equal(zl_files_hostname("", &text, &err), -ZL_E_INVALID);
  assert_int_equal(zl_files_hostname("a\nb", &text, &err), -ZL_E_INVALID);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(hosts_name_the_container_and_its_neighbours),
    cmocka_unit_test(without_an_address_the_own_name_is_loopback),
    cmocka_unit_test(bad_hosts_are_refused),
    cmocka_unit_test(resolv_takes_what_can_be_reached_of_the_host),
    cmocka_unit_test(resolv_falls_back_to_public_servers),
    cmocka_unit_test(resolv_given_lists_win),
    cmocka_unit_test(bad_resolv_entries_are_refused),
    cmocka_unit_test(the_files_are_bounded),
    cmocka_unit_test(the_host_name_is_checked),
  };

  return cmocka_run_group_tests_name("net_files", tests, NULL, NULL);
}
