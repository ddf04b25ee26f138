/* SPDX-License-Identifier: Apache-2.0
 *
 * containerd's configuration of one registry: HOSTS_DIR/HOST/hosts.toml.
 */
#ifndef ZL_IMAGE_HOSTS_TOML_H
#define ZL_IMAGE_HOSTS_TOML_H

#include <zlayer/error.h>

#include "image/route.h"

/* The stops of `host` ("docker.io", "127.0.0.1:5000"), without repositories: each [host] in the
 * order of the file that may pull or resolve, then the server. Pure. `dir` is what relative paths
 * of the file are meant from. Unknown keys are ignored with a warning, as containerd ignores them;
 * anything else wrong is ZL_E_INVALID with file, line and key. */
int zl_hosts_toml_parse(const char *text, size_t len, const char *file, const char *dir,
                        const char *host, struct zl_route *ret, struct zl_error *err);

/* Looks for the directory of `host` as containerd does: "host_port_", "host:port", "_default".
 * 1: its hosts.toml decided; 0: there is none, and certificates found there instead are in
 * *ret_tls.
 */
int zl_hosts_dir_find(const char *dir, const char *host, struct zl_route *ret,
                      struct zl_tls *ret_tls, struct zl_error *err);

#endif
