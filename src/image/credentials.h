/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials that `docker login`, `podman login` and credential helpers left on this host.
 *
 * Read in this order, the first file with an entry wins: $REGISTRY_AUTH_FILE (then no other),
 * $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/0/auth.json without it),
 * $XDG_CONFIG_HOME or ~/.config + /containers/auth.json, $DOCKER_CONFIG or ~/.docker +
 * /config.json. Within a file the most specific key wins: "host/namespace/repository" over "host".
 */
#ifndef ZL_IMAGE_CREDENTIALS_H
#define ZL_IMAGE_CREDENTIALS_H

#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_credentials {
  char *username; /* all NULL: anonymous */
  char *password;
  char *identity_token; /* instead of a password */
};

void zl_credentials_done(struct zl_credentials *credentials); /* wipes them */
#define zl_autocredentials ZL_CLEANUP(zl_credentials_done) struct zl_credentials

/* What is known for the repository ("docker.io", "library/busybox"). No entry gives an empty
 * result; so do an unreadable file and a failing helper, after a warning, because most
 * images are public. May run a credential helper (30 s at most). */
void zl_credentials_find(const char *host, const char *repository, struct zl_credentials *ret);

/* One file's say, for tests and the function above: 1 found, 0 no entry. *ret_helper (a new string)
 * names the helper to ask instead, with *ret_server to ask for. ZL_E_INVALID: malformed. */
int zl_credentials_from_text(const char *text, size_t len, const char *host, const char *repository,
                             struct zl_credentials *ret, char **ret_helper, char **ret_server,
                             struct zl_error *err);

/* Runs docker-credential-NAME get for `server`. 1 found, 0 none. ZL_E_NO_COMMAND: not in $PATH. */
int zl_credential_helper_get(const char *name, const char *server, struct zl_credentials *ret,
                             struct zl_error *err);

#endif
