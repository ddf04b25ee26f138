/* SPDX-License-Identifier: Apache-2.0 */
#include "image/places.h"

#include <stddef.h>

static const char *const certs_dirs[] = { "/etc/containers/certs.d", "/etc/docker/certs.d", NULL };

const struct zl_image_places zl_image_places = { .config = "/etc/zlayer/config.yaml",
                                                 .registries_conf =
                                                     "/etc/containers/registries.conf",
                                                 .hosts_dir = "/etc/containerd/certs.d",
                                                 .certs_dirs = certs_dirs,
                                                 .auth = "/run/containers/0/auth.json",
                                                 .home = "HOME" };
