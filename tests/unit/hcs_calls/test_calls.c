/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts below a container: types of Windows, the table of functions, events, layers, scratch
 * layers, documents and calls of the network service.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake_host.h"

#include "base/json.h"
#include "base/time.h"
#include "image/oscompat.h"
#include "net/win32/hcn.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/mail.h"
#include "runtime/hcs/scratch.h"
#include "runtime/hcs/statistics.h"
#include "runtime/hcs/undo.h"
#include "runtime/hcs/zone.h"

static const struct fake_options plain;
static char *const layers[] = { (char *)(uintptr_t) "C:\\layers\\top",
                                (char *)(uintptr_t) "C:\\layers\\base" };

/* ---- Types ---- */

static void guids_are_read_and_written(void **state)
{
  static const char text[] = "40000001-facb-11e6-bd58-64006a7986d3";
  static const char *const bad[] = { "",
                                     "40000001-facb-11e6-bd58-64006a7986d",
                                     "40000001facb-11e6-bd58-64006a7986d3x",
                                     "4000000g-facb-11e6-bd58-64006a7986d3",
                                     "{40000001-facb-11e6-bd58-64006a7986d3",
                                     "40000001-facb-11e6-bd58-64006a7986d3}" };
  const uint8_t raw[] = { 1,    0,    0,    0x40, 0xcb, 0xfa, 0xe6, 0x11,
                          0xbd, 0x58, 0x64, 0,    0x6a, 0x79, 0x86, 0xd3 };
  char again[ZL_GUID_CHARS];
  struct zl_guid guid, same = { 7, 7, 7, { 7 } };

  (void)state;
  assert_true(zl_guid_parse(text, &guid));
  assert_memory_equal(&guid, raw, sizeof(raw));
  assert_string_equal(zl_guid_format(&guid, again), text);
  assert_true(zl_guid_parse("{40000001-FACB-11E6-BD58-64006A7986D3}", &same));
  assert_memory_equal(&guid, &same, sizeof(guid));
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_false(zl_guid_parse(bad[i], &same));
  assert_memory_equal(&guid, &same, sizeof(guid));
}

static void guids_of_names_stay_apart(void **state)
{
  const char *ab_c[] = { "ab", "c", NULL }, *a_bc[] = { "a", "bc", NULL };
  struct zl_guid one, two, again;

  (void)state;
  zl_guid_of(ab_c, &one);
  zl_guid_of(a_bc, &two);
  zl_guid_of(ab_c, &again);
  assert_memory_equal(&one, &again, sizeof(one));
  assert_memory_not_equal(&one, &two, sizeof(one));
  assert_int_equal(one.data3 >> 12, 8);
  assert_int_equal(one.data4[0] >> 6, 2);
  assert_int_equal(zl_guid_random(&one, NULL), 0);
  assert_int_equal(one.data3 >> 12, 4);
}

