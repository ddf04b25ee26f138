/* SPDX-License-Identifier: Apache-2.0
 *
 * Which servers are asked for an image, in which order and how: from config.yaml and from the
 * configuration of containerd (hosts.toml) and of podman (registries.conf).
 *
 * The first that says something about the reference's registry decides alone:
 *   1. `registries` in config.yaml;
 *   2. HOSTS_DIR/HOST/hosts.toml, or HOSTS_DIR/_default/hosts.toml;
 *   3. the longest matching prefix of registries.conf and registries.conf.d.
 * Certificates for a server that none of them gives any come from its directory in HOSTS_DIR or in
 * the directories of podman and docker.
 */
#ifndef ZL_IMAGE_ROUTE_H
#define ZL_IMAGE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/registry_config.h"
#include "image/tls.h"
#include "spec/imageref.h"

/* One server. */
struct zl_stop {
  char *host;       /* "mirror.example.com:5000" */
  char *repository; /* there, with what a mirror puts in front */
  char *api;        /* path of its API; NULL: "/v2" */
  char *ns;         /* the registry in whose place it stands, for its query `ns`; NULL: none */
  char *proxy;      /* instead of the environment's; NULL */
  char **headers;   /* "Name: value", for this server only */
  struct zl_tls tls;
  uint32_t dial_ms; /* to connect; 0: the usual */
  bool http;        /* plain HTTP */
  bool insecure;    /* unverified TLS, or else plain HTTP, will do */
  bool pulls;       /* asked for manifests by digest and for blobs */
  bool resolves;    /* asked for tags */
};

void zl_stop_done(struct zl_stop *stop);

struct zl_route {
  struct zl_stop *stops; /* in the order in which they are asked; the registry itself is the last */
  size_t count;
};
void zl_route_done(struct zl_route *route);
#define zl_autoroute ZL_CLEANUP(zl_route_done) struct zl_route

/* Appends a zeroed stop; NULL after out of memory or ZL_E_LIMIT, *err filled. */
struct zl_stop *zl_route_add(struct zl_route *route, struct zl_error *err);

/* `ref` is of kind registry. Reads files. At least one stop pulls, and one resolves when the
 * reference has no digest. ZL_E_INVALID: a file is wrong (names file, line and key) or leaves no
 * server. ZL_E_PERMISSION: registries.conf blocks it. */
int zl_route_find(const struct zl_registries *registries, const struct zl_image_ref *ref,
                  struct zl_route *ret, struct zl_error *err);

#endif
