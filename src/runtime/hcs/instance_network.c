/* SPDX-License-Identifier: Apache-2.0
 *
 * A container's endpoint and namespace. They are made together with its system, and anew for a
 * second one: the service does not attach a namespace again that a container has died in.
 */
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/instance_private.h"
#include "runtime/runtime.h"

struct zl_hcn zl_hcs_instance_hcn(const struct zl_hcs_instance *c)
{
  return (struct zl_hcn){ .api = &c->node->api->hcn, .fail = zl_hresult_fail };
}

/* ---- What it is to be ---- */

void zl_hcs_instance_forget_link(struct zl_hcs_own_link *link)
{
  for (size_t i = 0; i < link->n_ports; i++)
    free((void *)(uintptr_t)link->ports[i].host_ip);
  free(link->ports);
  free(link->slice);
  free(link->address);
  free(link->gateway);
  zl_strv_free(link->dns_servers);
  zl_strv_free(link->dns_search);
  *link = (struct zl_hcs_own_link){ 0 };
}

static int copy_ports(struct zl_hcs_own_link *to, const struct zl_hcs_link *from,
                      struct zl_error *err)
{
  to->ports = calloc(from->n_ports, sizeof(*to->ports));
  if (to->ports == NULL && from->n_ports > 0)
    return zl_fail_nomem(err, "published ports");
  for (size_t i = 0; i < from->n_ports; i++) {
    const char *ip = from->ports[i].host_ip;

    to->ports[i] = from->ports[i];
    to->ports[i].host_ip = ip != NULL ? strdup(ip) : NULL;
    to->n_ports++;
    if (ip != NULL && to->ports[i].host_ip == NULL)
      return zl_fail_nomem(err, "published ports");
  }
  return 0;
}

int zl_hcs_instance_note_link(struct zl_hcs_instance *c, const struct zl_hcs_link *link,
                              struct zl_error *err)
{
  struct zl_hcs_own_link *own = &c->link;
  struct zl_hcn_network_spec network = { .name = c->node->network };
  int r;

  if (link == NULL)
    return 0;
  c->has_network = true;
  network.prefix = link->slice;
  zl_hcn_ids_of(&network, c->id, &c->hcn);
  own->prefix = link->prefix;
  own->slice = strdup(link->slice);
  own->address = strdup(link->address);
  own->gateway = strdup(link->gateway);
  if (own->slice == NULL || own->address == NULL || own->gateway == NULL)
    return zl_fail_nomem(err, "a container");
  r = zl_strv_copy(&own->dns_servers, link->dns_servers, err);
  if (r == 0)
    r = zl_strv_copy(&own->dns_search, link->dns_search, err);
  return r < 0 ? r : copy_ports(own, link, err);
}

/* ---- Undoing ---- */

static int undo_endpoint(void *ctx, struct zl_error *err)
{
  const struct zl_hcs_instance *c = ctx;
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);

  return zl_hcn_endpoint_remove(&hcn, &c->hcn.endpoint, err);
}

static int undo_namespace(void *ctx, struct zl_error *err)
{
  const struct zl_hcs_instance *c = ctx;
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);

  return zl_hcn_namespace_remove(&hcn, &c->hcn.space, err);
}

static int undo_attachment(void *ctx, struct zl_error *err)
{
  const struct zl_hcs_instance *c = ctx;
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);

  return zl_hcn_detach(&hcn, &c->hcn, err);
}

/* ---- Making ---- */

static int make_endpoint(struct zl_hcs_instance *c, struct zl_error *err)
{
  const struct zl_hcs_own_link *link = &c->link;
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);
  zl_autofree char *name = zl_asprintf("%s-%s", c->node->network, c->id);
  zl_autofree char *prefix = zl_asprintf("%s-", c->node->network);
  char network[ZL_GUID_CHARS];
  const struct zl_hcn_endpoint_spec endpoint = { .name = name,
                                                 .network =
                                                     zl_guid_format(&c->hcn.network, network),
                                                 .address = link->address,
                                                 .gateway = link->gateway,
                                                 .prefix = link->prefix,
                                                 .dns_servers =
                                                     (const char *const *)link->dns_servers,
                                                 .search = (const char *const *)link->dns_search,
                                                 .ports = link->ports,
                                                 .n_ports = link->n_ports };
  int r = name != NULL && prefix != NULL
              ? zl_hcn_endpoint_create(&hcn, &c->hcn, &endpoint, prefix, err)
              : zl_fail_nomem(err, "a container");

  if (r < 0)
    return zl_context(r, err, "endpoint");
  zl_undo_push(&c->undo, "endpoint", undo_endpoint, c);
  return 0;
}

static int make_namespace(struct zl_hcs_instance *c, struct zl_error *err)
{
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);
  int r = zl_hcn_namespace_create(&hcn, &c->hcn.space, err);

  if (r < 0)
    return zl_context(r, err, "network namespace");
  zl_undo_push(&c->undo, "network namespace", undo_namespace, c);
  r = zl_hcn_attach(&hcn, &c->hcn, err);
  if (r < 0)
    return zl_context(r, err, "attachment of the endpoint");
  zl_undo_push(&c->undo, "attachment of the endpoint", undo_attachment, c);
  return 0;
}

int zl_hcs_instance_make_network(struct zl_hcs_instance *c, struct zl_error *err)
{
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);
  const struct zl_hcn_network_spec network = { .name = c->node->network,
                                               .prefix = c->link.slice,
                                               .gateway = c->link.gateway };
  int r;

  if (!c->has_network)
    return 0;
  r = zl_hcn_network_ensure(&hcn, &network, &c->hcn.network, err);
  if (r < 0)
    return zl_context(r, err, "network");
  r = make_endpoint(c, err);
  return r < 0 ? r : make_namespace(c, err);
}
