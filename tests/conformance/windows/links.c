/* SPDX-License-Identifier: Apache-2.0
 *
 * What the double of the network service has of a container's endpoint, and what a process in the
 * container is shown of it.
 */
#include "../links.h"

#include "../box.h"
#include "hcs-sim/control.h"

static const char *text_of(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));

  return text != NULL ? text : "";
}

/* Of the container's id, in the ledger; NULL: it has none. */
static const json_t *endpoint_of(const json_t *ledger, const char *name)
{
  const char *id = box_id(name);
  const json_t *endpoint;
  size_t i;

  json_array_foreach (json_object_get(ledger, "endpoints"), i, endpoint) {
    const char *full = text_of(endpoint, "Name");
    size_t len = strlen(full), tail = strlen(id);

    if (len > tail && full[len - tail - 1] == '-' && strcmp(full + len - tail, id) == 0)
      return endpoint;
  }
  return NULL;
}

static json_t *look(void)
{
  json_t *ledger = NULL;

  assert_int_equal(hcs_sim_ledger(&ledger), 0);
  return ledger;
}

/* The first of a list that the endpoint has as `key`, of which there is one. */
static const json_t *only(const json_t *endpoint, const char *key)
{
  const json_t *list = json_object_get(endpoint, key);

  assert_int_equal(json_array_size(list), 1);
  return json_array_get(list, 0);
}

void links_expect_address(const char *name, const char *address)
{
  json_t *ledger = look();
  const json_t *endpoint = endpoint_of(ledger, name);
  char seen[64];

  assert_non_null(endpoint);
  assert_string_equal(text_of(only(endpoint, "IpConfigurations"), "IpAddress"), address);
  assert_string_equal(text_of(only(endpoint, "Routes"), "NextHop"), BOX_GATEWAY);
  json_decref(ledger);
  (void)snprintf(seen, sizeof(seen), "%s/28 via %s\n", address, BOX_GATEWAY);
  box_expect_output(name, "ipconfig", seen);
}

void links_expect_none(const char *name)
{
  json_t *ledger = look();

  assert_null(endpoint_of(ledger, name));
  json_decref(ledger);
  box_expect_output(name, "ipconfig || echo none", "none\n");
}

void links_expect_hostname(const char *name, const char *hostname)
{
  char wanted[64];

  (void)snprintf(wanted, sizeof(wanted), "%s\n", hostname);
  box_expect_output(name, "hostname", wanted);
}

void links_expect_resolver(const char *name, const char *server)
{
  json_t *ledger = look();
  const json_t *endpoint = endpoint_of(ledger, name);
  const json_t *dns = json_object_get(endpoint, "Dns");
  char wanted[64];

  assert_non_null(endpoint);
  assert_string_equal(json_string_value(only(dns, "ServerList")), server);
  json_decref(ledger);
  (void)snprintf(wanted, sizeof(wanted), "%s\n", server);
  box_expect_output(name, "resolvers", wanted);
}

const char *links_server(const char *text)
{
  (void)text;
  return "sleep 60";
}

/* Both are on one network, whose endpoints reach each other. */
void links_expect_reach(const char *from, const char *to, const char *address, const char *text)
{
  json_t *ledger = look();
  const json_t *near_end = endpoint_of(ledger, from), *far_end = endpoint_of(ledger, to);

  (void)text;
  assert_true(near_end != NULL && far_end != NULL);
  assert_string_equal(text_of(near_end, "HostComputeNetwork"),
                      text_of(far_end, "HostComputeNetwork"));
  assert_int_equal(json_array_size(json_object_get(ledger, "networks")), 1);
  assert_string_not_equal(text_of(near_end, "HostComputeNamespace"),
                          text_of(far_end, "HostComputeNamespace"));
  json_decref(ledger);
  links_expect_address(to, address);
}

void links_expect_published(const char *name, uint16_t host_port, const char *text)
{
  json_t *ledger = look();
  const json_t *endpoint = endpoint_of(ledger, name), *policy, *settings;

  (void)text;
  assert_non_null(endpoint);
  policy = only(endpoint, "Policies");
  settings = json_object_get(policy, "Settings");
  assert_string_equal(text_of(policy, "Type"), "PortMapping");
  assert_int_equal(json_integer_value(json_object_get(settings, "Protocol")), 6);
  assert_int_equal(json_integer_value(json_object_get(settings, "ExternalPort")), host_port);
  assert_int_equal(json_integer_value(json_object_get(settings, "InternalPort")), 80);
  assert_null(json_object_get(settings, "VIP"));
  json_decref(ledger);
}
