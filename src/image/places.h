/* SPDX-License-Identifier: Apache-2.0
 *
 * Where settings lie that are not a node's own. Who can write there decides whom pulls trust.
 */
#ifndef ZL_IMAGE_PLACES_H
#define ZL_IMAGE_PLACES_H

/* NULL: there is no such place on this system. */
struct zl_image_places {
  const char *config;            /* used by nodes whose ROOT has no config.yaml */
  const char *registries_conf;   /* podman's */
  const char *hosts_dir;         /* containerd's */
  const char *const *certs_dirs; /* podman's and docker's; NULL-terminated */
  const char *auth;              /* podman's credentials of a session without XDG_RUNTIME_DIR */
  const char *home;              /* the variable that names the user's directory */
};

extern const struct zl_image_places zl_image_places;

#endif
