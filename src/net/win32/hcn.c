/* SPDX-License-Identifier: Apache-2.0 */
#include "net/win32/hcn.h"

#include <pthread.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

/* The service gets into a tangle when objects are made and removed side by side. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

typedef zl_hr (*open_fn)(const struct zl_guid *id, void **object, zl_wchar **error);
typedef zl_hr (*close_fn)(void *object);
typedef zl_hr (*delete_fn)(const struct zl_guid *id, zl_wchar **error);
typedef zl_hr (*query_fn)(void *object, const zl_wchar *query, zl_wchar **answer, zl_wchar **error);

void zl_hcn_ids_of(const struct zl_hcn_network_spec *network, const char *container,
                   struct zl_hcn_ids *ret)
{
  const char *net[] = { "network", network->name, network->prefix, NULL };
  const char *endpoint[] = { "endpoint", network->name, container, NULL };
  const char *space[] = { "namespace", network->name, container, NULL };

  zl_guid_of(net, &ret->network);
  zl_guid_of(endpoint, &ret->endpoint);
  zl_guid_of(space, &ret->space);
}

/* ---- Texts ---- */

static int take_text(const struct zl_hcn *hcn, zl_wchar *wide, char **ret, struct zl_error *err)
{
  int r;

  *ret = NULL;
  if (wide == NULL)
    return 0;
  r = zl_wide_text(wide, ZL_MAX_HCS_DOCUMENT, ret, err);
  hcn->api->CoTaskMemFree(wide);
  return r;
}

static int wide_document(json_t *document, zl_wchar **ret, struct zl_error *err)
{
  zl_autojson *owned = document;
  zl_autofree char *text = NULL;
  int r = zl_json_render(owned, &text, err);

  return r < 0 ? r : zl_wide_new(text, ret, err);
}

static int parse(char *text, const char *what, json_t **ret, struct zl_error *err)
{
  zl_autofree char *owned = text;

  if (owned == NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s: the network service gave no answer", what);
  return zl_json_parse_upto(owned, strlen(owned), ZL_MAX_HCS_DOCUMENT, what, ret, err);
}

/* A call has failed, too, that says S_OK and leaves a record of an error. */
static int check(const struct zl_hcn *hcn, zl_hr hr, zl_wchar *record, const char *what,
                 struct zl_error *err)
{
  zl_hr told = UINT32_C(0x80004005);
  bool failed = (hr & UINT32_C(0x80000000)) != 0;
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  char whole[ZL_ERROR_MSG_MAX];
  const char *message = NULL;
  json_int_t code;

  (void)take_text(hcn, record, &text, NULL);
  if (!failed && (text == NULL || *text == '\0'))
    return 0;
  if (text != NULL && zl_json_parse(text, strlen(text), what, &json, NULL) == 0)
    message = json_string_value(json_object_get(json, "Error"));
  code = json_integer_value(json_object_get(json, "ErrorCode")); /* with a sign or without */
  if (code != 0)
    told = (zl_hr)code;
  if (message != NULL)
    (void)snprintf(whole, sizeof(whole), "%s: %.300s", what, message);
  return hcn->fail(err, failed ? hr : told, message != NULL ? whole : what);
}

/* ---- Any kind of object ---- */

static int open_object(const struct zl_hcn *hcn, open_fn fn, const struct zl_guid *id,
                       const char *what, void **ret, struct zl_error *err)
{
  zl_wchar *record = NULL;
  zl_hr hr = fn(id, ret, &record);

  return check(hcn, hr, record, what, err);
}

static int delete_locked(const struct zl_hcn *hcn, delete_fn fn, const struct zl_guid *id,
                         const char *what, struct zl_error *err)
{
  struct zl_error why = { 0 };
  zl_wchar *record = NULL;
  zl_hr hr = fn(id, &record);
  int r = check(hcn, hr, record, what, &why);

  if (r == 0 || r == -ZL_E_NOT_FOUND)
    return 0;
  if (err != NULL)
    *err = why;
  return r;
}

static int delete_object(const struct zl_hcn *hcn, delete_fn fn, const struct zl_guid *id,
                         const char *what, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&changing);
  r = delete_locked(hcn, fn, id, what, err);
  (void)pthread_mutex_unlock(&changing);
  return r;
}

