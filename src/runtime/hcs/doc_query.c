/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/hcs/doc_private.h"

static json_t *properties(const char *const *names, size_t count, unsigned what)
{
  zl_autojson *array = json_array();

  for (size_t i = 0; i < count; i++)
    if ((what & 1u << i) != 0 && json_array_append_new(array, json_string(names[i])) < 0)
      return NULL;
  return zl_steal_ptr(&array);
}

static int finish(json_t *object, json_t **ret, struct zl_error *err)
{
  if (object == NULL)
    return zl_fail_nomem(err, "query");
  *ret = object;
  return 0;
}

int zl_hcs_doc_properties(unsigned what, json_t **ret, struct zl_error *err)
{
  static const char *const names[] = { "Statistics", "ProcessList", "Memory" };

  return finish(zl_doc_one_part("PropertyTypes", properties(names, ZL_COUNT(names), what)), ret,
                err);
}

int zl_hcs_doc_systems_of(const char *owner, json_t **ret, struct zl_error *err)
{
  static const struct zl_doc_place place = { 0 };
  int r = zl_doc_check_owner(&place, owner, err);

  return r < 0 ? r : finish(zl_doc_one_part("Owners", properties(&owner, 1, 1)), ret, err);
}

int zl_hcs_doc_service(json_t **ret, struct zl_error *err)
{
  static const char *const names[] = { "Basic" };

  return finish(zl_doc_one_part("PropertyTypes", properties(names, 1, 1)), ret, err);
}
