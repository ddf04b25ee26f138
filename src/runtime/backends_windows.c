/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/backends.h"
#include "runtime/fake/fake.h"
#include "runtime/hcs/hcs.h"

const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS] = { &zl_hcs_ops,
                                                                           &zl_fake_ops };

int zl_backends_accept(const struct zl_service *service, struct zl_error *err)
{
  if (service->platform.os == ZL_OS_ANY || service->platform.os == ZL_OS_WINDOWS)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.platform.os: this node runs windows containers only", service->name);
}

/* It decides itself between both isolations, for which it needs the image. */
const char *zl_backends_default(const struct zl_service *service)
{
  (void)service;
  return "hcs";
}
