/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks and namespaces of the host network service.
 */
#include "networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Objects --------------------------------------------------------------------------------- */

char *sim_hcn_id(struct call *call)
{
  static const char none[] = "00000000-0000-0000-0000-000000000000";
  const char *given = sim_text(call->args, "id");
  char *id;
  GUID guid;

  if (given[0] != '\0' && strcmp(given, none) != 0) {
    id = sim_copy(given);
    (void)_strlwr(id);
    return id;
  }
  sim_guid_random(&guid);
  id = sim_alloc(SIM_GUID_TEXT);
  sim_guid_format(&guid, id);
  return id;
}

uint32_t sim_hcn_parse(struct call *call, const char *key, const char *type, json_t **ret)
{
  json_t *document = sim_parse(call->args, key);
  char why[512];

  if (!sim_strict(document, type, why, sizeof(why))) {
    json_decref(document);
    return sim_refuse(call, HCN_JSON, "", "%s", why);
  }
  *ret = document;
  return 0;
}

void sim_hcn_give(struct call *call, enum kind kind, const char *id)
{
  struct handle *handle = sim_handle_new(call->session, kind);

  handle->name = sim_copy(id);
  (void)json_object_set_new(call->reply, "object", json_integer((json_int_t)handle->id));
}

json_t *sim_hcn_of(struct call *call, const json_t *all)
{
  return call->handle == NULL ? NULL : json_object_get(all, call->handle->name);
}

/* A query's Filter is an object in a text: members that have to be equal. */
static bool passes(const json_t *filter, const json_t *document)
{
  const char *key;
  const json_t *value;

  json_object_foreach ((json_t *)(uintptr_t)filter, key, value) {
    const char *own = strcmp(key, "VirtualNetwork") == 0 ? "HostComputeNetwork" : key;

    if (_stricmp(sim_text(document, own), json_is_string(value) ? json_string_value(value) : "") !=
        0)
      return false;
  }
  return true;
}

uint32_t sim_hcn_enumerate(struct call *call, const json_t *all)
{
  json_t *query = NULL, *filter, *list;
  const char *id;
  const json_t *document;
  uint32_t hr = sim_hcn_parse(call, "query", "NetworkQuery", &query);

  if (hr != 0)
    return hr;
  filter = sim_parse(query, "Filter");
  list = json_array();
  json_object_foreach ((json_t *)(uintptr_t)all, id, document)
    if (passes(filter, document))
      (void)json_array_append_new(list, json_string(id));
  json_decref(filter);
  json_decref(query);
  sim_answer(call, list);
  return 0;
}

/* ---- Networks -------------------------------------------------------------------------------- */

static bool needs_adapter(const char *type)
{
  return strcmp(type, "L2Bridge") == 0 || strcmp(type, "Transparent") == 0 ||
         strcmp(type, "Overlay") == 0;
}

static uint32_t check_adapter(struct call *call, const json_t *document)
{
  const json_t *policy;
  size_t i;

  if (!needs_adapter(sim_text(document, "Type")))
    return 0;
  json_array_foreach (json_object_get(document, "Policies"), i, policy)
    if (strcmp(sim_text(policy, "Type"), "NetAdapterName") == 0)
      return strcmp(sim_text(json_object_get(policy, "Settings"), "NetworkAdapterName"),
                    "Ethernet") == 0
                 ? 0
                 : sim_refuse(call, HCN_NO_ADAPTER, "", "there is only 'Ethernet'");
  return 0;
}

static uint32_t check_subnets(struct call *call, const json_t *document)
{
  const json_t *ipam, *subnet;
  struct subnet parsed;
  size_t i, j;

  json_array_foreach (json_object_get(document, "Ipams"), i, ipam)
    json_array_foreach (json_object_get(ipam, "Subnets"), j, subnet)
      if (!sim_subnet_parse(subnet, &parsed))
        return sim_refuse(call, HCN_BAD_NETWORK, "",
                          "$.Ipams[%u].Subnets[%u]: no subnet with a gateway in it", (unsigned)i,
                          (unsigned)j);
  return 0;
}

static uint32_t check_network(struct call *call, const char *id, const json_t *document)
{
  const char *other;
  const json_t *network;

  if (json_integer_value(json_object_get(json_object_get(document, "SchemaVersion"), "Major")) != 2)
    return sim_refuse(call, HCN_JSON, "", "$.SchemaVersion: missing, or not 2");
  json_object_foreach (machine.networks, other, network)
    if (strcmp(other, id) == 0 ||
        (sim_text(document, "Name")[0] != '\0' &&
         strcmp(sim_text(network, "Name"), sim_text(document, "Name")) == 0))
      return sim_refuse(call, HCN_NETWORK_EXISTS, "", "network '%s' exists",
                        sim_text(network, "Name"));
  return 0;
}

