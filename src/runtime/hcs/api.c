/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "image/oscompat.h"
#include "runtime/hcs/hresult.h"

enum flag {
  MAY,
  NEED
};

struct entry {
  const char *library, *name;
  size_t at; /* in the table */
  enum flag flag;
};

#define AT(lib, member, name_, flag_)                                                          \
  {                                                                                            \
    .library = (lib), .name = #name_, .flag = flag_, .at = offsetof(struct zl_hcs_api, member) \
  }

static const struct entry entries[] = {
#define X(flag, ret, name, args) AT("computecore.dll", name, name, flag),
  ZL_COMPUTECORE_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("vmcompute.dll", name, name, flag),
      ZL_VMCOMPUTE_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("computestorage.dll", name, name, flag),
          ZL_COMPUTESTORAGE_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("virtdisk.dll", name, name, flag),
              ZL_VIRTDISK_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("kernel32.dll", name, name, flag),
                  ZL_KERNEL32_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("advapi32.dll", name, name, flag),
                      ZL_ADVAPI32_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("ntdll.dll", name, name, flag),
                          ZL_NTDLL_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("ole32.dll", name, name, flag),
                              ZL_OLE32_ENTRIES(X)
#undef X
#define X(flag, ret, name, args) AT("computenetwork.dll", hcn.name, name, flag),
                                  ZL_HCN_ENTRIES(X)
#undef X
                                      AT("ole32.dll", hcn.CoTaskMemFree, CoTaskMemFree, NEED),
#define X(flag, ret, name, args) AT("ws2_32.dll", hv.name, name, flag),
  ZL_HV_ENTRIES(X)
#undef X
};

int zl_hcs_api_resolve(const struct zl_hcs_resolver *resolver, struct zl_hcs_api *ret,
                       struct zl_error *err)
{
  struct zl_hcs_api api;

  memset(&api, 0, sizeof(api));
  for (size_t i = 0; i < ZL_COUNT(entries); i++) {
    const struct entry *entry = &entries[i];
    void *found = resolver->find(resolver->ctx, entry->library, entry->name);

    if (found == NULL && entry->flag == NEED)
      return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                     "this Windows has no %s in %s: enable its Containers feature (Server 2019 and "
                     "later have it)",
                     entry->name, entry->library);
    memcpy((char *)&api + entry->at, &found, sizeof(found));
  }
  *ret = api;
  return 0;
}

int zl_hcs_host_version(const struct zl_hcs_api *api, struct zl_os_version *ret,
                        struct zl_error *err)
{
  struct zl_win_version version = { .size = sizeof(version) };
  int32_t status = api->RtlGetVersion(&version);

  if (status < 0)
    return zl_fail(err, ZL_E_SYSTEM, 0, "asking for the version of Windows: status 0x%08x",
                   (unsigned)status);
  *ret = (struct zl_os_version){ .major = version.major,
                                 .minor = version.minor,
                                 .build = version.build };
  return 0;
}

int zl_hcs_fail_last(const struct zl_hcs_api *api, struct zl_error *err, const char *fmt, ...)
{
  uint32_t code = api->GetLastError();
  char what[ZL_ERROR_MSG_MAX];
  va_list ap;

  va_start(ap, fmt);
  (void)vsnprintf(what, sizeof(what), fmt, ap);
  va_end(ap);
  return zl_hresult_fail(err, UINT32_C(0x80070000) | (code & 0xffff), what);
}
