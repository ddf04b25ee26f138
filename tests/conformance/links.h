/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers' networks as each system shows them. Linux lets packets flow; the doubles of Windows'
 * services move none, so there is looked at what they were told, and what a process is shown of it.
 * All of these fail the case that expects wrongly. Containers are named without "-rep-1" and run.
 */
#ifndef ZL_CONFORMANCE_LINKS_H
#define ZL_CONFORMANCE_LINKS_H

#include <stdint.h>

/* It has this address of BOX_SLICE, and that slice's gateway. */
void links_expect_address(const char *name, const char *address);
/* It has no address and no way out. */
void links_expect_none(const char *name);
/* It knows itself by its id, or by this name. */
void links_expect_hostname(const char *name, const char *hostname);
/* Names are asked of this server. */
void links_expect_resolver(const char *name, const char *server);

/* What a server's container runs: it says `text` to whoever connects to port 80. */
const char *links_server(const char *text);
/* `from` connects to port 80 of `to`, at its address, and is told `text`. */
void links_expect_reach(const char *from, const char *to, const char *address, const char *text);
/* Who connects to the host's port gets to port 80 of it, and is told `text`. */
void links_expect_published(const char *name, uint16_t host_port, const char *text);

#endif
