/* SPDX-License-Identifier: Apache-2.0
 *
 * The WWW-Authenticate header of a registry: which scheme it wants and, for Bearer, where tokens
 * come from. Everything in it is written by the server and is checked by the caller before use.
 */
#ifndef ZL_IMAGE_AUTH_HEADER_H
#define ZL_IMAGE_AUTH_HEADER_H

#include <zlayer/error.h>

#include "base/cleanup.h"

enum zl_auth_scheme {
  ZL_AUTH_BASIC,
  ZL_AUTH_BEARER
};

struct zl_auth_challenge {
  enum zl_auth_scheme scheme;
  char *realm;   /* Bearer: never NULL */
  char *service; /* or NULL */
  char *scope;   /* or NULL */
};

/* Parses one header value, which may list several challenges; the first Bearer wins, else the first
 * Basic. ZL_E_REMOTE: none of both, or malformed. Free with zl_auth_challenge_done. */
int zl_auth_challenge_parse(const char *header, struct zl_auth_challenge *ret,
                            struct zl_error *err);
void zl_auth_challenge_done(struct zl_auth_challenge *challenge);
#define zl_autochallenge ZL_CLEANUP(zl_auth_challenge_done) struct zl_auth_challenge

#endif
