/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks, endpoints and namespaces.
 */
#include "harness.h"

static const GUID net_id = { 0x11111111, 0x1111, 0x4111, { 0x81, 1, 1, 1, 1, 1, 1, 1 } };
static const GUID end_id = { 0x22222222, 0x2222, 0x4222, { 0x82, 2, 2, 2, 2, 2, 2, 2 } };
static const GUID other_id = { 0x33333333, 0x3333, 0x4333, { 0x83, 3, 3, 3, 3, 3, 3, 3 } };
static const GUID space_id = { 0x44444444, 0x4444, 0x4444, { 0x84, 4, 4, 4, 4, 4, 4, 4 } };

static const char network_text[] =
    "{\"Name\":\"zl\",\"Type\":\"%s\",\"Ipams\":[{\"Type\":\"Static\",\"Subnets\":[{"
    "\"IpAddressPrefix\":"
    "\"10.220.99.16/28\",\"Routes\":[{\"NextHop\":\"10.220.99.17\",\"DestinationPrefix\":\"0.0.0.0/"
    "0\"}]}]}],"
    "\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}";

/* The record has to be there with a failure, and only then. */
static uint32_t with_record(uint32_t hr, wchar_t **record)
{
  json_t *error = json_of(*record, false);

  OK((error != NULL) == ((hr & 0x80000000) != 0));
  if (error != NULL)
    IS((uint32_t)json_integer_value(json_object_get(error, "ErrorCode")), hr);
  json_decref(error);
  return hr;
}

static void *make_network(const char *type)
{
  void *network = NULL;
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnCreateNetwork)(&net_id, w(network_text, type), &network, &record);

  IS(with_record(hr, &record), 0);
  return network;
}

static void drop_network(void *network)
{
  wchar_t *record = NULL;

  IS(CALL(HcnCloseNetwork)(network), 0);
  IS(with_record(CALL(HcnDeleteNetwork)(&net_id, &record), &record), 0);
}

static uint32_t make_endpoint(void *network, const GUID *id, const char *more)
{
  void *endpoint = NULL;
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnCreateEndpoint)(
      network, id, w("{\"Name\":\"e\"%s,\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}", more),
      &endpoint, &record);

  (void)with_record(hr, &record);
  if (hr == 0)
    IS(CALL(HcnCloseEndpoint)(endpoint), 0);
  return hr;
}

static uint32_t drop_endpoint(const GUID *id)
{
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnDeleteEndpoint)(id, &record);

  return with_record(hr, &record);
}

static void *make_namespace(void)
{
  void *space = NULL;
  wchar_t *record = NULL;

  IS(CALL(HcnCreateNamespace)(&space_id, L"{\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}", &space,
                              &record),
     0);
  return space;
}

static uint32_t change(void *space, const char *kind, const char *endpoint)
{
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnModifyNamespace)(space,
                                         w("{\"ResourceType\":\"Endpoint\",\"RequestType\":\"%s\","
                                           "\"Settings\":{\"EndpointId\":\"%s\"}}",
                                           kind, endpoint),
                                         &record);

  return with_record(hr, &record);
}

static uint32_t drop_namespace(void)
{
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnDeleteNamespace)(&space_id, &record);

  return with_record(hr, &record);
}

static const char end_text[] = "22222222-2222-4222-8202-020202020202";

/* ---- Networks -------------------------------------------------------------------------------- */

static uint32_t network_refused(const char *text)
{
  void *network = NULL;
  wchar_t *record = NULL;
  uint32_t hr = CALL(HcnCreateNetwork)(&other_id, w("%s", text), &network, &record);

  OK(network == NULL);
  return with_record(hr, &record);
}

static void networks_are_checked(void)
{
  void *network = make_network("NAT"), *again = NULL;
  wchar_t *text = NULL, *record = NULL;
  json_t *answer;

  IS(network_refused("{\"Colour\":1,\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"), 0x803b001b);
  IS(network_refused("{\"Name\":\"x\"}"), 0x803b001b);
  IS(network_refused("{\"Name\":\"zl\",\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"), 0x803b0010);
  IS(network_refused(
         "{\"Name\":\"x\",\"Ipams\":[{\"Subnets\":[{\"IpAddressPrefix\":\"10.0.0.0/24\"}]}],"
         "\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"),
     0x803b000a);
  IS(network_refused(
         "{\"Name\":\"x\",\"Type\":\"L2Bridge\",\"Policies\":[{\"Type\":\"NetAdapterName\","
         "\"Settings\":{\"NetworkAdapterName\":\"Wi-Fi\"}}],"
         "\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}"),
     0x803b0006);
  IS(CALL(HcnQueryNetworkProperties)(network, L"", &text, &record), 0);
  answer = json_of(text, false);
  OK(json_object_get(answer, "Type") == NULL); /* NAT is what is left out */
  json_decref(answer);
  IS(with_record(CALL(HcnOpenNetwork)(&other_id, &again, &record), &record), 0x803b0001);
  drop_network(network);
}

