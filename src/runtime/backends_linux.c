/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/backends.h"
#include "runtime/fake/fake.h"
#include "runtime/linux/linux.h"
#include "runtime/vm/vm.h"

const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS + 1] = { &zl_linux_ops,
                                                                               &zl_vm_ops,
                                                                               &zl_fake_ops };

const enum zl_os zl_backends_os = ZL_OS_LINUX;

const char *zl_backends_default(const struct zl_service *service)
{
  return service->isolation == ZL_ISOLATION_HYPERV ? "vm" : "linux";
}
