/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints of the host network service, and the addresses that they hold.
 */
#include "networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Addresses ------------------------------------------------------------------------------- */

static bool parse_address(const char *text, uint32_t *ret)
{
  unsigned a, b, c, d;
  int end = 0;

  if (sscanf(text, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &end) != 4 || text[end] != '\0' ||
      a > 255 || b > 255 || c > 255 || d > 255)
    return false;
  *ret = a << 24 | b << 16 | c << 8 | d;
  return true;
}

static void format_address(uint32_t address, char text[16])
{
  (void)snprintf(text, 16, "%u.%u.%u.%u", address >> 24, (address >> 16) & 255,
                 (address >> 8) & 255, address & 255);
}

bool sim_subnet_parse(const json_t *subnet, struct subnet *ret)
{
  char prefix[64], *slash;
  const json_t *route;
  bool routed = false;
  size_t i;

  (void)snprintf(prefix, sizeof(prefix), "%s", sim_text(subnet, "IpAddressPrefix"));
  slash = strchr(prefix, '/');
  if (slash == NULL)
    return false;
  *slash = '\0';
  ret->length = (unsigned)strtoul(slash + 1, NULL, 10);
  if (!parse_address(prefix, &ret->base) || ret->length < 1 || ret->length > 30)
    return false;
  ret->mask = ~UINT32_C(0) << (32 - ret->length);
  json_array_foreach (json_object_get(subnet, "Routes"), i, route)
    if (strcmp(sim_text(route, "DestinationPrefix"), "0.0.0.0/0") == 0)
      routed = parse_address(sim_text(route, "NextHop"), &ret->gateway);
  return routed && (ret->base & ~ret->mask) == 0 && (ret->gateway & ret->mask) == ret->base;
}

static bool is_taken(const char *network, uint32_t address)
{
  const char *id;
  const json_t *endpoint, *config;
  uint32_t own;
  size_t i;

  json_object_foreach (machine.endpoints, id, endpoint)
    json_array_foreach (json_object_get(endpoint, "IpConfigurations"), i, config)
      if (strcmp(sim_text(endpoint, "HostComputeNetwork"), network) == 0 &&
          parse_address(sim_text(config, "IpAddress"), &own) && own == address)
        return true;
  return false;
}

/* The network's own, the gateway and what is below it, the broadcast. */
static bool is_reserved(const struct subnet *s, uint32_t address)
{
  return address <= s->gateway || address == (s->base | ~s->mask);
}

static bool subnet_of(const json_t *network, uint32_t address, struct subnet *ret)
{
  const json_t *ipam, *subnet;
  size_t i, j;

  json_array_foreach (json_object_get(network, "Ipams"), i, ipam)
    json_array_foreach (json_object_get(ipam, "Subnets"), j, subnet)
      if (sim_subnet_parse(subnet, ret) && (address == 0 || (address & ret->mask) == ret->base))
        return true;
  return false;
}

static uint32_t check_address(struct call *call, const char *id, const json_t *network,
                              const json_t *config)
{
  const char *text = sim_text(config, "IpAddress");
  json_int_t length = json_integer_value(json_object_get(config, "PrefixLength"));
  struct subnet subnet;
  uint32_t address;

  if (!parse_address(text, &address) || !subnet_of(network, address, &subnet))
    return sim_refuse(call, HCN_BAD_IP, "",
                      "$.IpConfigurations: '%s' is in no subnet of the network", text);
  if (length != (json_int_t)subnet.length)
    return sim_refuse(call, HCN_BAD_IP, "", "$.IpConfigurations: the prefix is not the subnet's");
  if (is_reserved(&subnet, address) || is_taken(id, address))
    return sim_refuse(call, HCN_RESERVED, "",
                      "$.IpConfigurations: '%s' is reserved, or of another endpoint", text);
  return 0;
}

