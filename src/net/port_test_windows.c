/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <winsock2.h>

#include "net/net_private.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
  WSADATA data;

  (void)WSAStartup(MAKEWORD(2, 2), &data);
}

static int refuse(const struct zl_net_port *port, int code, struct zl_error *err)
{
  char text[ZL_NET_PORT_TEXT];

  zl_net_port_format(port, text);
  if (code == WSAEADDRINUSE || code == WSAEACCES)
    return zl_fail(err, ZL_E_CONFLICT, 0, "port %s: a program of this host is using it", text);
  if (code == WSAEADDRNOTAVAIL)
    return zl_fail(err, ZL_E_INVALID, 0, "port %s: this host has no such address", text);
  return zl_fail(err, ZL_E_SYSTEM, 0, "port %s: Winsock error %d", text, code);
}

/* Exclusive: without it Windows lets a port pass that another program shares. */
static int bind_for_a_moment(SOCKET sock, const struct zl_net_port *port, uint16_t *ret_port,
                             struct zl_error *err)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port->host_port) };
  const BOOL on = TRUE;
  int len = sizeof(address);

  address.sin_addr.s_addr = htonl(port->host_ip);
  if (setsockopt(sock, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof(on)) != 0 ||
      bind(sock, (const struct sockaddr *)&address, len) != 0 ||
      getsockname(sock, (struct sockaddr *)&address, &len) != 0)
    return refuse(port, WSAGetLastError(), err);
  *ret_port = ntohs(address.sin_port);
  return 0;
}

int zl__port_test(const struct zl_net_port *port, uint16_t *ret_port, struct zl_error *err)
{
  const bool tcp = port->protocol == ZL_NET_TCP;
  SOCKET sock;
  int r;

  (void)pthread_once(&once, start);
  sock = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  if (sock == INVALID_SOCKET)
    return refuse(port, WSAGetLastError(), err);
  r = bind_for_a_moment(sock, port, ret_port, err);
  (void)closesocket(sock);
  return r;
}
