/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of Windows' Host Compute Network service (schema 2.0). Pure, and like those of the
 * compute service without a field that is empty or not needed.
 */
#ifndef ZL_NET_WIN32_HCN_DOC_H
#define ZL_NET_WIN32_HCN_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_HCN_ADDRESS = 16, /* "255.255.255.255" and its NUL */
  ZL_HCN_MAC = 18      /* "00-15-5d-52-c0-10" */
};

/* A NAT network that has the node's slice as its only subnet. Without the route HCN keeps the first
 * addresses of a subnet for itself. */
struct zl_hcn_network_spec {
  const char *name;    /* "zlayer-1a2b3c4d": of this node's root */
  const char *prefix;  /* the slice: "10.220.99.16/28" */
  const char *gateway; /* its first address */
};
int zl_hcn_doc_network(const struct zl_hcn_network_spec *network, json_t **ret,
                       struct zl_error *err);

struct zl_hcn_port {
  const char *host_ip; /* NULL: every address of the host */
  uint16_t host_port, container_port;
  bool udp;
};
struct zl_hcn_endpoint_spec {
  const char *name;    /* "zlayer-1a2b3c4d-web-rep-1" */
  const char *network; /* GUID */
  const char *address, *gateway;
  unsigned prefix;                                /* bits of the subnet */
  const char *const *dns_servers, *const *search; /* NULL: none */
  const struct zl_hcn_port *ports;
  size_t n_ports;
};
int zl_hcn_doc_endpoint(const struct zl_hcn_endpoint_spec *endpoint, json_t **ret,
                        struct zl_error *err);

/* A container's; only the host's own has a type. */
int zl_hcn_doc_namespace(json_t **ret, struct zl_error *err);
/* HcnModifyNamespace. */
int zl_hcn_doc_attach(const char *endpoint, bool add, json_t **ret, struct zl_error *err);
/* HcnQuery…Properties and HcnEnumerate…: all there is. */
int zl_hcn_doc_query(json_t **ret, struct zl_error *err);

/* What HcnQueryEndpointProperties told. ZL_E_INVALID: it has no such member. */
int zl_hcn_read_mac(const json_t *endpoint, char ret[ZL_HCN_MAC], struct zl_error *err);
/* Whether it holds the address. */
bool zl_hcn_has_address(const json_t *endpoint, const char *address);

#endif
