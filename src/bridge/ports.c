/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/ports.h"

#include <string.h>

#include "bridge/mux.h"

enum {
  WORD = 64,
  WORDS = ZL_MUX_PORT_SPAN / WORD
};

void zl_ports_init(struct zl_ports *ports)
{
  *ports = (struct zl_ports){ .base = ZL_MUX_FIRST_PORT / WORD * WORD };
}

bool zl_ports_used(const struct zl_ports *ports, uint32_t port)
{
  uint32_t at = port - ports->base;

  if (port < ports->base)
    return true;
  return at < ZL_MUX_PORT_SPAN && (ports->bits[at / WORD] >> (at % WORD) & 1) != 0;
}

/* Moves the window up so that `port` is in its last word. */
static void slide(struct zl_ports *ports, uint32_t port)
{
  uint32_t words = (port - ports->base) / WORD - WORDS + 1;

  if (words >= WORDS) {
    memset(ports->bits, 0, sizeof(ports->bits));
  } else {
    memmove(ports->bits, ports->bits + words, (WORDS - words) * sizeof(ports->bits[0]));
    memset(ports->bits + WORDS - words, 0, words * sizeof(ports->bits[0]));
  }
  ports->base += words * WORD;
}

void zl_ports_use(struct zl_ports *ports, uint32_t port)
{
  if (port < ports->base)
    return;
  if (port - ports->base >= ZL_MUX_PORT_SPAN)
    slide(ports, port);
  ports->bits[(port - ports->base) / WORD] |= UINT64_C(1) << ((port - ports->base) % WORD);
}
