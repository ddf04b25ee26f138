/* SPDX-License-Identifier: Apache-2.0
 *
 * A test's own world: a network namespace that plays the host, with a root directory, a database
 * and a zl_net; further namespaces as containers; and small blocking sockets in any of them.
 * Everything fails the test by assertion. All waits are bounded.
 */
#ifndef ZL_TESTS_NET_BOX_H
#define ZL_TESTS_NET_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"

struct box {
  char root[64];
  int root_fd;
  int host_ns;
  struct zl_store *store;
  struct zl_net *net;
};

/* cmocka fixtures: *state is a struct box in a fresh network namespace with lo up, slice
 * 10.200.0.0/28. The end checks that no link of ours and no table is left. */
int box_new(void **state);
int box_free(void **state);

uint32_t box_ip(const char *text);
uint64_t box_now(void); /* CLOCK_MONOTONIC, ns */

/* A new namespace, held by the descriptor alone. */
int box_namespace(void);
void box_enter(int ns);

/* Lease, link and address for a container in a new namespace, as a start does it. */
struct container {
  char id[16];
  int ns;
  struct zl_lease lease;
};
struct container box_container(struct box *box, const char *id);
/* As a removal does it. */
void box_remove(struct box *box, struct container *container);

/* A namespace that plays another machine: 192.0.2.2, reaching the host as 192.0.2.1. */
int box_outside(struct box *box);

/* Sockets in a namespace; `type` SOCK_STREAM or SOCK_DGRAM. */
int box_listen(int ns, int type, const char *address, uint16_t port);
/* True when a client in `ns` gets through `address`:`port` to the listening socket and has its
 * answer from there; *ret_peer (may be NULL) is whom the server saw. Gives up after 300 ms. */
bool box_talk(int ns, int type, const char *address, uint16_t port, int listener,
              uint32_t *ret_peer);
/* True when the datagram socket gets something within 200 ms. */
bool box_gets(int socket);

#endif