static void texts_become_utf16_and_back(void **state)
{
  static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
  static const zl_wchar expected[] = { 'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0 };
  static const zl_wchar alone[] = { 0xd83d, 'x', 0xde00, 0 };
  static const char *const bad[] = { "\xff",         "\xc3",     "\xe2\x82",
                                     "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80",
                                     "\x80" };
  zl_autofree zl_wchar *wide = NULL;
  zl_autofree char *back = NULL, *replaced = NULL, *none = NULL;
  zl_wchar *unused = NULL;

  (void)state;
  assert_int_equal(zl_wide_new(text, &wide, NULL), 0);
  assert_memory_equal(wide, expected, sizeof(expected));
  assert_int_equal(zl_wide_text(wide, 100, &back, NULL), 0);
  assert_string_equal(back, text);
  assert_int_equal(zl_wide_text(wide, 2, &none, NULL), -ZL_E_LIMIT);
  assert_int_equal(zl_wide_text(alone, 100, &replaced, NULL), 0);
  assert_string_equal(replaced, "\xef\xbf\xbdx\xef\xbf\xbd");
  assert_int_equal(zl_wide_text(NULL, 100, &none, NULL), 0);
  assert_string_equal(none, "");
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_int_equal(zl_wide_new(bad[i], &unused, NULL), -ZL_E_INVALID);
}

/* ---- The table ---- */

struct host {
  const char *lacks;
  unsigned asked, of_system32;
};

static void *find(void *ctx, const char *library, const char *name)
{
  static const char *const libraries[] = {
    "computecore.dll", "vmcompute.dll", "computestorage.dll", "computenetwork.dll", "virtdisk.dll",
    "kernel32.dll",    "ntdll.dll",     "ole32.dll",          "ws2_32.dll",         "advapi32.dll"
  };
  struct host *host = ctx;

  host->asked++;
  for (size_t i = 0; i < ZL_COUNT(libraries); i++)
    host->of_system32 += strcmp(library, libraries[i]) == 0;
  return strcmp(name, host->lacks) == 0 ? NULL : host;
}

static void functions_are_looked_up(void **state)
{
  struct host host = { .lacks = "HcsWaitForProcessExit" };
  const struct zl_hcs_resolver resolver = { find, &host };
  struct zl_hcs_api api;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hcs_api_resolve(&resolver, &api, &err), 0);
  assert_true(host.asked > 100);
  assert_int_equal(host.of_system32, host.asked);
  assert_null(api.HcsWaitForProcessExit);
  assert_non_null(api.HcsWaitForComputeSystemExit);
  assert_non_null(api.hv.accept);
  assert_non_null(api.hcn.CoTaskMemFree);
  for (size_t i = 0; i < sizeof(api) / sizeof(void *); i++)
    assert_true(((void *const *)(const void *)&api)[i] != NULL ||
                &((void *const *)(const void *)&api)[i] ==
                    (void *const *)(const void *)&api.HcsWaitForProcessExit);
  host.lacks = "HcnCreateEndpoint";
  assert_int_equal(zl_hcs_api_resolve(&resolver, &api, &err), -ZL_E_UNSUPPORTED);
  assert_non_null(strstr(err.msg, "no HcnCreateEndpoint in computenetwork.dll"));
}

static int32_t get_version(struct zl_win_version *version)
{
  assert_int_equal(version->size, 276);
  version->major = 10;
  version->build = 20348;
  return 0;
}

static int32_t get_no_version(struct zl_win_version *version)
{
  (void)version;
  return (int32_t)0xc000000d;
}

static void the_host_tells_its_version(void **state)
{
  struct zl_hcs_api api = { .RtlGetVersion = get_version };
  struct zl_os_version version;
  char text[ZL_OS_VERSION_TEXT];

  (void)state;
  assert_int_equal(zl_hcs_host_version(&api, &version, NULL), 0);
  assert_string_equal(zl_os_version_format(&version, text), "10.0.20348");
  api.RtlGetVersion = get_no_version;
  assert_int_equal(zl_hcs_host_version(&api, &version, NULL), -ZL_E_SYSTEM);
}

/* ---- Events ---- */

static void event(void *context, uint32_t type, const char *text)
{
  zl_autofree zl_wchar *data = NULL;
  struct zl_hcs_event one = { .type = type };

  assert_int_equal(zl_wide_new(text, &data, NULL), 0);
  one.data = data;
  zl_hcs_mail_event(&one, context);
}

