/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports of streams have been used, so that none is used twice. Only for mux.c.
 *
 * Ports are given out in about increasing order: those more than ZL_MUX_PORT_SPAN below the highest
 * count as used, which keeps the memory fixed however many streams there were.
 */
#ifndef ZL_BRIDGE_PORTS_H
#define ZL_BRIDGE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

enum {
  ZL_MUX_PORT_SPAN = 4096 /* many times the streams that there can be at once */
};

struct zl_ports {
  uint32_t base; /* lower ones count as used; a multiple of 64 */
  uint64_t bits[ZL_MUX_PORT_SPAN / 64];
};

void zl_ports_init(struct zl_ports *ports);
bool zl_ports_used(const struct zl_ports *ports, uint32_t port);
void zl_ports_use(struct zl_ports *ports, uint32_t port);

#endif