static uint32_t create_network(struct call *call)
{
  char *id = sim_hcn_id(call);
  json_t *document = NULL;
  uint32_t hr = sim_hcn_parse(call, "settings", "Network", &document);

  if (hr == 0)
    hr = check_network(call, id, document);
  if (hr == 0)
    hr = check_adapter(call, document);
  if (hr == 0)
    hr = check_subnets(call, document);
  if (hr == 0) {
    (void)json_object_set_new(document, "ID", json_string(id));
    (void)json_object_set(machine.networks, id, document);
    sim_hcn_give(call, NETWORK, id);
  }
  json_decref(document);
  free(id);
  return hr;
}

static uint32_t open_any(struct call *call, enum kind kind, const json_t *all, uint32_t missing)
{
  char *id = sim_hcn_id(call);
  uint32_t hr = 0;

  if (json_object_get(all, id) == NULL)
    hr = sim_refuse(call, missing, "", "there is no %s", id);
  else
    sim_hcn_give(call, kind, id);
  free(id);
  return hr;
}

static uint32_t open_network(struct call *call)
{
  return open_any(call, NETWORK, machine.networks, HCN_NO_NETWORK);
}

static uint32_t query_network(struct call *call)
{
  json_t *network = sim_hcn_of(call, machine.networks), *copy;

  if (network == NULL)
    return sim_refuse(call, HCN_NO_NETWORK, "", "the network is gone");
  copy = json_deep_copy(network);
  if (strcmp(sim_text(copy, "Type"), "NAT") == 0) /* the default is left out */
    (void)json_object_del(copy, "Type");
  sim_answer(call, copy);
  return 0;
}

static uint32_t modify_network(struct call *call)
{
  json_t *change = NULL;
  uint32_t hr = sim_hcn_parse(call, "settings", "NetworkChange", &change);

  json_decref(change);
  if (hr == 0 && sim_hcn_of(call, machine.networks) == NULL)
    hr = HCN_NO_NETWORK;
  return hr == 0 ? sim_refuse(call, HCN_UNSUPPORTED, "", "networks are not changed here") : hr;
}

static uint32_t delete_network(struct call *call)
{
  char *id = sim_hcn_id(call);
  const char *other;
  const json_t *endpoint;
  uint32_t hr = 0;

  if (json_object_get(machine.networks, id) == NULL)
    hr = sim_refuse(call, HCN_NO_NETWORK, "", "there is no network %s", id);
  json_object_foreach (machine.endpoints, other, endpoint)
    if (hr == 0 && strcmp(sim_text(endpoint, "HostComputeNetwork"), id) == 0)
      hr = sim_refuse(call, HCN_REFERENCES, "", "endpoint %s is on it", other);
  if (hr == 0)
    (void)json_object_del(machine.networks, id);
  free(id);
  return hr;
}

static uint32_t enumerate_networks(struct call *call)
{
  return sim_hcn_enumerate(call, machine.networks);
}

/* ---- Namespaces ------------------------------------------------------------------------------ */

static json_t *resource(const char *type, const char *id)
{
  return json_pack("{s:s,s:{s:s}}", "Type", type, "Data", "ID", id);
}

static void remove_resource(json_t *namespace, const char *type, const char *id)
{
  json_t *list = json_object_get(namespace, "Resources"), *item;
  size_t i = 0;

  while (i < json_array_size(list)) {
    item = json_array_get(list, i);
    if (strcmp(sim_text(item, "Type"), type) == 0 &&
        (id == NULL || _stricmp(sim_text(json_object_get(item, "Data"), "ID"), id) == 0))
      (void)json_array_remove(list, i);
    else
      i++;
  }
}

static const char *container_of(const json_t *namespace)
{
  const json_t *item;
  size_t i;

  json_array_foreach (json_object_get(namespace, "Resources"), i, item)
    if (strcmp(sim_text(item, "Type"), "Container") == 0)
      return sim_text(json_object_get(item, "Data"), "ID");
  return "";
}

static bool is_dead(const json_t *namespace)
{
  return json_object_get(machine.ended, sim_text(namespace, "ID")) != NULL;
}

