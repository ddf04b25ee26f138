/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to systemd: through the system bus or, where that is not there, its private socket.
 * One call at a time; every wait has an end.
 */
#ifndef ZL_SYSTEMD_BUS_H
#define ZL_SYSTEMD_BUS_H

#include "systemd/message.h"

enum {
  ZL_MAX_DBUS_NAME = 255 /* of a bus name: the protocol's own */
};

/* A signal that has come while something else was waited for; the message is gone afterwards. */
typedef void (*zl_bus_signal_fn)(void *ctx, const struct zl_dbus_message *message);

struct zl_bus {
  int fd;
  bool has_broker;      /* a bus lies between, not the private socket */
  uint64_t patience_ns; /* with one call, or one wait for a signal */
  uint32_t serial;      /* of the last call */
  struct zl_buf in;     /* the last message */
  zl_bus_signal_fn on_signal;
  void *ctx;
};

#define ZL_BUS_INIT                                       \
  {                                                       \
    .fd = -1, .in = ZL_BUF_INIT(ZL_MAX_DBUS_MESSAGE + 64) \
  }

/* Connects and introduces itself; bus->patience_ns and on_signal are set. The address is that of
 * DBUS_SYSTEM_BUS_ADDRESS when it is set. The caller ends with zl_bus_close, in any case. */
int zl_bus_open(struct zl_bus *bus, struct zl_error *err);
void zl_bus_close(struct zl_bus *bus);

/* Calls and waits for the reply, whose strings live until the next use of the bus. What is not the
 * reply goes to on_signal, or nowhere. ZL_E_REMOTE: the callee's error, whose name is *ret's
 * error_name, or a broken peer; ZL_E_TIMEOUT. `body` may be NULL. */
int zl_bus_call(struct zl_bus *bus, const struct zl_dbus_call *call, const struct zl_buf *body,
                struct zl_dbus_message *ret, struct zl_error *err);

/* Waits for one message, at most until `deadline` (zl_time_boot), and hands it to on_signal when it
 * is a signal. */
int zl_bus_wait(struct zl_bus *bus, uint64_t deadline, struct zl_error *err);

#endif
