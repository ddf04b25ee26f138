/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "oci/vm/vm.h"

/* As containerd's CRI plugin and CRI-O write them. */
static const char *const names[] = { "io.kubernetes.cri.container-type",
                                     "io.kubernetes.cri-o.ContainerType" };

static bool is_of_type(const json_t *doc, const char *type)
{
  const json_t *annotations = json_object_get(doc, "annotations");

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    const char *text = json_string_value(json_object_get(annotations, names[i]));

    if (text != NULL && strcmp(text, type) == 0)
      return true;
  }
  return false;
}

bool oci_vm_is_sandbox(const json_t *doc)
{
  return is_of_type(doc, "sandbox");
}

int oci_vm_uses_scratch(const json_t *doc, bool *ret, struct zl_error *err)
{
  const char *text = NULL;
  int r = zl_json_get_string(json_object_get(doc, "annotations"), "annotations", OCI_VM_ROOTFS_KEY,
                             &text, err);

  if (r < 0)
    return r;
  if (text != NULL && strcmp(text, "scratch") != 0 && strcmp(text, "bundle") != 0)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "config.json: annotations." OCI_VM_ROOTFS_KEY
                   ": '%.40s' is neither scratch nor bundle",
                   text);
  *ret = text != NULL ? strcmp(text, "scratch") == 0 : oci_vm_is_of_pod(doc);
  return 0;
}

bool oci_vm_is_of_pod(const json_t *doc)
{
  return is_of_type(doc, "container");
}
