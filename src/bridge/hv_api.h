/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of ws2_32.dll, as pointers (base/winabi.h), and what is theirs of Hyper-V sockets.
 */
#ifndef ZL_BRIDGE_HV_API_H
#define ZL_BRIDGE_HV_API_H

#include "base/winabi.h"

/* X(NEED or MAY, result, name, parameters) */
#define ZL_HV_ENTRIES(X)                                                       \
  X(NEED, int, WSAStartup, (uint16_t version, void *data))                     \
  X(NEED, int, WSAGetLastError, (void))                                        \
  X(NEED, zl_socket, socket, (int family, int type, int protocol))             \
  X(NEED, int, bind, (zl_socket socket, const void *address, int len))         \
  X(NEED, int, listen, (zl_socket socket, int backlog))                        \
  X(NEED, zl_socket, accept, (zl_socket socket, void *address, int *len))      \
  X(NEED, int, recv, (zl_socket socket, char *data, int len, int flags))       \
  X(NEED, int, send, (zl_socket socket, const char *data, int len, int flags)) \
  X(NEED, int, shutdown, (zl_socket socket, int how))                          \
  X(NEED, int, closesocket, (zl_socket socket))

struct zl_hv_api {
#define X(flag, ret, name, args) ret(*name) args;
  ZL_HV_ENTRIES(X)
#undef X
};

enum {
  ZL_HV_FAMILY = 34,  /* AF_HYPERV */
  ZL_HV_STREAM = 1,   /* SOCK_STREAM */
  ZL_HV_PROTOCOL = 1, /* HV_PROTOCOL_RAW */
  ZL_HV_SEND = 1,     /* SD_SEND */
  ZL_HV_BOTH = 2,     /* SD_BOTH */
  ZL_HV_WSADATA = 512 /* more than WSADATA has */
};

struct zl_hv_address { /* SOCKADDR_HV */
  uint16_t family, reserved;
  struct zl_guid vm, service;
};
_Static_assert(sizeof(struct zl_hv_address) == 36, "SOCKADDR_HV");

#endif
