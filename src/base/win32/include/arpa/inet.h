/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_BASE_WIN32_ARPA_INET_H
#define ZL_BASE_WIN32_ARPA_INET_H

#define AF_INET  2
#define AF_INET6 23

/* Of ws2_32.dll: needs no WSAStartup. */
__declspec(dllimport) int __stdcall inet_pton(int family, const char *text, void *ret);

#endif
