/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/output.h"

#include <stdio.h>

int oci_print_json(const json_t *doc, bool pretty, struct zl_error *err)
{
  zl_autofree char *text = NULL;

  text = doc != NULL ? json_dumps(doc, pretty ? JSON_INDENT(2) : JSON_COMPACT) : NULL;
  if (text == NULL)
    return zl_fail_nomem(err, "output");
  if (puts(text) < 0 || fflush(stdout) != 0)
    return zl_fail_errno(err, "standard output");
  return 0;
}
