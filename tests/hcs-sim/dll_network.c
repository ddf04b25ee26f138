/* SPDX-License-Identifier: Apache-2.0
 *
 * computenetwork.dll. Every text, the error record too, is for CoTaskMemFree.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* The record of an error: of failures, and of calls whose answer says so. */
static hr_t finish(json_t *reply, wchar_t **answer, wchar_t **record)
{
  const char *text = json_string_value(json_object_get(reply, "result"));
  bool failed =
      (client_hr(reply) & 0x80000000) != 0 || json_is_true(json_object_get(reply, "failed"));
  hr_t hr = client_hr(reply);

  if (answer != NULL)
    *answer = failed ? NULL : client_cotask_text(text);
  if (record != NULL)
    *record = failed ? client_cotask_text(text) : NULL;
  json_decref(reply);
  return hr;
}

static hr_t make(const char *name, json_t *args, enum client_kind kind, void **ret,
                 wchar_t **record)
{
  json_t *reply = client_call(name, args);
  const json_t *id = json_object_get(reply, "object");

  if (ret != NULL) {
    *ret = NULL;
    if (client_hr(reply) == 0 && id != NULL)
      *ret = client_object_new(kind, (uint64_t)json_integer_value(id));
  }
  return finish(reply, NULL, record);
}

static json_t *identified(const GUID *id, const wchar_t *settings)
{
  return json_pack("{s:o,s:o}", "id", client_json_guid(id), "settings", client_json_text(settings));
}

static hr_t on_object(const char *name, const void *handle, enum client_kind kind, const char *key,
                      const wchar_t *text, wchar_t **answer, wchar_t **record)
{
  const struct object *object = client_object(handle, kind, name);

  if (answer != NULL)
    *answer = NULL;
  if (record != NULL)
    *record = NULL;
  if (object == NULL)
    return HR_HANDLE;
  return finish(client_call(name, json_pack("{s:I,s:o}", "handle", (json_int_t)object->id, key,
                                            client_json_text(text))),
                answer, record);
}

static hr_t close_object(const char *name, const void *handle, enum client_kind kind)
{
  struct object *object = client_object(handle, kind, name);
  hr_t hr;

  if (object == NULL)
    return HR_HANDLE;
  hr = client_simple(name, json_pack("{s:I}", "handle", (json_int_t)object->id));
  object->closed = hr == 0;
  return hr;
}

#define OBJECT(one, many, kind)                                                                   \
  hr_t WINAPI HcnEnumerate##many(const wchar_t *query, wchar_t **list, wchar_t **record)          \
  {                                                                                               \
    return finish(                                                                                \
        client_call("HcnEnumerate" #many, json_pack("{s:o}", "query", client_json_text(query))),  \
        list, record);                                                                            \
  }                                                                                               \
  hr_t WINAPI HcnOpen##one(const GUID *id, void **ret, wchar_t **record)                          \
  {                                                                                               \
    return make("HcnOpen" #one, identified(id, NULL), kind, ret, record);                         \
  }                                                                                               \
  hr_t WINAPI HcnModify##one(void *handle, const wchar_t *settings, wchar_t **record)             \
  {                                                                                               \
    return on_object("HcnModify" #one, handle, kind, "settings", settings, NULL, record);         \
  }                                                                                               \
  hr_t WINAPI HcnQuery##one##Properties(void *handle, const wchar_t *query, wchar_t **answer,     \
                                        wchar_t **record)                                         \
  {                                                                                               \
    return on_object("HcnQuery" #one "Properties", handle, kind, "query", query, answer, record); \
  }                                                                                               \
  hr_t WINAPI HcnDelete##one(const GUID *id, wchar_t **record)                                    \
  {                                                                                               \
    return finish(client_call("HcnDelete" #one, identified(id, NULL)), NULL, record);             \
  }                                                                                               \
  hr_t WINAPI HcnClose##one(void *handle)                                                         \
  {                                                                                               \
    return close_object("HcnClose" #one, handle, kind);                                           \
  }

OBJECT(Network, Networks, CLIENT_NETWORK)
OBJECT(Namespace, Namespaces, CLIENT_NAMESPACE)
OBJECT(Endpoint, Endpoints, CLIENT_ENDPOINT)

hr_t WINAPI HcnCreateNetwork(const GUID *id, const wchar_t *settings, void **ret, wchar_t **record)
{
  return make("HcnCreateNetwork", identified(id, settings), CLIENT_NETWORK, ret, record);
}

hr_t WINAPI HcnCreateNamespace(const GUID *id, const wchar_t *settings, void **ret,
                               wchar_t **record)
{
  return make("HcnCreateNamespace", identified(id, settings), CLIENT_NAMESPACE, ret, record);
}

hr_t WINAPI HcnCreateEndpoint(void *network, const GUID *id, const wchar_t *settings, void **ret,
                              wchar_t **record)
{
  const struct object *object = client_object(network, CLIENT_NETWORK, "HcnCreateEndpoint");
  json_t *args;

  if (record != NULL)
    *record = NULL;
  if (object == NULL)
    return HR_HANDLE;
  args = identified(id, settings);
  (void)json_object_set_new(args, "handle", json_integer((json_int_t)object->id));
  return make("HcnCreateEndpoint", args, CLIENT_ENDPOINT, ret, record);
}
