/* SPDX-License-Identifier: Apache-2.0
 *
 * What a workload is told of its container. Its process runs on the one machine that Wine is, so
 * what Windows would show it there is in variables of its environment, made of what the services
 * were given. tests/conformance/windows/sight.c reads them:
 *   HCS_SIM_HOST      its host name
 *   HCS_SIM_USER      whom it runs as
 *   HCS_SIM_HERE      its working directory
 *   HCS_SIM_CONSOLE   ROWSxCOLUMNS, if it has a console
 *   HCS_SIM_LIMITS    "count 2 maximum 0 limit 0 memory 64": of the container, or of its machine
 *   HCS_SIM_MOUNTS    INSIDE|OUTSIDE|rw; … ("ro": read-only)
 *   HCS_SIM_ADDRESS   ADDRESS/LENGTH via GATEWAY, of each adapter, with blanks between
 *   HCS_SIM_RESOLVERS DNS servers, with blanks between
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(json_t *env, const char *name, const char *text)
{
  if (text != NULL && text[0] != '\0')
    (void)json_object_set_new(env, name, json_string(text));
}

/* Takes `text` over; adds `more` behind it. */
static char *append(char *text, const char *between, const char *more)
{
  char *longer = text == NULL ? sim_copy(more) : sim_format("%s%s%s", text, between, more);

  free(text);
  return longer;
}

static void tell_console(json_t *env, const json_t *parameters)
{
  const json_t *size = json_object_get(parameters, "ConsoleSize");
  char text[32];

  if (!json_is_true(json_object_get(parameters, "EmulateConsole")))
    return;
  (void)snprintf(text, sizeof(text), "%dx%d", (int)json_integer_value(json_array_get(size, 0)),
                 (int)json_integer_value(json_array_get(size, 1)));
  tell(env, "HCS_SIM_CONSOLE", text);
}

static int number(const json_t *object, const char *key)
{
  return (int)json_integer_value(json_object_get(object, key));
}

static void tell_limits(json_t *env, const struct system *system, const json_t *container)
{
  const json_t *host =
      system->host == NULL ? NULL : json_object_get(system->host->document, "VirtualMachine");
  const json_t *limits = host == NULL ? container : json_object_get(host, "ComputeTopology");
  const json_t *processor = json_object_get(limits, "Processor");
  char text[96];

  (void)snprintf(text, sizeof(text), "count %d maximum %d limit %d memory %d",
                 number(processor, "Count"), number(processor, "Maximum"),
                 number(processor, "Limit"), number(json_object_get(limits, "Memory"), "SizeInMB"));
  tell(env, "HCS_SIM_LIMITS", text);
}

static void tell_mounts(json_t *env, const struct system *system)
{
  const json_t *bind;
  char *text = NULL;
  size_t i;

  json_array_foreach (system->binds, i, bind) {
    char *one = sim_format("%s|%s|%s", sim_text(bind, "inside"), sim_text(bind, "outside"),
                           json_is_true(json_object_get(bind, "readonly")) ? "ro" : "rw");

    text = append(text, ";", one);
    free(one);
  }
  tell(env, "HCS_SIM_MOUNTS", text);
  free(text);
}

/* ---- Networks -------------------------------------------------------------------------------- */

static char *add_addresses(char *text, const json_t *endpoint)
{
  const json_t *address, *route = json_array_get(json_object_get(endpoint, "Routes"), 0);
  size_t i;

  json_array_foreach (json_object_get(endpoint, "IpConfigurations"), i, address) {
    char *one = sim_format("%s/%d via %s", sim_text(address, "IpAddress"),
                           number(address, "PrefixLength"), sim_text(route, "NextHop"));

    text = append(text, " ", one);
    free(one);
  }
  return text;
}

static char *add_resolvers(char *text, const json_t *endpoint)
{
  const json_t *server;
  size_t i;

  json_array_foreach (json_object_get(json_object_get(endpoint, "Dns"), "ServerList"), i, server)
    text = append(text, " ", json_string_value(server));
  return text;
}

/* In a machine only adapters that are there count, with what the guest was told of them. */
static const json_t *seen(const struct system *system, const char *id, const json_t *endpoint)
{
  const json_t *adapter;

  if (system->host == NULL)
    return endpoint;
  adapter = json_object_get(system->host->guest->adapters, id);
  return strcmp(sim_text(adapter, "state"), "Add") == 0 ? json_object_get(adapter, "endpoint")
                                                        : NULL;
}

static void tell_network(json_t *env, const struct system *system, const json_t *container)
{
  const char *space = sim_text(json_object_get(container, "Networking"), "Namespace"), *id;
  const json_t *all = system->host == NULL ? machine.endpoints : system->host->guest->adapters;
  char *addresses = NULL, *resolvers = NULL;
  const json_t *one;

  json_object_foreach ((json_t *)(uintptr_t)all, id, one) {
    const json_t *endpoint = seen(system, id, one);

    if (endpoint == NULL || space[0] == '\0' ||
        _stricmp(sim_text(endpoint, "HostComputeNamespace"), space) != 0)
      continue;
    addresses = add_addresses(addresses, endpoint);
    resolvers = add_resolvers(resolvers, endpoint);
  }
  tell(env, "HCS_SIM_ADDRESS", addresses);
  tell(env, "HCS_SIM_RESOLVERS", resolvers);
  free(addresses);
  free(resolvers);
}

json_t *sim_sight(const struct system *system, const json_t *parameters)
{
  const json_t *container = json_object_get(system->document, "Container");
  const char *user = sim_text(parameters, "User");
  json_t *env = json_object();

  tell(env, "HCS_SIM_HOST", sim_text(json_object_get(container, "GuestOs"), "HostName"));
  tell(env, "HCS_SIM_USER", user[0] != '\0' ? user : "ContainerAdministrator");
  tell(env, "HCS_SIM_HERE", sim_text(parameters, "WorkingDirectory"));
  tell_console(env, parameters);
  tell_limits(env, system, container);
  tell_mounts(env, system);
  tell_network(env, system, container);
  return env;
}
