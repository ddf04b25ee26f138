/* SPDX-License-Identifier: Apache-2.0
 *
 * How one server is reached over TLS, and the directories of certificates that docker, podman and
 * containerd share: DIR/HOST[:PORT]/ with authorities in *.crt, and a client's certificate in
 * NAME.cert with its key in NAME.key.
 */
#ifndef ZL_IMAGE_TLS_H
#define ZL_IMAGE_TLS_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_tls {
  bool skip_verify; /* do not check the server's certificate */
  char **ca_files;  /* trusted besides the system's authorities; a string vector */
  char *cert_file;  /* the client's own certificate, PEM; NULL: none */
  char *key_file;   /* NULL: in cert_file */
};

void zl_tls_done(struct zl_tls *tls);
#define zl_autotls ZL_CLEANUP(zl_tls_done) struct zl_tls
/* *ret has to be zero; also to be released after a failure. */
int zl_tls_copy(const struct zl_tls *tls, struct zl_tls *ret, struct zl_error *err);
/* True when nothing is said. */
bool zl_tls_is_empty(const struct zl_tls *tls);

/* What lies in the directory `path`: 1 found something, 0 nothing or no such directory.
 * ZL_E_INVALID: half a pair, or more than one pair. */
int zl_tls_load_dir(const char *path, struct zl_tls *ret, struct zl_error *err);

#endif