static void networks_are_found_by_name(void)
{
  void *network = make_network("NAT");
  wchar_t *text = NULL, *record = NULL;
  json_t *list;

  IS(CALL(HcnEnumerateNetworks)(
         L"{\"SchemaVersion\":{\"Major\":2,\"Minor\":0},\"Flags\":0,\"Filter\":"
         L"\"{\\\"Name\\\":\\\"zl\\\"}\"}",
         &text, &record),
     0);
  list = json_of(text, false);
  IS(json_array_size(list), 1);
  json_decref(list);
  IS(CALL(HcnEnumerateNetworks)(L"{\"Filter\":\"{\\\"Name\\\":\\\"other\\\"}\"}", &text, &record),
     0);
  list = json_of(text, false);
  IS(json_array_size(list), 0);
  json_decref(list);
  drop_network(network);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

#define ADDRESS(a, bits) \
  ",\"IpConfigurations\":[{\"IpAddress\":\"" a "\",\"PrefixLength\":" bits "}]"

static void addresses_are_reserved(void)
{
  void *network = make_network("NAT");
  wchar_t *record = NULL;

  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.17", "28")), 0x803b002f); /* the gateway */
  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.16", "28")), 0x803b002f);
  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.31", "28")), 0x803b002f);
  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.32", "28")), 0x803b001e);
  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.18", "24")), 0x803b001e);
  IS(make_endpoint(network, &end_id, ADDRESS("10.220.99.18", "28")), 0);
  /* One that nobody deleted still has its address. */
  IS(make_endpoint(network, &other_id, ADDRESS("10.220.99.18", "28")), 0x803b002f);
  IS(with_record(CALL(HcnDeleteNetwork)(&net_id, &record), &record), 0x803b002c);
  IS(drop_endpoint(&end_id), 0);
  IS(make_endpoint(network, &other_id, ADDRESS("10.220.99.18", "28")), 0);
  IS(drop_endpoint(&other_id), 0);
  IS(drop_endpoint(&other_id), 0x803b0002);
  drop_network(network);
}

static void the_first_free_address_is_chosen(void)
{
  void *network = make_network("NAT"), *endpoint = NULL;
  wchar_t *text = NULL, *record = NULL;
  json_t *answer, *config;

  IS(CALL(HcnCreateEndpoint)(network, &end_id, L"{\"SchemaVersion\":{\"Major\":2,\"Minor\":0}}",
                             &endpoint, &record),
     0);
  IS(CALL(HcnQueryEndpointProperties)(endpoint, L"", &text, &record), 0);
  answer = json_of(text, false);
  config = json_array_get(json_object_get(answer, "IpConfigurations"), 0);
  OK(strcmp(json_string_value(json_object_get(config, "IpAddress")), "10.220.99.18") == 0);
  OK(strncmp(json_string_value(json_object_get(answer, "MacAddress")), "00-15-5D", 8) == 0);
  json_decref(answer);
  IS(CALL(HcnCloseEndpoint)(endpoint), 0);
  IS(drop_endpoint(&end_id), 0);
  drop_network(network);
}

static void endpoints_are_checked(void)
{
  void *network = make_network("Transparent");

  IS(make_endpoint(network, &end_id,
                   ",\"HostComputeNamespace\":\"44444444-4444-4444-8404-040404040404\""),
     0x803b0015);
  IS(make_endpoint(network, &end_id, ",\"Policies\":[{\"Type\":\"OutBoundNAT\"}]"), 0x80070057);
  IS(make_endpoint(network, &end_id, ",\"Speed\":1"), 0x803b001b);
  drop_network(network);
}

static void a_port_is_mapped_once(void)
{
  static const char policy[] =
      ",\"Policies\":[{\"Type\":\"PortMapping\",\"Settings\":{\"Protocol\":6,"
      "\"InternalPort\":80,\"ExternalPort\":8080}}]";
  void *network = make_network("NAT");

  IS(make_endpoint(network, &end_id, policy), 0);
  IS(make_endpoint(network, &other_id, policy), 0x803b0013);
  IS(drop_endpoint(&end_id), 0);
  drop_network(network);
}

/* ---- Namespaces ------------------------------------------------------------------------------ */

static void namespaces_hold_endpoints(void)
{
  void *network = make_network("NAT"), *space = make_namespace();

  IS(change(space, "Add", end_text), 0x803b0002);
  IS(make_endpoint(network, &end_id, ""), 0);
  IS(change(space, "Add", end_text), 0);
  IS(change(space, "Add", end_text), 0x803b0014);
  IS(drop_namespace(), 0x803b002c);
  IS(change(space, "Remove", end_text), 0);
  IS(change(space, "Remove", end_text), 0x803b0002);
  IS(change(space, "Add", end_text), 0);
  IS(drop_endpoint(&end_id), 0); /* which takes it out */
  IS(CALL(HcnCloseNamespace)(space), 0);
  IS(drop_namespace(), 0);
  IS(drop_namespace(), 0x80070490);
  drop_network(network);
}

static void a_namespace_serves_one_container(void)
{
  static const char more[] =
      "{\"Networking\":{\"Namespace\":\"44444444-4444-4444-8404-040404040404\"}}";
  void *network = make_network("NAT"), *space = make_namespace(), *system = NULL, *operation = op();
  char *document;

  IS(make_endpoint(network, &end_id, ""), 0);
  make_scratch("scratch");
  mount_scratch("scratch");
  document = container_document("scratch", more);
  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(L"one", w("%s", document), operation, NULL, &system)),
     0);
  IS(drop_namespace(), 0x803b002c);
  end_container(system);
  IS(change(space, "Add", end_text), 0x803b002e);
  operation = op();
  IS(finish(operation,
            CALL(HcsCreateComputeSystem)(L"one", w("%s", document), operation, NULL, &system)),
     0x803b002e);
  CALL(HcsCloseComputeSystem)(system);
  free(document);
  unmount_scratch("scratch");
  IS(CALL(HcnCloseNamespace)(space), 0);
  IS(drop_namespace(), 0);
  IS(drop_endpoint(&end_id), 0);
  drop_network(network);
}

