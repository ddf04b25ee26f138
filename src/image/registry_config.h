/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's configuration of registries:
 *
 *   registries:
 *     "127.0.0.1:5000": {insecure: true}
 *     docker.io:
 *       mirrors: [mirror.example.com, {url: "https://cache.example.com/hub", tags: true}]
 *     registry.example.com: {ca_file: /etc/zlayer/example-ca.pem, client_cert: /etc/zlayer/me.pem}
 *   registries_conf: /etc/containers/registries.conf     # these three are the defaults; `none`, or
 *   hosts_dir: /etc/containerd/certs.d                   # an empty list, turns one off
 *   certs_dirs: [/etc/containers/certs.d, /etc/docker/certs.d]
 *   signatures: [{prefix: registry.example.com/prod, key: /etc/zlayer/cosign.pub}]
 *
 * in ROOT/config.yaml, or /etc/zlayer/config.yaml when ROOT has none.
 * $ZLAYER_INSECURE_REGISTRIES=host:port,… adds to either. How these go together: image/route.h.
 */
#ifndef ZL_IMAGE_REGISTRY_CONFIG_H
#define ZL_IMAGE_REGISTRY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/policy_config.h"
#include "image/tls.h"
#include "image/url.h"

struct zl_mirror {
  char *host;   /* "mirror.example.com", "10.0.0.1:5000" */
  char *prefix; /* put in front of the repository: "hub"; "" none */
  bool http;    /* written with http://: plain HTTP is wanted */
  bool tags;    /* also asked for tags; a mirror may lag behind, so by default it is not */
};

struct zl_registry_config {
  char *host;    /* as in references: "docker.io", "127.0.0.1:5000" */
  bool insecure; /* plain HTTP and unverified certificates are accepted */
  struct zl_tls tls;
  struct zl_mirror *mirrors; /* in the order they are tried */
  size_t n_mirrors;
};

struct zl_registries {
  struct zl_registry_config *items;
  size_t count;
  char *registries_conf; /* podman's file; NULL: none is read */
  char *hosts_dir;       /* containerd's directories by host; NULL */
  char **certs_dirs;     /* directories of certificates by host; a string vector */
  struct zl_policy policy;
};

/* The text of the configuration, and the name of its file for errors. ZL_E_NOT_FOUND: there is
 * none. */
int zl_node_config_read(int root_fd, const char *root, struct zl_buf *text, char **ret_file,
                        struct zl_error *err);

/* Reads the file and the environment. No file is an empty configuration. ZL_E_INVALID names file,
 * line and field; unknown keys are errors. Free with zl_registries_done. */
int zl_registries_load(int root_fd, const char *root, struct zl_registries *ret,
                       struct zl_error *err);
/* The two parts of the above, pure: a file's text, and the variable's (added to *registries). */
int zl_registries_parse(const char *text, size_t len, const char *file_name,
                        struct zl_registries *ret, struct zl_error *err);
int zl_registries_add_insecure(struct zl_registries *registries, const char *list,
                               struct zl_error *err);
void zl_registries_done(struct zl_registries *registries);
#define zl_autoregistries ZL_CLEANUP(zl_registries_done) struct zl_registries

/* NULL when nothing is configured for that host ("host" or "host:port"). */
const struct zl_registry_config *zl_registries_find(const struct zl_registries *registries,
                                                    const char *host);
/* The same by address: a default port may be written in the configuration or not. */
const struct zl_registry_config *zl_registries_find_url(const struct zl_registries *registries,
                                                        const struct zl_url *url);

#endif
