/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

int oci_checkpoint(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  (void)oci;
  (void)argc;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s: unsupported by this runtime", argv[0]);
}
