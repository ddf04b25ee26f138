/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/modify.h"

#include "base/json.h"
#include "runtime/hcs/modify_private.h"

const struct zl_doc_place zl_modify_place = { 0 };

void zl_hcs_modify_done(struct zl_hcs_modify *modify)
{
  zl_json_decref(&modify->host);
  zl_json_decref(&modify->settings);
  *modify = (struct zl_hcs_modify){ 0 };
}

const char *zl_modify_verb(bool add)
{
  return add ? "Add" : "Remove";
}

json_t *zl_modify_host(const char *path, const char *request, json_t *settings)
{
  struct zl_doc doc;

  zl_doc_init(&doc);
  zl_doc_text(&doc, "ResourcePath", path);
  zl_doc_text(&doc, "RequestType", request);
  if (json_is_integer(settings)) {
    zl_doc_number(&doc, "Settings", (uint64_t)json_integer_value(settings));
    json_decref(settings);
  } else {
    zl_doc_part(&doc, "Settings", settings);
  }
  return zl_doc_end(&doc);
}

/* Hands the change out when all of it could be made. */
static int finish(struct zl_hcs_modify *modify, struct zl_hcs_modify *ret, struct zl_error *err)
{
  if ((modify->resource == NULL && modify->host == NULL) ||
      (modify->resource != NULL && modify->settings == NULL)) {
    zl_hcs_modify_done(modify);
    return zl_fail_nomem(err, "change of a system");
  }
  *ret = *modify;
  return 0;
}

int zl_modify_finish_host(json_t *host, struct zl_hcs_modify *ret, struct zl_error *err)
{
  struct zl_hcs_modify modify = { .host = host };

  return finish(&modify, ret, err);
}

int zl_modify_finish_guest(const char *request, const char *resource, json_t *settings,
                           struct zl_hcs_modify *ret, struct zl_error *err)
{
  struct zl_hcs_modify modify = { .request = request, .resource = resource, .settings = settings };

  return finish(&modify, ret, err);
}

int zl_modify_finish_both(json_t *host, struct zl_hcs_modify *modify, struct zl_hcs_modify *ret,
                          struct zl_error *err)
{
  modify->host = host;
  if (host == NULL) {
    zl_hcs_modify_done(modify);
    return zl_fail_nomem(err, "change of a system");
  }
  return finish(modify, ret, err);
}