static uint32_t choose_address(struct call *call, const char *id, const json_t *network,
                               json_t *document)
{
  struct subnet subnet;
  char text[16];

  if (!subnet_of(network, 0, &subnet))
    return 0;
  for (uint32_t a = subnet.base + 1; a < (subnet.base | ~subnet.mask); a++)
    if (!is_reserved(&subnet, a) && !is_taken(id, a)) {
      format_address(a, text);
      (void)json_object_set_new(
          document, "IpConfigurations",
          json_pack("[{s:s,s:i}]", "IpAddress", text, "PrefixLength", (int)subnet.length));
      return 0;
    }
  return sim_refuse(call, HCN_RESERVED, "", "no address is free");
}

/* ---- Policies -------------------------------------------------------------------------------- */

static bool same_port(const json_t *a, const json_t *b)
{
  return strcmp(sim_text(a, "Type"), "PortMapping") == 0 &&
         strcmp(sim_text(b, "Type"), "PortMapping") == 0 &&
         json_equal(json_object_get(json_object_get(a, "Settings"), "Protocol"),
                    json_object_get(json_object_get(b, "Settings"), "Protocol")) &&
         json_equal(json_object_get(json_object_get(a, "Settings"), "ExternalPort"),
                    json_object_get(json_object_get(b, "Settings"), "ExternalPort"));
}

static bool is_mapped(const json_t *policy)
{
  const char *id;
  const json_t *endpoint, *other;
  size_t i;

  json_object_foreach (machine.endpoints, id, endpoint)
    json_array_foreach (json_object_get(endpoint, "Policies"), i, other)
      if (same_port(policy, other))
        return true;
  return false;
}

static uint32_t check_policies(struct call *call, const json_t *network, const json_t *document)
{
  const json_t *policies = json_object_get(document, "Policies"), *policy;
  size_t i;

  if (strcmp(sim_text(network, "Type"), "Transparent") == 0 && json_array_size(policies) > 0)
    return sim_refuse(call, HR_CONSTRUCT, "", "$.Policies: not on a transparent network");
  json_array_foreach (policies, i, policy)
    if (is_mapped(policy))
      return sim_refuse(call, HCN_PORT_EXISTS, "", "$.Policies[%u]: another endpoint has the port",
                        (unsigned)i);
  return 0;
}

/* ---- Endpoints ------------------------------------------------------------------------------- */

static uint32_t check_endpoint(struct call *call, const char *network_id, const json_t *network,
                               json_t *document)
{
  const json_t *config;
  uint32_t hr = 0;
  size_t i;

  if (json_integer_value(json_object_get(json_object_get(document, "SchemaVersion"), "Major")) != 2)
    return sim_refuse(call, HCN_JSON, "", "$.SchemaVersion: missing, or not 2");
  if (json_object_get(document, "HostComputeNamespace") != NULL)
    return sim_refuse(call, HCN_UNSUPPORTED, "", "$.HostComputeNamespace: read only");
  if (json_array_size(json_object_get(document, "IpConfigurations")) == 0)
    return choose_address(call, network_id, network, document);
  json_array_foreach (json_object_get(document, "IpConfigurations"), i, config) {
    hr = check_address(call, network_id, network, config);
    if (hr != 0)
      return hr;
  }
  return hr;
}

static void complete(json_t *document, const char *id, const char *network)
{
  static unsigned last;
  char mac[24];

  last++;
  (void)snprintf(mac, sizeof(mac), "00-15-5D-52-%02X-%02X", (last >> 8) & 255, last & 255);
  (void)json_object_set_new(document, "ID", json_string(id));
  (void)json_object_set_new(document, "HostComputeNetwork", json_string(network));
  if (sim_text(document, "MacAddress")[0] == '\0')
    (void)json_object_set_new(document, "MacAddress", json_string(mac));
}

static uint32_t create_endpoint(struct call *call)
{
  json_t *network = sim_hcn_of(call, machine.networks), *document = NULL;
  char *id = sim_hcn_id(call);
  uint32_t hr = sim_hcn_parse(call, "settings", "NetworkEndpoint", &document);

  if (hr == 0 && network == NULL)
    hr = sim_refuse(call, HCN_NO_NETWORK, "", "the network is gone");
  if (hr == 0 && json_object_get(machine.endpoints, id) != NULL)
    hr = sim_refuse(call, HR_EXISTS, "", "endpoint %s exists", id);
  if (hr == 0)
    hr = check_endpoint(call, call->handle->name, network, document);
  if (hr == 0)
    hr = check_policies(call, network, document);
  if (hr == 0) {
    complete(document, id, call->handle->name);
    (void)json_object_set(machine.endpoints, id, document);
    sim_hcn_give(call, ENDPOINT, id);
  }
  json_decref(document);
  free(id);
  return hr;
}

