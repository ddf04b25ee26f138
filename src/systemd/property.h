/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties of units: elements (sv) of an array, for zl_systemd_start and zl_systemd_change.
 */
#ifndef ZL_SYSTEMD_PROPERTY_H
#define ZL_SYSTEMD_PROPERTY_H

#include <sys/types.h>

#include "engine/config.h"
#include "systemd/message.h"
#include "systemd/name.h"

void zl_property_u64(struct zl_dbus_out *out, const char *name, uint64_t value);
void zl_property_u32(struct zl_dbus_out *out, const char *name, uint32_t value);
void zl_property_i32(struct zl_dbus_out *out, const char *name, int32_t value);
void zl_property_bool(struct zl_dbus_out *out, const char *name, bool value);
void zl_property_string(struct zl_dbus_out *out, const char *name, const char *value);

/* What every unit of a container has; `pid` goes into a scope and is not used for a slice. */
void zl_property_unit(struct zl_dbus_out *out, const struct zl_unit_name *name, const char *id,
                      pid_t pid);

struct zl_property_host {
  bool is_v2;
  unsigned version; /* of systemd */
};

/* The limits that systemd has a property for. So that it knows them: it would undo what it finds in
 * the files when it is told to read its configuration anew. Others are the engine's alone. */
void zl_property_resources(struct zl_dbus_out *out, const struct zl_resources *res,
                           const struct zl_property_host *host);

/* The device rules, for a host whose device controller is v1: there systemd would allow all devices
 * anew. On v2 it has a program of its own beside ours, and the kernel asks both. */
void zl_property_devices(struct zl_dbus_out *out, const struct zl_resources *res);

#endif
