/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/net_private.h"

_Static_assert((int)ZL_NET_TCP == IPPROTO_TCP && (int)ZL_NET_UDP == IPPROTO_UDP, "as IP has them");

/* Binds the port for a moment. SO_REUSEADDR lets a TCP port pass whose last connections are still
 * in TIME_WAIT, but never one that is listened on; on UDP it would let every port pass. */
int zl__port_test(const struct zl_net_port *port, uint16_t *ret_port, struct zl_error *err)
{
  bool tcp = port->protocol == IPPROTO_TCP;
  zl_autofd sock = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons(port->host_port),
                                 .sin_addr.s_addr = htonl(port->host_ip) };
  socklen_t len = sizeof(address);
  char text[ZL_NET_PORT_TEXT];
  const int on = 1;

  if (sock < 0 || (tcp && setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0))
    return zl_fail_errno(err, "opening a socket to test a port");
  zl_net_port_format(port, text);
  if (bind(sock, (struct sockaddr *)&address, len) < 0) {
    if (errno == EADDRINUSE)
      return zl_fail(err, ZL_E_CONFLICT, 0, "port %s: a program of this host is using it", text);
    if (errno == EADDRNOTAVAIL)
      return zl_fail(err, ZL_E_INVALID, 0, "port %s: this host has no such address", text);
    return zl_fail_errno(err, "port %s", text);
  }
  if (getsockname(sock, (struct sockaddr *)&address, &len) < 0)
    return zl_fail_errno(err, "port %s", text);
  *ret_port = ntohs(address.sin_port);
  return 0;
}