static void events_find_their_box(void **state)
{
  struct zl_hcs_mail one, two, process;
  void *of_one;
  char *text;

  (void)state;
  zl_hcs_mail_open(&one);
  zl_hcs_mail_open(&two);
  zl_hcs_mail_open(&process);
  process.of = &one;
  of_one = zl_hcs_mail_context(&one);
  assert_ptr_not_equal(of_one, (void *)&one);
  event(of_one, 4, "{}"); /* a remote desktop's: nobody's business */
  assert_int_equal(zl_hcs_mail_wait(&one, UINT32_MAX, 0), 0);
  event(of_one, ZL_HCS_EVENT_SYSTEM_EXITED, "{\"Status\":0}");
  event(of_one, ZL_HCS_EVENT_SYSTEM_EXITED, "{\"Status\":1}");
  assert_int_equal(zl_hcs_mail_wait(&one, UINT32_MAX, UINT64_MAX), ZL_HCS_MAIL_EXITED);
  text = zl_hcs_mail_exit(&one);
  assert_string_equal(text, "{\"Status\":0}");
  free(text);
  assert_int_equal(zl_hcs_mail_wait(&two, UINT32_MAX, zl_time_boot() + ZL_NS_PER_MS), 0);
  assert_int_equal(zl_hcs_mail_wait(&process, UINT32_MAX, 0), ZL_HCS_MAIL_SYSTEM_GONE);
  zl_hcs_mail_close(&one);
  event(of_one, ZL_HCS_EVENT_SYSTEM_EXITED, "{}"); /* too late: there is no box of that number */
  zl_hcs_mail_close(&one);
  zl_hcs_mail_close(&two);
  zl_hcs_mail_close(&process);
}

/* ---- Undoing ---- */

struct step {
  char *log;
  char name;
  int fails; /* so many times */
};

static int undo_step(void *ctx, struct zl_error *err)
{
  struct step *step = ctx;
  char text[2] = { step->name, '\0' };

  (void)strcat(step->log, text);
  return step->fails-- > 0 ? zl_fail(err, ZL_E_CONFLICT, 0, "%c is stuck", step->name) : 0;
}

static void steps_are_undone_in_reverse(void **state)
{
  char log[32] = "";
  struct step a = { log, 'a', 0 }, b = { log, 'b', 1 }, c = { log, 'c', 1 }, d = { log, 'd', 0 };
  struct zl_undo undo = { .count = 0 };
  struct zl_error err = { 0 };

  (void)state;
  zl_undo_push(&undo, "A", undo_step, &a);
  zl_undo_push(&undo, "B", undo_step, &b);
  zl_undo_push(&undo, "C", undo_step, &c);
  zl_undo_push(&undo, "D", undo_step, &d);
  assert_int_equal(zl_undo_back(&undo, 1, &err), -ZL_E_CONFLICT);
  assert_string_equal(log, "dcb");
  assert_string_equal(err.msg, "removing its C: c is stuck");
  assert_int_equal(zl_undo_back(&undo, 0, &err), 0);
  assert_string_equal(log, "dcbcba");
  assert_int_equal(undo.count, 0);
}

/* ---- Layers ---- */

static void a_chain_has_its_guids(void **state)
{
  const struct zl_hcs_api *api = fake_start(&plain);
  struct zl_wclayer_chain *chain = NULL;
  char *const relative[] = { (char *)(uintptr_t) "layers\\top" };
  char guid[ZL_GUID_CHARS];

  (void)state;
  assert_int_equal(zl_wclayer_chain_new(api, layers, 2, &chain, NULL), 0);
  assert_int_equal(chain->count, 2);
  assert_string_equal(chain->layers[0].path, "C:\\layers\\top");
  assert_string_equal(chain->layers[0].id, zl_guid_format(&chain->descriptors[0].id, guid));
  assert_int_equal(chain->descriptors[0].path[0], '\\'); /* \\?\ */
  assert_int_equal(chain->descriptors[0].path[2], '?');
  zl_wclayer_chain_free(chain);
  assert_int_equal(zl_wclayer_chain_new(api, layers, 0, &chain, NULL), -ZL_E_LIMIT);
  assert_int_equal(zl_wclayer_chain_new(api, relative, 1, &chain, NULL), -ZL_E_INVALID);
  fake_stop();
}

