/* SPDX-License-Identifier: Apache-2.0
 *
 * The three files that a container finds in /etc, as text. Nothing is written here. Names are
 * checked, so that no entry can add a line of its own.
 */
#ifndef ZL_NET_FILES_H
#define ZL_NET_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_hosts_entry {
  const char *name;
  uint32_t address; /* host byte order */
};

struct zl_hosts {
  const char *hostname;
  uint32_t address;         /* the container's; 0: it has none */
  uint32_t gateway;         /* what "host-gateway" stands for; 0: it is refused */
  const char *const *extra; /* "name:address", "name=address", "name:host-gateway"; NULL: none */
  const struct zl_hosts_entry *others; /* other services of the deployment */
  size_t n_others;
};

/* A new string, which the caller frees. ZL_E_INVALID names the entry. */
int zl_files_hosts(const struct zl_hosts *hosts, char **ret, struct zl_error *err);

struct zl_resolv {
  const char *const *servers; /* NULL: those of the host */
  const char *const *search;  /* NULL: the host's */
  const char *const *options; /* NULL: the host's */
  const char *host;           /* text of the host's /etc/resolv.conf; NULL: it has none */
};

/* The host's name servers on its loopback (a local stub such as 127.0.0.53) cannot be reached from
 * a container and are left out, as are IPv6 ones; 1.1.1.1 and 8.8.8.8 are used when none is left.
 * A new string, which the caller frees. ZL_E_INVALID names the server. */
int zl_files_resolv(const struct zl_resolv *resolv, char **ret, struct zl_error *err);

/* The host name and a newline. ZL_E_INVALID: not a host name. */
int zl_files_hostname(const char *hostname, char **ret, struct zl_error *err);

#endif