uint32_t sim_namespace_check(struct call *call, const char *given)
{
  char *id = sim_copy(given);
  const json_t *namespace = json_object_get(machine.namespaces, _strlwr(id));
  const char *holder = container_of(namespace);
  const char *own = call->handle != NULL && call->handle->system != NULL
                        ? call->handle->system->id
                        : sim_text(call->args, "id");
  uint32_t hr = 0;

  if (namespace == NULL)
    hr = sim_refuse(call, HR_NOT_FOUND, "Construct", "$.Container.Networking.Namespace: no %s", id);
  else if (strncmp(sim_text(namespace, "Type"), "Host", 4) == 0)
    hr = sim_refuse(call, HR_CONSTRUCT, "Construct",
                    "$.Container.Networking.Namespace: the host's own");
  else if (is_dead(namespace) || (holder[0] != '\0' && strcmp(holder, own) != 0))
    hr = sim_refuse(call, HCN_ATTACH_FAILED, "Construct",
                    "$.Container.Networking.Namespace: of another container");
  free(id);
  return hr;
}

/* A namespace that lost its container is of no use any more. */
static void unbind(const char *container)
{
  const char *id;
  json_t *namespace;

  json_object_foreach (machine.namespaces, id, namespace)
    if (strcmp(container_of(namespace), container) == 0) {
      remove_resource(namespace, "Container", NULL);
      (void)json_object_set_new(machine.ended, id, json_true());
    }
}

void sim_namespace_bind(const char *given, const char *container)
{
  char *id;
  json_t *namespace;

  if (given == NULL) {
    unbind(container);
    return;
  }
  id = sim_copy(given);
  namespace = json_object_get(machine.namespaces, _strlwr(id));
  if (namespace != NULL)
    (void)json_array_append_new(json_object_get(namespace, "Resources"),
                                resource("Container", container));
  free(id);
}

static uint32_t create_namespace(struct call *call)
{
  static json_int_t last = 1;
  char *id = sim_hcn_id(call);
  json_t *document = NULL;
  uint32_t hr = sim_hcn_parse(call, "settings", "NetworkNamespace", &document);

  if (hr == 0 &&
      json_integer_value(json_object_get(json_object_get(document, "SchemaVersion"), "Major")) != 2)
    hr = sim_refuse(call, HCN_JSON, "", "$.SchemaVersion: missing, or not 2");
  if (hr == 0 && json_object_get(machine.namespaces, id) != NULL)
    hr = sim_refuse(call, HR_EXISTS, "", "namespace %s exists", id);
  if (hr == 0 && json_array_size(json_object_get(document, "Resources")) > 0)
    hr = sim_refuse(call, HCN_UNSUPPORTED, "", "$.Resources: read only");
  if (hr == 0) {
    (void)json_object_set_new(document, "ID", json_string(id));
    (void)json_object_set_new(document, "NamespaceId", json_integer(++last));
    (void)json_object_set_new(document, "Resources", json_array());
    (void)json_object_set(machine.namespaces, id, document);
    sim_hcn_give(call, NAMESPACE, id);
  }
  json_decref(document);
  free(id);
  return hr;
}

static uint32_t open_namespace(struct call *call)
{
  return open_any(call, NAMESPACE, machine.namespaces, HR_NOT_FOUND);
}

static uint32_t query_namespace(struct call *call)
{
  json_t *namespace = sim_hcn_of(call, machine.namespaces);

  if (namespace == NULL)
    return sim_refuse(call, HR_NOT_FOUND, "", "the namespace is gone");
  sim_answer(call, json_deep_copy(namespace));
  return 0;
}

static uint32_t join(struct call *call, json_t *namespace, json_t *endpoint)
{
  if (sim_text(endpoint, "HostComputeNamespace")[0] != '\0')
    return sim_refuse(call, HCN_ATTACHED, "", "the endpoint is in a namespace");
  if (is_dead(namespace))
    return sim_refuse(call, HCN_ATTACH_FAILED, "", "the container of the namespace has ended");
  (void)json_object_set(endpoint, "HostComputeNamespace", json_object_get(namespace, "ID"));
  (void)json_array_append_new(json_object_get(namespace, "Resources"),
                              resource("Endpoint", sim_text(endpoint, "ID")));
  return 0;
}

void sim_namespace_leave(json_t *endpoint)
{
  json_t *namespace =
      json_object_get(machine.namespaces, sim_text(endpoint, "HostComputeNamespace"));

  remove_resource(namespace, "Endpoint", sim_text(endpoint, "ID"));
  (void)json_object_del(endpoint, "HostComputeNamespace");
}

