/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "oci/vm/vm.h"

static void remove_text(json_t *list, const char *text)
{
  for (size_t i = json_array_size(list); i-- > 0;) {
    const char *item = json_string_value(json_array_get(list, i));

    if (item != NULL && strcmp(item, text) == 0)
      (void)json_array_remove(list, i);
  }
}

/* What check.c and share.c refuse. */
void oci_machine_restrict(json_t *features)
{
  static const char *const options[] = { "idmap", "ridmap", "shared", "rshared" };
  json_t *linux_object = json_object_get(features, "linux");
  json_t *idmap = json_object_get(json_object_get(linux_object, "mountExtensions"), "idmap");

  remove_text(json_object_get(features, "hooks"), "createContainer");
  remove_text(json_object_get(features, "hooks"), "startContainer");
  remove_text(json_object_get(linux_object, "namespaces"), "user");
  for (size_t i = 0; i < ZL_COUNT(options); i++)
    remove_text(json_object_get(features, "mountOptions"), options[i]);
  (void)json_object_set_new(idmap, "enabled", json_false());
}
