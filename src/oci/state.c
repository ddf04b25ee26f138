/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "oci/container.h"
#include "oci/options.h"
#include "oci/output.h"

int oci_state(const struct oci *oci, int argc, char **argv, struct zl_error *err)
{
  oci_autocontainer c = OCI_CONTAINER_INIT;
  zl_autojson *doc = NULL;
  const char *id;
  int r = oci_options_id(NULL, 0, argc, argv, &id, err);

  if (r == 0)
    r = oci_container_open(oci, id, false, &c, err);
  if (r < 0)
    return r;
  doc = oci_container_state(&c, oci_container_status(&c));
  return oci_print_json(doc, true, err);
}
