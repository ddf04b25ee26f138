/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of computenetwork.dll, as pointers (base/winabi.h).
 */
#ifndef ZL_NET_WIN32_HCN_API_H
#define ZL_NET_WIN32_HCN_API_H

#include "base/winabi.h"

/* X(NEED or MAY, result, name, parameters): hosts without one that we NEED are refused. Each fills
 * in a record of the error, and like all texts of this library it is freed by CoTaskMemFree. */
#define ZL_HCN_OBJECT(X, one, many)                                                              \
  X(NEED, zl_hr, HcnEnumerate##many, (const zl_wchar *query, zl_wchar **list, zl_wchar **error)) \
  X(NEED, zl_hr, HcnOpen##one, (const struct zl_guid *id, void **object, zl_wchar **error))      \
  X(NEED, zl_hr, HcnModify##one, (void *object, const zl_wchar *settings, zl_wchar **error))     \
  X(NEED, zl_hr, HcnQuery##one##Properties,                                                      \
    (void *object, const zl_wchar *query, zl_wchar **properties, zl_wchar **error))              \
  X(NEED, zl_hr, HcnDelete##one, (const struct zl_guid *id, zl_wchar **error))                   \
  X(NEED, zl_hr, HcnClose##one, (void *object))
#define ZL_HCN_CREATE(X, flag, one) \
  X(flag, zl_hr, HcnCreate##one,    \
    (const struct zl_guid *id, const zl_wchar *settings, void **object, zl_wchar **error))
#define ZL_HCN_ENTRIES(X)                                                              \
  ZL_HCN_OBJECT(X, Network, Networks)                                                  \
  ZL_HCN_CREATE(X, NEED, Network)                                                      \
  ZL_HCN_OBJECT(X, Namespace, Namespaces)                                              \
  ZL_HCN_CREATE(X, NEED, Namespace)                                                    \
  ZL_HCN_OBJECT(X, Endpoint, Endpoints)                                                \
  X(NEED, zl_hr, HcnCreateEndpoint,                                                    \
    (void *network, const struct zl_guid *id, const zl_wchar *settings, void **object, \
     zl_wchar **error))

struct zl_hcn_api {
#define X(flag, ret, name, args) ret(*name) args;
  ZL_HCN_ENTRIES(X)
#undef X
  void (*CoTaskMemFree)(void *memory);
};

#endif
