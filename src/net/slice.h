/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's slice of the overlay: pure arithmetic. The network and broadcast addresses are never
 * given out, the first host is the gateway (the bridge), containers get the lowest free of the
 * rest.
 */
#ifndef ZL_NET_SLICE_H
#define ZL_NET_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_SLICE_TEXT = 20 /* "255.255.255.255/32" and its NUL */
};

struct zl_slice {
  uint32_t network; /* host byte order */
  unsigned prefix;  /* 8..30 */
};

/* "10.200.0.0/28". ZL_E_INVALID, saying what is wrong: no IPv4 prefix, shorter than /8 or longer
 * than /30, host bits set (the right text is proposed), or not usable for unicast (0/8, 127/8,
 * 169.254/16, multicast and above). */
int zl_slice_parse(const char *text, struct zl_slice *ret, struct zl_error *err);
const char *zl_slice_format(const struct zl_slice *slice, char text[ZL_SLICE_TEXT]);

uint32_t zl_slice_gateway(const struct zl_slice *slice);
uint32_t zl_slice_first(const struct zl_slice *slice); /* lowest container address */
uint32_t zl_slice_last(const struct zl_slice *slice);  /* highest container address */
uint32_t zl_slice_capacity(const struct zl_slice *slice);
/* True for addresses a container may have. */
bool zl_slice_has(const struct zl_slice *slice, uint32_t address);
/* True when the two networks share an address. */
bool zl_slice_overlaps(const struct zl_slice *slice, uint32_t address, unsigned prefix);

/* One step of the search for the lowest free address, for addresses that come one by one in
 * ascending order: begin with *candidate = zl_slice_first, end when it returns true or there are no
 * more; then *candidate is free if zl_slice_has it. */
bool zl_slice_next_free(uint32_t *candidate, uint32_t taken);

/* The lowest container address not among `taken` (ascending; others than container addresses are
 * ignored), or 0 when there is none. */
uint32_t zl_slice_lowest_free(const struct zl_slice *slice, const uint32_t *taken, size_t count);

#endif