static void scratch_of(const struct zl_hcs_api *api, bool mount, struct zl_wclayer_chain **chain,
                       struct zl_hcs_scratch *ret)
{
  struct zl_hcs_scratch_options options = { .path = "C:\\box\\scratch", .mount = mount };

  assert_int_equal(zl_wclayer_chain_new(api, layers, 2, chain, NULL), 0);
  options.chain = *chain;
  assert_int_equal(zl_hcs_scratch_create(api, &options, ret, NULL), 0);
}

static void scratch_done(struct zl_hcs_scratch *scratch, struct zl_wclayer_chain *chain)
{
  assert_string_equal(fake_leaks(), "");
  zl_hcs_scratch_done(scratch);
  zl_wclayer_chain_free(chain);
  fake_stop();
}

/* The acceptance source's two ways to create one: prepared on the host, and not even activated. */
static void scratch_layers_come_in_two_ways(void **state)
{
  struct zl_wclayer_chain *chain = NULL;
  struct zl_hcs_scratch scratch = { 0 };

  (void)state;
  scratch_of(fake_start(&plain), true, &chain, &scratch);
  assert_string_equal(scratch.volume, "\\\\?\\Volume{4d4f2b1c-0d2e-4a3f-8b5c-6d7e8f901234}\\");
  assert_int_equal(fake_count_of("CreateSandboxLayer"), 1);
  assert_int_equal(fake_count_of("ActivateLayer"), 1);
  assert_int_equal(fake_count_of("PrepareLayer"), 1);
  assert_int_equal(zl_hcs_scratch_remove(&scratch, NULL), 0);
  assert_int_equal(zl_hcs_scratch_remove(&scratch, NULL), 0);
  assert_int_equal(fake_count_of("DestroyLayer"), 1);
  scratch_done(&scratch, chain);

  scratch_of(fake_start(&plain), false, &chain, &scratch);
  assert_null(scratch.volume);
  assert_int_equal(fake_count_of("CreateSandboxLayer"), 1);
  assert_int_equal(fake_count_of("ActivateLayer"), 0);
  assert_int_equal(fake_count_of("GetLayerMountPath"), 0);
  assert_int_equal(zl_hcs_scratch_remove(&scratch, NULL), 0);
  assert_int_equal(fake_count_of("UnprepareLayer"), 0);
  assert_int_equal(fake_count_of("DeactivateLayer"), 0);
  scratch_done(&scratch, chain);
}

/* Teardown attempts each step, and tells the first error. */
static void a_scratch_layer_is_removed_whatever_fails(void **state)
{
  static const char *const steps[] = { "UnprepareLayer", "DeactivateLayer", "DestroyLayer" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(steps); i++) {
    struct zl_wclayer_chain *chain = NULL;
    struct zl_hcs_scratch scratch = { 0 };
    struct zl_error err = { 0 };

    scratch_of(fake_start(&plain), true, &chain, &scratch);
    fake_fail(steps[i], 1, 0x80004005);
    assert_int_equal(zl_hcs_scratch_remove(&scratch, &err), -ZL_E_SYSTEM);
    assert_non_null(strstr(err.msg, steps[i]));
    for (size_t j = 0; j < ZL_COUNT(steps); j++)
      assert_true(fake_count_of(steps[j]) > 0);
    assert_int_equal(zl_hcs_scratch_remove(&scratch, NULL), 0);
    scratch_done(&scratch, chain);
  }
}

