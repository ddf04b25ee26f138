/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets of Hyper-V, as loopback TCP. What listens is known to the server by its address, where a
 * guest finds it.
 */
#include "client.h"

#include <hvsocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ws2tcpip.h>

enum {
  FAMILY = 34,
  RAW = 1,
  MAX_SOCKETS = 256,
  POLL_MS = 50
};

static struct hv {
  SOCKET socket; /* 0: free */
  SOCKADDR_HV address;
  bool bound, listens, closing;
} sockets[MAX_SOCKETS];
static SRWLOCK lock = SRWLOCK_INIT;

static struct hv *find(SOCKET socket)
{
  struct hv *found = NULL;

  AcquireSRWLockShared(&lock);
  for (size_t i = 0; i < MAX_SOCKETS && found == NULL; i++)
    if (socket != 0 && sockets[i].socket == socket)
      found = &sockets[i];
  ReleaseSRWLockShared(&lock);
  return found;
}

static bool remember(SOCKET socket)
{
  bool found = false;

  AcquireSRWLockExclusive(&lock);
  for (size_t i = 0; i < MAX_SOCKETS && !found; i++)
    if (sockets[i].socket == 0) {
      sockets[i] = (struct hv){ .socket = socket };
      found = true;
    }
  ReleaseSRWLockExclusive(&lock);
  return found;
}

SOCKET WSAAPI double_socket(int family, int type, int protocol)
{
  SOCKET made;

  if (family != FAMILY)
    return socket(family, type, protocol);
  if (type != SOCK_STREAM || protocol != RAW) {
    WSASetLastError(WSAEPROTONOSUPPORT);
    return INVALID_SOCKET;
  }
  made = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  if (made != INVALID_SOCKET && !remember(made)) {
    (void)closesocket(made);
    WSASetLastError(WSAEMFILE);
    return INVALID_SOCKET;
  }
  return made;
}

static int fail(int code)
{
  WSASetLastError(code);
  return SOCKET_ERROR;
}

int WSAAPI double_bind(SOCKET socket, const struct sockaddr *address, int len)
{
  struct sockaddr_in loopback = { .sin_family = AF_INET };
  struct hv *hv = find(socket);

  if (hv == NULL)
    return bind(socket, address, len);
  if (len < (int)sizeof(SOCKADDR_HV) || address->sa_family != FAMILY)
    return fail(WSAEFAULT);
  memcpy(&hv->address, address, sizeof(hv->address));
  if (hv->address.Reserved != 0)
    return fail(WSAEADDRNOTAVAIL);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  hv->bound = true;
  return bind(socket, (const struct sockaddr *)&loopback, sizeof(loopback));
}

static json_t *place(const struct hv *hv, int port)
{
  return json_pack("{s:o,s:o,s:i,s:I}", "vm", client_json_guid(&hv->address.VmId), "service",
                   client_json_guid(&hv->address.ServiceId), "port", port, "pid",
                   (json_int_t)GetCurrentProcessId());
}

int WSAAPI double_listen(SOCKET socket, int backlog)
{
  struct hv *hv = find(socket);
  struct sockaddr_in own;
  int len = sizeof(own);

  if (hv == NULL)
    return listen(socket, backlog);
  if (!hv->bound)
    return fail(WSAEINVAL);
  if (listen(socket, backlog) != 0 || getsockname(socket, (struct sockaddr *)&own, &len) != 0)
    return SOCKET_ERROR;
  if (client_simple("sim.listen", place(hv, ntohs(own.sin_port))) != 0)
    return fail(WSAEADDRINUSE);
  hv->listens = true;
  return 0;
}

/* A close of the listening socket, or its shutdown, ends a wait in another thread. */
static bool await(struct hv *hv, SOCKET socket)
{
  for (;;) {
    WSAPOLLFD poll = { .fd = socket, .events = POLLRDNORM };
    int ready = WSAPoll(&poll, 1, POLL_MS);

    if (hv->closing || hv->socket != socket)
      return false;
    if (ready > 0)
      return (poll.revents & POLLRDNORM) != 0;
    if (ready < 0)
      return false;
  }
}

SOCKET WSAAPI double_accept(SOCKET socket, struct sockaddr *address, int *len)
{
  struct hv *hv = find(socket);
  SOCKADDR_HV local;
  SOCKET made;

  if (hv == NULL)
    return accept(socket, address, len);
  local = hv->address;
  if (!await(hv, socket)) {
    WSASetLastError(WSAEINTR);
    return INVALID_SOCKET;
  }
  made = accept(socket, NULL, NULL);
  if (made != INVALID_SOCKET && address != NULL && len != NULL && *len >= (int)sizeof(local)) {
    memcpy(address, &local, sizeof(local));
    *len = sizeof(local);
  }
  return made;
}

int WSAAPI double_getsockname(SOCKET socket, struct sockaddr *address, int *len)
{
  const struct hv *hv = find(socket);

  if (hv == NULL)
    return getsockname(socket, address, len);
  if (*len < (int)sizeof(hv->address))
    return fail(WSAEFAULT);
  memcpy(address, &hv->address, sizeof(hv->address));
  *len = sizeof(hv->address);
  return 0;
}

int WSAAPI double_connect(SOCKET socket, const struct sockaddr *address, int len)
{
  return find(socket) == NULL ? connect(socket, address, len) : fail(WSAECONNREFUSED);
}

int WSAAPI double_shutdown(SOCKET socket, int how)
{
  struct hv *hv = find(socket);

  if (hv == NULL || !hv->listens)
    return shutdown(socket, how);
  hv->closing = true;
  return 0;
}

int WSAAPI double_closesocket(SOCKET socket)
{
  struct hv *hv = find(socket);

  if (hv != NULL) {
    if (hv->listens)
      (void)client_simple("sim.unlisten", place(hv, 0));
    hv->closing = true;
    AcquireSRWLockExclusive(&lock);
    hv->socket = 0;
    ReleaseSRWLockExclusive(&lock);
  }
  return closesocket(socket);
}
