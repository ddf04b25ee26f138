/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/backends.h"
#include "runtime/fake/fake.h"
#include "runtime/hcs/hcs.h"

const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS + 1] = { &zl_hcs_ops,
                                                                               &zl_fake_ops };

const enum zl_os zl_backends_os = ZL_OS_WINDOWS;

/* It decides itself between both isolations, for which it needs the image. */
const char *zl_backends_default(const struct zl_service *service)
{
  (void)service;
  return "hcs";
}