static void a_failed_scratch_layer_leaves_nothing(void **state)
{
  static const char *const steps[] = { "CreateDirectoryW",  "CreateSandboxLayer",
                                       "ExpandSandboxSize", "ActivateLayer",
                                       "PrepareLayer",      "GetLayerMountPath" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(steps); i++) {
    const struct zl_hcs_api *api = fake_start(&plain);
    struct zl_wclayer_chain *chain = NULL;
    struct zl_hcs_scratch_options options = { .path = "C:\\box\\scratch",
                                              .bytes = 1 << 30,
                                              .mount = true };
    struct zl_hcs_scratch scratch = { 0 };
    struct zl_error err = { 0 };

    assert_int_equal(zl_wclayer_chain_new(api, layers, 2, &chain, NULL), 0);
    options.chain = chain;
    fake_fail(steps[i], 1, 0x80070005);
    assert_int_equal(zl_hcs_scratch_create(api, &options, &scratch, &err), -ZL_E_PERMISSION);
    assert_string_equal(fake_leaks(), "");
    assert_null(scratch.path);
    zl_wclayer_chain_free(chain);
    fake_stop();
  }
}

static void time_zones_have_long_names(void **state)
{
  struct zl_hcs_zone zone;

  (void)state;
  assert_int_equal(zl_hcs_zone_of(fake_start(&plain), &zone, NULL), 0);
  assert_int_equal(strlen(zone.zone.standard_name), 32); /* the last character of it has no NUL */
  assert_int_equal(zone.zone.bias, -60);
  assert_int_equal(zone.zone.standard_date.month, 10);
  fake_stop();
}

