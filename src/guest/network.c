/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's one link, which the container of a bridged network uses as its own.
 */
#include <string.h>

#include "base/ip4.h"
#include "base/json.h"
#include "guest/settings.h"
#include "net/linux/link.h"

enum {
  MIN_MTU = 576, /* what every IPv4 host must take */
  MAX_MTU = 65535,
  MAX_ENTRIES = 8 /* of the lists of a document; one of each is meant */
};

static int read_link(const json_t *settings, struct zl_link_self *self, uint8_t mac[ZL_MAC],
                     struct zl_error *err)
{
  const char *id = NULL, *text = NULL;
  int64_t mtu = 0;
  int r = zl_json_get_string(settings, "Settings", "ID", &id, err);

  if (r == 0)
    r = zl_json_get_string(settings, "Settings", "MacAddress", &text, err);
  if (r == 0)
    r = zl_json_get_int(settings, "Settings", "Mtu", MIN_MTU, MAX_MTU, 0, &mtu, err);
  if (r < 0)
    return r;
  if (id == NULL || strcmp(id, ZL_LINK_SELF) != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "Settings.ID: only \"" ZL_LINK_SELF "\" is there");
  if (text != NULL && !zl_link_mac_parse(text, mac))
    return zl_fail(err, ZL_E_INVALID, 0, "Settings.MacAddress: '%.40s' is none", text);
  self->mac = text != NULL ? mac : NULL;
  self->mtu = (unsigned)mtu;
  return 0;
}

/* The one entry of a list; NULL: the list is empty or absent. */
static int get_entry(const json_t *settings, const char *name, json_t **ret, struct zl_error *err)
{
  json_t *list;
  int r = zl_json_get_array(settings, "Settings", name, MAX_ENTRIES, &list, err);

  if (r == 0 && json_array_size(list) > 1)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "Settings.%s: more than one", name);
  if (r == 0)
    *ret = json_array_get(list, 0);
  return r;
}

static int read_ip4(const json_t *object, const char *path, const char *key, uint32_t *ret,
                    struct zl_error *err)
{
  const char *text;
  int r = zl_json_get_string(object, path, key, &text, err);

  if (r == 0 && (text == NULL || !zl_ip4_parse(text, ret)))
    r = zl_fail(err, ZL_E_INVALID, 0, "%s.%s: expected an IPv4 address", path, key);
  return r;
}

static int read_address(const json_t *settings, struct zl_link_self *self, bool *ret_has,
                        struct zl_error *err)
{
  json_t *config;
  int64_t prefix;
  int r = get_entry(settings, "IPConfigs", &config, err);

  *ret_has = config != NULL;
  if (r < 0 || config == NULL)
    return r;
  r = read_ip4(config, "IPConfigs", "IPAddress", &self->address, err);
  if (r == 0)
    r = zl_json_get_int(config, "IPConfigs", "PrefixLength", 1, 32, 32, &prefix, err);
  if (r == 0)
    self->prefix = (unsigned)prefix;
  return r;
}

static int read_route(const json_t *settings, struct zl_link_self *self, struct zl_error *err)
{
  const char *destination;
  json_t *route;
  int r = get_entry(settings, "Routes", &route, err);

  if (r < 0 || route == NULL)
    return r;
  r = zl_json_get_string(route, "Routes", "DestinationPrefix", &destination, err);
  if (r == 0 && (destination == NULL || strcmp(destination, "0.0.0.0/0") != 0))
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "Routes.DestinationPrefix: only the default route");
  return r == 0 ? read_ip4(route, "Routes", "NextHop", &self->gateway, err) : r;
}

/* What the link has now: a machine is told twice when it waited in a pool, where it was warmed. */
static struct zl_link_self current;

static int assign(const struct zl_link_self *self, struct zl_error *err)
{
  int r = zl_link_assign_machine(self, current.prefix > 0 ? &current : NULL, err);

  if (r < 0)
    return r;
  current = *self;
  current.mac = NULL;
  return 0;
}

/* Without an address the link goes down. */
int settings_network(const json_t *settings, struct zl_error *err)
{
  struct zl_link_self self = { .prefix = 32, .proc_fd = -1 };
  uint8_t mac[ZL_MAC];
  bool has_address = false;
  int r = read_link(settings, &self, mac, err);

  if (r == 0)
    r = read_address(settings, &self, &has_address, err);
  if (r == 0)
    r = read_route(settings, &self, err);
  if (r < 0)
    return r;
  return has_address ? assign(&self, err) : zl_link_set_down(ZL_LINK_SELF, err);
}
