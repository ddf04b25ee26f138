/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/backends.h"
#include "runtime/fake/fake.h"
#include "runtime/linux/linux.h"
#include "runtime/vm/vm.h"

const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS] = { &zl_linux_ops,
                                                                           &zl_vm_ops,
                                                                           &zl_fake_ops };

int zl_backends_accept(const struct zl_service *service, struct zl_error *err)
{
  if (service->platform.os == ZL_OS_ANY || service->platform.os == ZL_OS_LINUX)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.platform.os: this node runs linux containers only", service->name);
}

const char *zl_backends_default(const struct zl_service *service)
{
  return service->isolation == ZL_ISOLATION_HYPERV ? "vm" : "linux";
}
