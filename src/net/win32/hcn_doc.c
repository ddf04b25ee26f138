/* SPDX-License-Identifier: Apache-2.0 */
#include "net/win32/hcn_doc.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum {
  TCP = 6,
  UDP = 17
};

static json_t *version(void)
{
  return json_pack("{s:i, s:i}", "Major", 2, "Minor", 0);
}

static int done(json_t *document, json_t **ret, struct zl_error *err)
{
  if (document == NULL)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "a document for the network service: a text in it is no "
                   "UTF-8, or memory ran out");
  *ret = document;
  return 0;
}

static json_t *default_route(const char *gateway)
{
  return json_pack("[{s:s, s:s}]", "NextHop", gateway, "DestinationPrefix", "0.0.0.0/0");
}

int zl_hcn_doc_network(const struct zl_hcn_network_spec *network, json_t **ret,
                       struct zl_error *err)
{
  json_t *subnets = json_pack("[{s:s, s:o}]", "IpAddressPrefix", network->prefix, "Routes",
                              default_route(network->gateway));

  return done(json_pack("{s:s, s:s, s:[{s:s, s:o}], s:o}", "Name", network->name, "Type", "NAT",
                        "Ipams", "Type", "Static", "Subnets", subnets, "SchemaVersion", version()),
              ret, err);
}

/* ---- Endpoints ---- */

static json_t *policy(const struct zl_hcn_port *port)
{
  json_t *settings = json_pack("{s:i, s:i, s:i}", "Protocol", port->udp ? UDP : TCP, "InternalPort",
                               (int)port->container_port, "ExternalPort", (int)port->host_port);

  if (port->host_ip != NULL && strcmp(port->host_ip, "0.0.0.0") != 0 &&
      json_object_set_new(settings, "VIP", json_string(port->host_ip)) < 0)
    zl_json_decref(&settings);
  return json_pack("{s:s, s:o}", "Type", "PortMapping", "Settings", settings);
}

static int add_ports(json_t *document, const struct zl_hcn_endpoint_spec *endpoint)
{
  zl_autojson *policies = json_array();
  int r = 0;

  for (size_t i = 0; r == 0 && i < endpoint->n_ports; i++)
    r = json_array_append_new(policies, policy(&endpoint->ports[i]));
  if (r == 0 && endpoint->n_ports > 0)
    r = json_object_set(document, "Policies", policies);
  return r;
}

static int add_list(json_t *object, const char *key, const char *const *texts)
{
  return texts == NULL || texts[0] == NULL
             ? 0
             : json_object_set_new(object, key, zl_json_from_strv(texts));
}

static int add_dns(json_t *document, const struct zl_hcn_endpoint_spec *endpoint)
{
  zl_autojson *dns = json_object();
  int r = add_list(dns, "Search", endpoint->search);

  if (r == 0)
    r = add_list(dns, "ServerList", endpoint->dns_servers);
  return r == 0 && json_object_size(dns) > 0 ? json_object_set(document, "Dns", dns) : r;
}

int zl_hcn_doc_endpoint(const struct zl_hcn_endpoint_spec *endpoint, json_t **ret,
                        struct zl_error *err)
{
  zl_autojson *document =
      json_pack("{s:s, s:s}", "Name", endpoint->name, "HostComputeNetwork", endpoint->network);
  int r = document != NULL ? add_ports(document, endpoint) : -1;

  if (r == 0)
    r = json_object_set_new(document, "IpConfigurations",
                            json_pack("[{s:s, s:i}]", "IpAddress", endpoint->address,
                                      "PrefixLength", (int)endpoint->prefix));
  if (r == 0)
    r = add_dns(document, endpoint);
  if (r == 0)
    r = json_object_set_new(document, "Routes", default_route(endpoint->gateway));
  if (r == 0)
    r = json_object_set_new(document, "SchemaVersion", version());
  return done(r == 0 ? zl_steal_ptr(&document) : NULL, ret, err);
}

static const char *text_of(const json_t *object, const char *key)
{
  return json_string_value(json_object_get(object, key));
}

int zl_hcn_read_mac(const json_t *endpoint, char ret[ZL_HCN_MAC], struct zl_error *err)
{
  const char *mac = text_of(endpoint, "MacAddress");

  if (mac == NULL || strlen(mac) != ZL_HCN_MAC - 1)
    return zl_fail(err, ZL_E_INVALID, 0, "the network service gave the endpoint no MAC address");
  (void)snprintf(ret, ZL_HCN_MAC, "%s", mac);
  return 0;
}

bool zl_hcn_has_address(const json_t *endpoint, const char *address)
{
  const json_t *configurations = json_object_get(endpoint, "IpConfigurations");

  for (size_t i = 0; i < json_array_size(configurations); i++) {
    const char *text = text_of(json_array_get(configurations, i), "IpAddress");

    if (text != NULL && strcmp(text, address) == 0)
      return true;
  }
  return false;
}

/* ---- Namespaces, queries ---- */

int zl_hcn_doc_namespace(json_t **ret, struct zl_error *err)
{
  return done(json_pack("{s:o}", "SchemaVersion", version()), ret, err);
}

int zl_hcn_doc_attach(const char *endpoint, bool add, json_t **ret, struct zl_error *err)
{
  return done(json_pack("{s:s, s:s, s:{s:s}}", "ResourceType", "Endpoint", "RequestType",
                        add ? "Add" : "Remove", "Settings", "EndpointId", endpoint),
              ret, err);
}

int zl_hcn_doc_query(json_t **ret, struct zl_error *err)
{
  return done(json_pack("{s:o, s:i}", "SchemaVersion", version(), "Flags", 0), ret, err);
}