static int query_object(const struct zl_hcn *hcn, query_fn fn, void *object, const char *what,
                        json_t **ret, struct zl_error *err)
{
  zl_autofree zl_wchar *query = NULL;
  zl_wchar *answer = NULL, *record = NULL;
  json_t *document = NULL;
  char *text = NULL;
  int r = zl_hcn_doc_query(&document, err);
  zl_hr hr;

  if (r == 0)
    r = wide_document(document, &query, err);
  if (r < 0)
    return r;
  hr = fn(object, query, &answer, &record);
  r = check(hcn, hr, record, what, err);
  if (r == 0)
    r = take_text(hcn, answer, &text, err);
  else if (answer != NULL)
    hcn->api->CoTaskMemFree(answer);
  return r < 0 ? r : parse(text, what, ret, err);
}

/* ---- Networks ---- */

static int network_create(const struct zl_hcn *hcn, const struct zl_hcn_network_spec *network,
                          const struct zl_guid *id, struct zl_error *err)
{
  zl_autofree zl_wchar *text = NULL;
  zl_wchar *record = NULL;
  json_t *document = NULL;
  void *object = NULL;
  int r = zl_hcn_doc_network(network, &document, err);
  zl_hr hr;

  if (r == 0)
    r = wide_document(document, &text, err);
  if (r < 0)
    return r;
  hr = hcn->api->HcnCreateNetwork(id, text, &object, &record);
  r = check(hcn, hr, record, "HcnCreateNetwork", err);
  if (object != NULL)
    (void)hcn->api->HcnCloseNetwork(object);
  return r;
}

static int network_find(const struct zl_hcn *hcn, const struct zl_guid *id, struct zl_error *err)
{
  void *object = NULL;
  int r = open_object(hcn, hcn->api->HcnOpenNetwork, id, "HcnOpenNetwork", &object, err);

  if (object != NULL)
    (void)hcn->api->HcnCloseNetwork(object);
  return r;
}

static int ensure_locked(const struct zl_hcn *hcn, const struct zl_hcn_network_spec *network,
                         const struct zl_guid *id, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = network_find(hcn, id, &why);

  if (r == -ZL_E_NOT_FOUND) {
    r = network_create(hcn, network, id, &why);
    /* Another container's shim may have made it meanwhile. */
    if (r == -ZL_E_CONFLICT && network_find(hcn, id, NULL) == 0)
      return 0;
  }
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

int zl_hcn_network_ensure(const struct zl_hcn *hcn, const struct zl_hcn_network_spec *network,
                          const struct zl_guid *id, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&changing);
  r = ensure_locked(hcn, network, id, err);
  (void)pthread_mutex_unlock(&changing);
  return r;
}

int zl_hcn_network_remove(const struct zl_hcn *hcn, const struct zl_guid *id, struct zl_error *err)
{
  return delete_object(hcn, hcn->api->HcnDeleteNetwork, id, "HcnDeleteNetwork", err);
}

/* ---- Endpoints ---- */

static int endpoint_of(const struct zl_hcn *hcn, void *network, const struct zl_guid *id,
                       const struct zl_hcn_endpoint_spec *endpoint, struct zl_error *err)
{
  zl_autofree zl_wchar *text = NULL;
  zl_wchar *record = NULL;
  json_t *document = NULL;
  void *object = NULL;
  int r = zl_hcn_doc_endpoint(endpoint, &document, err);
  zl_hr hr;

  if (r == 0)
    r = wide_document(document, &text, err);
  if (r < 0)
    return r;
  hr = hcn->api->HcnCreateEndpoint(network, id, text, &object, &record);
  r = check(hcn, hr, record, "HcnCreateEndpoint", err);
  if (object != NULL)
    (void)hcn->api->HcnCloseEndpoint(object);
  if (r < 0 && object != NULL) /* made, and not as it should be */
    (void)delete_locked(hcn, hcn->api->HcnDeleteEndpoint, id, "HcnDeleteEndpoint", NULL);
  return r;
}