static uint32_t open_endpoint(struct call *call)
{
  char *id = sim_hcn_id(call);
  uint32_t hr = 0;

  if (json_object_get(machine.endpoints, id) == NULL)
    hr = sim_refuse(call, HCN_NO_ENDPOINT, "", "there is no endpoint %s", id);
  else
    sim_hcn_give(call, ENDPOINT, id);
  free(id);
  return hr;
}

static uint32_t query_endpoint(struct call *call)
{
  json_t *endpoint = sim_hcn_of(call, machine.endpoints);

  if (endpoint == NULL)
    return sim_refuse(call, HCN_NO_ENDPOINT, "", "the endpoint is gone");
  sim_answer(call, json_deep_copy(endpoint));
  return 0;
}

static uint32_t modify_endpoint(struct call *call)
{
  json_t *endpoint = sim_hcn_of(call, machine.endpoints), *change = NULL, *more, *policy;
  uint32_t hr = sim_hcn_parse(call, "settings", "NetworkChange", &change);
  size_t i;

  if (hr == 0 && endpoint == NULL)
    hr = HCN_NO_ENDPOINT;
  else if (hr == 0 && strcmp(sim_text(change, "ResourceType"), "Policy") != 0)
    hr = sim_refuse(call, HCN_UNSUPPORTED, "", "$.ResourceType: only Policy");
  if (hr == 0) {
    more = json_object_get(json_object_get(change, "Settings"), "Policies");
    hr = check_policies(call, NULL, json_object_get(change, "Settings"));
    if (hr == 0 && json_object_get(endpoint, "Policies") == NULL)
      (void)json_object_set_new(endpoint, "Policies", json_array());
    json_array_foreach (more, i, policy)
      if (hr == 0)
        (void)json_array_append(json_object_get(endpoint, "Policies"), policy);
  }
  json_decref(change);
  return hr;
}

static bool is_adapter(const char *id)
{
  const char *key;
  const json_t *nic;

  for (const struct system *s = machine.systems; s != NULL; s = s->next)
    json_object_foreach (s->nics, key, nic)
      if (_stricmp(sim_text(nic, "EndpointId"), id) == 0)
        return true;
  return false;
}

static uint32_t delete_endpoint(struct call *call)
{
  char *id = sim_hcn_id(call);
  json_t *endpoint = json_object_get(machine.endpoints, id);
  uint32_t hr = 0;

  if (endpoint == NULL)
    hr = sim_refuse(call, HCN_NO_ENDPOINT, "", "there is no endpoint %s", id);
  else if (is_adapter(id))
    hr = sim_refuse(call, HCN_REFERENCES, "", "a machine has an adapter on it");
  if (hr == 0) {
    sim_namespace_leave(endpoint);
    (void)json_object_del(machine.endpoints, id);
  }
  free(id);
  return hr;
}

static uint32_t enumerate_endpoints(struct call *call)
{
  return sim_hcn_enumerate(call, machine.endpoints);
}

static uint32_t close_endpoint(struct call *call)
{
  if (call->handle == NULL)
    return HR_HANDLE;
  sim_handle_close(call->handle);
  return 0;
}

const struct handler sim_endpoint_handlers[] = {
  { "HcnEnumerateEndpoints", enumerate_endpoints, false, NULL, ENDPOINT },
  { "HcnCreateEndpoint", create_endpoint, false, NULL, NETWORK },
  { "HcnOpenEndpoint", open_endpoint, false, NULL, ENDPOINT },
  { "HcnModifyEndpoint", modify_endpoint, false, NULL, ENDPOINT },
  { "HcnQueryEndpointProperties", query_endpoint, false, NULL, ENDPOINT },
  { "HcnDeleteEndpoint", delete_endpoint, false, NULL, ENDPOINT },
  { "HcnCloseEndpoint", close_endpoint, false, NULL, ENDPOINT },
  { .name = NULL },
};
