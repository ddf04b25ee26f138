/* SPDX-License-Identifier: Apache-2.0
 *
 * http and https addresses, parsed strictly: no user information, no other scheme, no blanks or
 * control characters. What a server sends in `Location` or `realm` goes through here before use.
 */
#ifndef ZL_IMAGE_URL_H
#define ZL_IMAGE_URL_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

enum {
  ZL_URL_HOST = 256 /* a DNS name has at most 253 characters */
};

struct zl_url {
  bool https;
  char host[ZL_URL_HOST]; /* lower case; an IPv6 address with its brackets */
  uint16_t port;          /* always filled: 443 or 80 when the text names none */
  char *path;             /* path and query, starts with "/"; owned */
};

/* ZL_E_INVALID: not such an address. Free with zl_url_done. */
int zl_url_parse(const char *text, struct zl_url *ret, struct zl_error *err);
/* `location` as seen from `base`: absolute, "//host/…", "/path", "?query" or "name". */
int zl_url_resolve(const struct zl_url *base, const char *location, struct zl_url *ret,
                   struct zl_error *err);
/* "https://host[:port]/path" without a default port; a new string, NULL when out of memory. */
char *zl_url_render(const struct zl_url *url);
void zl_url_done(struct zl_url *url);
#define zl_autourl ZL_CLEANUP(zl_url_done) struct zl_url

/* Scheme, host and port are the same: credentials may be sent to one because of the other. */
bool zl_url_same_origin(const struct zl_url *a, const struct zl_url *b);

/* "host[:port]" of a reference or configuration; 0 in *ret_port when there is none. ZL_E_INVALID.
 */
int zl_host_parse(const char *text, char host[ZL_URL_HOST], uint16_t *ret_port,
                  struct zl_error *err);
/* localhost, 127.0.0.0/8 or [::1]. */
bool zl_host_is_loopback(const char *host);

#endif