static uint32_t change_namespace(struct call *call, json_t *namespace, const json_t *change)
{
  char *id = sim_copy(sim_text(json_object_get(change, "Settings"), "EndpointId"));
  json_t *endpoint = json_object_get(machine.endpoints, _strlwr(id));

  free(id);
  if (strcmp(sim_text(change, "ResourceType"), "Endpoint") != 0)
    return sim_refuse(call, HCN_UNSUPPORTED, "", "$.ResourceType: only Endpoint");
  if (endpoint == NULL)
    return sim_refuse(call, HCN_NO_ENDPOINT, "", "there is no such endpoint");
  if (strcmp(sim_text(change, "RequestType"), "Add") == 0)
    return join(call, namespace, endpoint);
  if (strcmp(sim_text(change, "RequestType"), "Remove") != 0)
    return sim_refuse(call, HCN_UNSUPPORTED, "", "$.RequestType: neither Add nor Remove");
  if (strcmp(sim_text(endpoint, "HostComputeNamespace"), sim_text(namespace, "ID")) != 0)
    return sim_refuse(call, HCN_NO_ENDPOINT, "", "the endpoint is not in it");
  sim_namespace_leave(endpoint);
  return 0;
}

static uint32_t modify_namespace(struct call *call)
{
  json_t *namespace = sim_hcn_of(call, machine.namespaces), *change = NULL;
  uint32_t hr = sim_hcn_parse(call, "settings", "NetworkChange", &change);

  if (hr == 0)
    hr = namespace == NULL ? HR_NOT_FOUND : change_namespace(call, namespace, change);
  json_decref(change);
  return hr;
}

static uint32_t delete_namespace(struct call *call)
{
  char *id = sim_hcn_id(call);
  const json_t *namespace = json_object_get(machine.namespaces, id);
  uint32_t hr = 0;

  if (namespace == NULL)
    hr = sim_refuse(call, HR_NOT_FOUND, "", "there is no namespace %s", id);
  else if (json_array_size(json_object_get(namespace, "Resources")) > 0)
    hr = sim_refuse(call, HCN_REFERENCES, "", "there is something in the namespace");
  if (hr == 0) {
    (void)json_object_del(machine.namespaces, id);
    (void)json_object_del(machine.ended, id);
  }
  free(id);
  return hr;
}

static uint32_t enumerate_namespaces(struct call *call)
{
  return sim_hcn_enumerate(call, machine.namespaces);
}

static uint32_t hns_call(struct call *call)
{
  const char *hns = json_string_value(json_object_get(machine.host, "hns"));
  int major = 0, minor = 0;
  json_t *answer;
  char *text;

  (void)sscanf(hns, "%d.%d", &major, &minor);
  if (strcmp(sim_text(call->args, "method"), "GET") == 0 &&
      strcmp(sim_text(call->args, "path"), "/globals/version") == 0)
    answer = json_pack("{s:b,s:s,s:{s:i,s:i}}", "Success", 1, "Error", "", "Output", "Major", major,
                       "Minor", minor);
  else
    answer = json_pack("{s:b,s:s,s:n}", "Success", 0, "Error", "no such request", "Output");
  text = json_dumps(answer, JSON_COMPACT);
  (void)json_object_set_new(call->reply, "result", json_string(text));
  free(text);
  json_decref(answer);
  return 0;
}

static uint32_t close_object(struct call *call)
{
  if (call->handle == NULL)
    return HR_HANDLE;
  sim_handle_close(call->handle);
  return 0;
}

const struct handler sim_network_handlers[] = {
  { "HcnEnumerateNetworks", enumerate_networks, false, NULL, NETWORK },
  { "HcnCreateNetwork", create_network, false, NULL, NETWORK },
  { "HcnOpenNetwork", open_network, false, NULL, NETWORK },
  { "HcnModifyNetwork", modify_network, false, NULL, NETWORK },
  { "HcnQueryNetworkProperties", query_network, false, NULL, NETWORK },
  { "HcnDeleteNetwork", delete_network, false, NULL, NETWORK },
  { "HcnCloseNetwork", close_object, false, NULL, NETWORK },
  { "HcnEnumerateNamespaces", enumerate_namespaces, false, NULL, NAMESPACE },
  { "HcnCreateNamespace", create_namespace, false, NULL, NAMESPACE },
  { "HcnOpenNamespace", open_namespace, false, NULL, NAMESPACE },
  { "HcnModifyNamespace", modify_namespace, false, NULL, NAMESPACE },
  { "HcnQueryNamespaceProperties", query_namespace, false, NULL, NAMESPACE },
  { "HcnDeleteNamespace", delete_namespace, false, NULL, NAMESPACE },
  { "HcnCloseNamespace", close_object, false, NULL, NAMESPACE },
  { "HNSCall", hns_call, false, NULL, NETWORK },
  { .name = NULL },
};