static void the_version_can_be_asked(void)
{
  wchar_t *text = NULL;
  json_t *answer;

  knob("host hns=9.2");
  IS(CALL(HNSCall)(L"GET", L"/globals/version", L"", &text), 0);
  answer = json_of(text, false);
  IS(json_integer_value(json_object_get(json_object_get(answer, "Output"), "Major")), 9);
  json_decref(answer);
  IS(CALL(HNSCall)(L"GET", L"/networks", L"", &text), 0);
  answer = json_of(text, false);
  OK(json_is_false(json_object_get(answer, "Success")));
  json_decref(answer);
}

static void a_record_can_come_with_success(void)
{
  void *network = NULL;
  wchar_t *record = NULL;
  json_t *error;

  knob("HcnOpenNetwork hr=0x803b0001 do=error");
  IS(CALL(HcnOpenNetwork)(&net_id, &network, &record), 0);
  error = json_of(record, false);
  IS((uint32_t)json_integer_value(json_object_get(error, "ErrorCode")), 0x803b0001);
  OK(network == NULL);
  json_decref(error);
}

static const struct test_case cases[] = {
  { "networks_are_checked", networks_are_checked },
  { "networks_are_found_by_name", networks_are_found_by_name },
  { "addresses_are_reserved", addresses_are_reserved },
  { "the_first_free_address_is_chosen", the_first_free_address_is_chosen },
  { "endpoints_are_checked", endpoints_are_checked },
  { "a_port_is_mapped_once", a_port_is_mapped_once },
  { "namespaces_hold_endpoints", namespaces_hold_endpoints },
  { "a_namespace_serves_one_container", a_namespace_serves_one_container },
  { "the_version_can_be_asked", the_version_can_be_asked },
  { "a_record_can_come_with_success", a_record_can_come_with_success },
};

int main(int argc, char **argv)
{
  return RUN(argc, argv, cases);
}
