/* SPDX-License-Identifier: Apache-2.0
 *
 * One stream of a guest process and what is at its end on the host: a stream of the container (log
 * and attached clients), or a descriptor.
 */
#ifndef ZL_SHIM_VM_PORT_H
#define ZL_SHIM_VM_PORT_H

#include "base/buf.h"
#include "shim/stream.h"
#include "shim/vm/guest.h"

struct port;
struct ports;

/* The stream is over: the last byte has been delivered, or nobody takes it any more. The port is
 * freed by its owner then or later (port_close). */
typedef void (*port_ended_fn)(struct port *port, void *ctx);

/* All ports of a machine. */
struct ports {
  struct guest *guest;
  struct port *first;
  bool generous; /* the workload has ended: what is left is taken whatever clients lag */
};

/* Hooks for the guest's mux; their context is the object. */
struct zl_mux_hooks ports_hooks(struct ports *ports);
/* Closes every port. */
void ports_close(struct ports *ports);
/* From now on output of the container is taken as it comes. */
void ports_be_generous(struct ports *ports);

/* Each makes a port that the guest may connect; the number is what ExecuteProcess is told. `fd` is
 * taken over on success and made non-blocking. */
int port_to_stream(struct ports *ports, struct stream *stream, port_ended_fn ended, void *ctx,
                   struct port **ret, struct zl_error *err);
int port_to_fd(struct ports *ports, int fd, port_ended_fn ended, void *ctx, struct port **ret,
               struct zl_error *err);
/* What comes is dropped. */
int port_to_nobody(struct ports *ports, struct port **ret, struct zl_error *err);
int port_from_fd(struct ports *ports, int fd, struct port **ret, struct zl_error *err);

uint32_t port_number(const struct port *port); /* 0 for NULL */
bool port_is_over(const struct port *port);    /* true for NULL */
/* Frees it and drops the stream. NULL is fine. */
void port_close(struct port *port);

#endif
