/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "runtime/hcs/modify_private.h"

int zl_hcs_modify_namespace(const json_t *properties, bool add, struct zl_hcs_modify *ret,
                            struct zl_error *err)
{
  const char *id = NULL;
  int r = zl_json_get_string(properties, "namespace", "ID", &id, err);

  if (r == 0 && (!json_is_object(properties) || id == NULL))
    r = zl_fail(err, ZL_E_INVALID, 0, "namespace: no properties of one");
  return r < 0 ? r
               : zl_modify_finish_guest(zl_modify_verb(add), "NetworkNamespace",
                                        json_deep_copy(properties), ret, err);
}

/* Six pairs of hexadecimal digits. */
static bool is_mac(const char *mac)
{
  if (mac == NULL || strlen(mac) != 17)
    return false;
  for (size_t i = 0; i < 17; i++)
    if (i % 3 == 2 ? mac[i] != '-' : strchr("0123456789abcdefABCDEF", mac[i]) == NULL)
      return false;
  return true;
}

static int check_nic(const struct zl_hcs_nic *nic, struct zl_error *err)
{
  int r = zl_doc_check_guid(&zl_modify_place, "NetworkAdapters", nic->id, err);

  if (r == 0)
    r = zl_doc_check_guid(&zl_modify_place, "NetworkAdapters.EndpointId", nic->endpoint, err);
  if (r == 0 && !is_mac(nic->mac))
    r = zl_doc_refuse(&zl_modify_place, "NetworkAdapters.MacAddress", nic->mac, "is no address",
                      err);
  return r;
}

static json_t *guest_adapter(const struct zl_hcs_nic *nic, const char *request,
                             const json_t *properties)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "AdapterId", nic->id);
  zl_doc_text(&doc, "RequestType", request);
  if (properties != NULL)
    zl_doc_part(&doc, "Settings", json_deep_copy(properties));
  return zl_doc_end(&doc);
}

/* The adapter's own request is inside; the outer one is always an addition. */
int zl_hcs_modify_nic_announce(const struct zl_hcs_nic *nic, const json_t *properties,
                               struct zl_hcs_modify *ret, struct zl_error *err)
{
  int r = check_nic(nic, err);

  if (r == 0 && (!json_is_object(properties) || json_object_size(properties) == 0))
    r = zl_fail(err, ZL_E_INVALID, 0, "endpoint '%s': no properties of one", nic->endpoint);
  return r < 0 ? r
               : zl_modify_finish_guest("Add", "Network", guest_adapter(nic, "PreAdd", properties),
                                        ret, err);
}

static json_t *host_adapter(const struct zl_hcs_nic *nic)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "EndpointId", nic->endpoint);
  zl_doc_text(&doc, "MacAddress", nic->mac);
  return zl_doc_end(&doc);
}

int zl_hcs_modify_nic(const struct zl_hcs_nic *nic, bool add, struct zl_hcs_modify *ret,
                      struct zl_error *err)
{
  struct zl_hcs_modify modify = { 0 };
  char path[128];
  int r = check_nic(nic, err);

  if (r < 0)
    return r;
  (void)snprintf(path, sizeof(path), ZL_MODIFY_DEVICES "NetworkAdapters/%s", nic->id);
  modify.request = zl_modify_verb(add);
  modify.resource = "Network";
  modify.settings = guest_adapter(nic, zl_modify_verb(add), NULL);
  return zl_modify_finish_both(zl_modify_host(path, zl_modify_verb(add), host_adapter(nic)),
                               &modify, ret, err);
}
