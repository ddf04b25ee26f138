/* SPDX-License-Identifier: Apache-2.0
 *
 * Pumps bytes between a non-blocking descriptor (socket, pipe pair's end, virtio-serial port) and a
 * client, a server or the streams. One turn moves a bounded number of bytes, so that a flood on one
 * descriptor does not starve the rest of an event loop; poll is level-triggered and reports the
 * rest.
 */
#ifndef ZL_BRIDGE_LINK_H
#define ZL_BRIDGE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "bridge/client.h"
#include "bridge/mux.h"
#include "bridge/server.h"

enum {
  ZL_LINK_CHUNK = 64 << 10, /* of one read */
  ZL_LINK_TURN = 256 << 10, /* bytes in each direction per turn */
  ZL_LINK_BACKLOG = 1 << 20 /* answers a host has not taken: a server reads no more requests */
};

struct zl_link_ops; /* of link.c */

struct zl_link {
  int fd; /* borrowed, non-blocking */
  void *object;
  const struct zl_link_ops *ops;
  bool is_socket; /* written without SIGPIPE; the owner of anything else ignores that signal */
  bool hung_up;   /* see zl_link_pump */
  bool deaf;      /* the other end reads no more; what it wrote is still read */
};

/* The object is borrowed and has to outlive the link. */
void zl_link_client(struct zl_link *link, int fd, struct zl_bridge_client *client);
void zl_link_server(struct zl_link *link, int fd, struct zl_bridge_server *server);
void zl_link_mux(struct zl_link *link, int fd, struct zl_mux *mux);

/* For poll: POLLIN unless answers pile up, POLLOUT when something is to be sent. */
short zl_link_events(const struct zl_link *link);

/* Moves what can be moved now; `revents` is what poll said, or POLLIN | POLLOUT to try both.
 * Negative: the bytes cannot be understood (as feed says), or ZL_E_SYSTEM. With success
 * link->hung_up tells that the other end has gone and all it sent has been read; a client has then
 * been told (zl_bridge_client_hangup). For a socket that is final; a virtio-serial port may be
 * opened again by its host, and then a later pump clears it. */
int zl_link_pump(struct zl_link *link, short revents, struct zl_error *err);

#endif