int zl_hcn_endpoint_query(const struct zl_hcn *hcn, const struct zl_guid *id, json_t **ret,
                          struct zl_error *err)
{
  void *object = NULL;
  int r = open_object(hcn, hcn->api->HcnOpenEndpoint, id, "HcnOpenEndpoint", &object, err);

  if (r == 0)
    r = query_object(hcn, hcn->api->HcnQueryEndpointProperties, object,
                     "HcnQueryEndpointProperties", ret, err);
  if (object != NULL)
    (void)hcn->api->HcnCloseEndpoint(object);
  return r;
}

static bool is_ours(const json_t *endpoint, const char *prefix, const char *address)
{
  const char *name = json_string_value(json_object_get(endpoint, "Name"));

  return name != NULL && strncmp(name, prefix, strlen(prefix)) == 0 &&
         zl_hcn_has_address(endpoint, address);
}

static int list_endpoints(const struct zl_hcn *hcn, json_t **ret)
{
  zl_autofree zl_wchar *query = NULL;
  zl_wchar *answer = NULL, *record = NULL;
  json_t *document = NULL;
  char *text = NULL;
  int r = zl_hcn_doc_query(&document, NULL);
  zl_hr hr;

  if (r == 0)
    r = wide_document(document, &query, NULL);
  if (r < 0)
    return r;
  hr = hcn->api->HcnEnumerateEndpoints(query, &answer, &record);
  r = check(hcn, hr, record, "HcnEnumerateEndpoints", NULL);
  (void)take_text(hcn, answer, &text, NULL);
  if (r < 0) {
    free(text);
    return r;
  }
  return parse(text, "HcnEnumerateEndpoints", ret, NULL);
}

/* An endpoint of ours that no container has any more still holds the address that the new one is
 * given: who has the lease has the address. */
static bool evict(const struct zl_hcn *hcn, const char *prefix, const char *address)
{
  zl_autojson *list = NULL;
  bool evicted = false;

  if (list_endpoints(hcn, &list) < 0)
    return false;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    zl_autojson *endpoint = NULL;
    struct zl_guid id;

    if (text == NULL || !zl_guid_parse(text, &id) ||
        zl_hcn_endpoint_query(hcn, &id, &endpoint, NULL) < 0 || !is_ours(endpoint, prefix, address))
      continue;
    evicted =
        delete_locked(hcn, hcn->api->HcnDeleteEndpoint, &id, "HcnDeleteEndpoint", NULL) == 0 ||
        evicted;
  }
  return evicted;
}

static int create_locked(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids,
                         const struct zl_hcn_endpoint_spec *endpoint, const char *prefix,
                         struct zl_error *err)
{
  struct zl_error why = { 0 };
  void *network = NULL;
  int r =
      delete_locked(hcn, hcn->api->HcnDeleteEndpoint, &ids->endpoint, "HcnDeleteEndpoint", &why);

  if (r == 0)
    r = open_object(hcn, hcn->api->HcnOpenNetwork, &ids->network, "HcnOpenNetwork", &network, &why);
  if (r == 0)
    r = endpoint_of(hcn, network, &ids->endpoint, endpoint, &why);
  if (r == -ZL_E_NO_ADDRESS && evict(hcn, prefix, endpoint->address))
    r = endpoint_of(hcn, network, &ids->endpoint, endpoint, &why);
  if (network != NULL)
    (void)hcn->api->HcnCloseNetwork(network);
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

int zl_hcn_endpoint_create(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids,
                           const struct zl_hcn_endpoint_spec *endpoint, const char *prefix,
                           struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&changing);
  r = create_locked(hcn, ids, endpoint, prefix, err);
  (void)pthread_mutex_unlock(&changing);
  return r;
}