static void statistics_are_read(void **state)
{
  static const char text[] =
      "{\"Statistics\":{\"Timestamp\":\"2026-11-29T04:05:06.7Z\",\"Processor\":"
      "{\"TotalRuntime100ns\":9223372036854775807,\"RuntimeKernel100ns\":3},"
      "\"Memory\":{\"MemoryUsagePrivateWorkingSetBytes\":8589934592},"
      "\"Storage\":{\"ReadSizeBytes\":5,\"WriteSizeBytes\":6}}}";
  zl_autojson *json = json_loads(text, 0, NULL), *wrong = json_pack("{s:i}", "Statistics", 1);
  zl_autojson *empty = json_object();
  struct zl_stats stats;

  (void)state;
  assert_int_equal(zl_hcs_parse_statistics(json, &stats, NULL), 0);
  assert_true(stats.cpu_usage_ns == INT64_MAX);
  assert_int_equal(stats.cpu_system_ns, 300);
  assert_true(stats.memory_bytes == UINT64_C(8589934592));
  assert_int_equal(stats.block_read_bytes, 5);
  assert_int_equal(stats.block_write_bytes, 6);
  assert_true(stats.time_ns == UINT64_C(1795925106700000000));
  assert_int_equal(zl_hcs_parse_statistics(wrong, &stats, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_hcs_parse_statistics(empty, &stats, NULL), -ZL_E_INVALID);
}

/* ---- The network service ---- */

#define V2 "\"SchemaVersion\":{\"Major\":2,\"Minor\":0}"

static void check_text(json_t *document, const char *expected)
{
  zl_autojson *owned = document;
  zl_autofree char *text = NULL;

  assert_int_equal(zl_json_render(owned, &text, NULL), 0);
  assert_string_equal(text, expected);
}

static void network_documents(void **state)
{
  const struct zl_hcn_network_spec network = { "zlayer-1a2b3c4d", "10.220.99.16/28",
                                               "10.220.99.17" };
  static const char *const servers[] = { "10.220.99.17", NULL }, *const search[] = { "shop", NULL };
  const struct zl_hcn_port ports[] = { { NULL, 8080, 80, false },
                                       { "192.0.2.1", 53, 5353, true },
                                       { "0.0.0.0", 1, 2, false } };
  struct zl_hcn_endpoint_spec endpoint = { .name = "zlayer-1a2b3c4d-web-rep-1",
                                           .network = "5be5cfd8-0000-4000-8000-000000000001",
                                           .address = "10.220.99.18",
                                           .gateway = "10.220.99.17",
                                           .prefix = 28 };
  json_t *document = NULL;

  (void)state;
  assert_int_equal(zl_hcn_doc_network(&network, &document, NULL), 0);
  check_text(document,
             "{\"Name\":\"zlayer-1a2b3c4d\",\"Type\":\"NAT\",\"Ipams\":[{\"Type\":\"Static\","
             "\"Subnets\":[{\"IpAddressPrefix\":\"10.220.99.16/28\",\"Routes\":[{\"NextHop\":"
             "\"10.220.99.17\",\"DestinationPrefix\":\"0.0.0.0/0\"}]}]}]," V2 "}");
  assert_int_equal(zl_hcn_doc_endpoint(&endpoint, &document, NULL), 0);
  check_text(document,
             "{\"Name\":\"zlayer-1a2b3c4d-web-rep-1\",\"HostComputeNetwork\":"
             "\"5be5cfd8-0000-4000-8000-000000000001\",\"IpConfigurations\":[{\"IpAddress\":"
             "\"10.220.99.18\",\"PrefixLength\":28}],\"Routes\":[{\"NextHop\":\"10.220.99.17\","
             "\"DestinationPrefix\":\"0.0.0.0/0\"}]," V2 "}");
  endpoint.dns_servers = servers;
  endpoint.search = search;
  endpoint.ports = ports;
  endpoint.n_ports = ZL_COUNT(ports);
  assert_int_equal(zl_hcn_doc_endpoint(&endpoint, &document, NULL), 0);
  check_text(document,
             "{\"Name\":\"zlayer-1a2b3c4d-web-rep-1\",\"HostComputeNetwork\":"
             "\"5be5cfd8-0000-4000-8000-000000000001\",\"Policies\":["
             "{\"Type\":\"PortMapping\",\"Settings\":{\"Protocol\":6,\"InternalPort\":80,"
             "\"ExternalPort\":8080}},{\"Type\":\"PortMapping\",\"Settings\":{\"Protocol\":17,"
             "\"InternalPort\":5353,\"ExternalPort\":53,\"VIP\":\"192.0.2.1\"}},{\"Type\":"
             "\"PortMapping\",\"Settings\":{\"Protocol\":6,\"InternalPort\":2,\"ExternalPort\":1}}"
             "],\"IpConfigurations\":[{\"IpAddress\":\"10.220.99.18\",\"PrefixLength\":28}],"
             "\"Dns\":{\"Search\":[\"shop\"],\"ServerList\":[\"10.220.99.17\"]},\"Routes\":["
             "{\"NextHop\":\"10.220.99.17\",\"DestinationPrefix\":\"0.0.0.0/0\"}]," V2 "}");
  assert_int_equal(zl_hcn_doc_namespace(&document, NULL), 0);
  check_text(document, "{" V2 "}");
  assert_int_equal(
      zl_hcn_doc_attach("5be5cfd8-0000-4000-8000-000000000001", false, &document, NULL), 0);
  check_text(document, "{\"ResourceType\":\"Endpoint\",\"RequestType\":\"Remove\",\"Settings\":"
                       "{\"EndpointId\":\"5be5cfd8-0000-4000-8000-000000000001\"}}");
  assert_int_equal(zl_hcn_doc_query(&document, NULL), 0);
  check_text(document, "{" V2 ",\"Flags\":0}");
  endpoint.name = "\xff";
  assert_int_equal(zl_hcn_doc_endpoint(&endpoint, &document, NULL), -ZL_E_INVALID);
}

static const struct zl_hcn_api *usual;
static int too_early; /* so many times the network is not there yet */

static zl_hr open_too_early(const struct zl_guid *id, void **ret, zl_wchar **error)
{
  return too_early-- > 0 ? 0x803b0001U : usual->HcnOpenNetwork(id, ret, error);
}

/* Two shims may both find none. */
static void a_network_made_meanwhile_is_used(void **state)
{
  const struct zl_hcn_network_spec network = { "zlayer-1a2b3c4d", "10.220.99.16/28",
                                               "10.220.99.17" };
  struct zl_hcn_api api;
  const struct zl_hcn hcn = { &api, zl_hresult_fail };
  struct zl_hcn_ids ids;
  struct zl_error err = { 0 };

  (void)state;
  usual = &fake_start(&plain)->hcn;
  api = *usual;
  api.HcnOpenNetwork = open_too_early;
  too_early = 0;
  zl_hcn_ids_of(&network, "web-rep-1", &ids);
  assert_int_equal(zl_hcn_network_ensure(&hcn, &network, &ids.network, NULL), 0);
  too_early = 1;
  assert_int_equal(zl_hcn_network_ensure(&hcn, &network, &ids.network, &err), 0);
  too_early = 2; /* one of that name by another's guid */
  assert_int_equal(zl_hcn_network_ensure(&hcn, &network, &ids.network, &err), -ZL_E_CONFLICT);
  assert_non_null(strstr(err.msg, "HcnCreateNetwork"));
  assert_int_equal(zl_hcn_network_remove(&hcn, &ids.network, NULL), 0);
  assert_string_equal(fake_leaks(), "");
  fake_stop();
}

static void a_network_is_made_once(void **state)
{
  const struct zl_hcn hcn = { &fake_start(&plain)->hcn, zl_hresult_fail };
  const struct zl_hcn_network_spec network = { "zlayer-1a2b3c4d", "10.220.99.16/28",
                                               "10.220.99.17" };
  struct zl_hcn_ids ids, other;
  struct zl_error err = { 0 };
  json_t *unused = NULL;

  (void)state;
  zl_hcn_ids_of(&network, "web-rep-1", &ids);
  zl_hcn_ids_of(&network, "web-rep-2", &other);
  assert_memory_equal(&ids.network, &other.network, sizeof(ids.network));
  assert_memory_not_equal(&ids.endpoint, &other.endpoint, sizeof(ids.endpoint));
  assert_memory_not_equal(&ids.endpoint, &ids.space, sizeof(ids.endpoint));
  assert_int_equal(zl_hcn_network_ensure(&hcn, &network, &ids.network, NULL), 0);
  assert_int_equal(zl_hcn_network_ensure(&hcn, &network, &ids.network, NULL), 0);
  assert_int_equal(fake_count_of("HcnCreateNetwork"), 1);
  assert_int_equal(zl_hcn_endpoint_query(&hcn, &ids.endpoint, &unused, &err), -ZL_E_NOT_FOUND);
  assert_non_null(strstr(err.msg, "it was told to")); /* the service's own record */
  assert_int_equal(zl_hcn_detach(&hcn, &ids, NULL), 0);
  assert_int_equal(zl_hcn_endpoint_remove(&hcn, &ids.endpoint, NULL), 0);
  assert_int_equal(zl_hcn_network_remove(&hcn, &ids.network, NULL), 0);
  assert_int_equal(zl_hcn_network_remove(&hcn, &ids.network, NULL), 0);
  assert_string_equal(fake_leaks(), "");
  fake_stop();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(guids_are_read_and_written),
    cmocka_unit_test(guids_of_names_stay_apart),
    cmocka_unit_test(texts_become_utf16_and_back),
    cmocka_unit_test(functions_are_looked_up),
    cmocka_unit_test(the_host_tells_its_version),
    cmocka_unit_test(events_find_their_box),
    cmocka_unit_test(steps_are_undone_in_reverse),
    cmocka_unit_test(a_chain_has_its_guids),
    cmocka_unit_test(scratch_layers_come_in_two_ways),
    cmocka_unit_test(a_scratch_layer_is_removed_whatever_fails),
    cmocka_unit_test(a_failed_scratch_layer_leaves_nothing),
    cmocka_unit_test(time_zones_have_long_names),
    cmocka_unit_test(statistics_are_read),
    cmocka_unit_test(network_documents),
    cmocka_unit_test(a_network_is_made_once),
    cmocka_unit_test(a_network_made_meanwhile_is_used),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