int zl_hcn_endpoint_remove(const struct zl_hcn *hcn, const struct zl_guid *id, struct zl_error *err)
{
  return delete_object(hcn, hcn->api->HcnDeleteEndpoint, id, "HcnDeleteEndpoint", err);
}

/* ---- Namespaces ---- */

static int space_locked(const struct zl_hcn *hcn, const struct zl_guid *id, struct zl_error *err)
{
  zl_autofree zl_wchar *text = NULL;
  zl_wchar *record = NULL;
  json_t *document = NULL;
  void *object = NULL;
  int r = delete_locked(hcn, hcn->api->HcnDeleteNamespace, id, "HcnDeleteNamespace", err);
  zl_hr hr;

  if (r == 0)
    r = zl_hcn_doc_namespace(&document, err);
  if (r == 0)
    r = wide_document(document, &text, err);
  if (r < 0)
    return r;
  hr = hcn->api->HcnCreateNamespace(id, text, &object, &record);
  r = check(hcn, hr, record, "HcnCreateNamespace", err);
  if (object != NULL)
    (void)hcn->api->HcnCloseNamespace(object);
  if (r < 0 && object != NULL)
    (void)delete_locked(hcn, hcn->api->HcnDeleteNamespace, id, "HcnDeleteNamespace", NULL);
  return r;
}

int zl_hcn_namespace_create(const struct zl_hcn *hcn, const struct zl_guid *id,
                            struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&changing);
  r = space_locked(hcn, id, err);
  (void)pthread_mutex_unlock(&changing);
  return r;
}

int zl_hcn_namespace_remove(const struct zl_hcn *hcn, const struct zl_guid *id,
                            struct zl_error *err)
{
  return delete_object(hcn, hcn->api->HcnDeleteNamespace, id, "HcnDeleteNamespace", err);
}

int zl_hcn_namespace_query(const struct zl_hcn *hcn, const struct zl_guid *id, json_t **ret,
                           struct zl_error *err)
{
  void *object = NULL;
  int r = open_object(hcn, hcn->api->HcnOpenNamespace, id, "HcnOpenNamespace", &object, err);

  if (r == 0)
    r = query_object(hcn, hcn->api->HcnQueryNamespaceProperties, object,
                     "HcnQueryNamespaceProperties", ret, err);
  if (object != NULL)
    (void)hcn->api->HcnCloseNamespace(object);
  return r;
}

static int modify_space(const struct zl_hcn *hcn, void *space, const struct zl_guid *endpoint,
                        bool add, struct zl_error *err)
{
  zl_autofree zl_wchar *text = NULL;
  zl_wchar *record = NULL;
  json_t *document = NULL;
  char guid[ZL_GUID_CHARS];
  int r = zl_hcn_doc_attach(zl_guid_format(endpoint, guid), add, &document, err);
  zl_hr hr;

  if (r == 0)
    r = wide_document(document, &text, err);
  if (r < 0)
    return r;
  hr = hcn->api->HcnModifyNamespace(space, text, &record);
  return check(hcn, hr, record, "HcnModifyNamespace", err);
}

static int modify_attachment(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids, bool add,
                             struct zl_error *err)
{
  void *space = NULL;
  int r =
      open_object(hcn, hcn->api->HcnOpenNamespace, &ids->space, "HcnOpenNamespace", &space, err);

  if (r == 0)
    r = modify_space(hcn, space, &ids->endpoint, add, err);
  if (space != NULL)
    (void)hcn->api->HcnCloseNamespace(space);
  return r;
}

int zl_hcn_attach(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids, struct zl_error *err)
{
  return modify_attachment(hcn, ids, true, err);
}

int zl_hcn_detach(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = modify_attachment(hcn, ids, false, &why);

  if (r == 0 || r == -ZL_E_NOT_FOUND)
    return 0;
  if (err != NULL)
    *err = why;
  return r;
}
