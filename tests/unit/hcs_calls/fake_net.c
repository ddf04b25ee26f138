/* SPDX-License-Identifier: Apache-2.0
 *
 * The network service, and Hyper-V sockets over socket pairs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_private.h"

#define S_OK 0U
enum {
  NETWORK,
  ENDPOINT,
  SPACE,
  SOCKETS = 64,
  SOCKET_BASE = 10000 /* of listening sockets; connected ones are descriptors */
};

struct object {
  int kind;
  bool used;
  char id[ZL_GUID_CHARS];
  char address[16], name[FAKE_TEXT]; /* of endpoints */
  char network[ZL_GUID_CHARS], attached[ZL_GUID_CHARS];
};
static struct object objects[FAKE_MAX];

/* ---- Objects ---- */

static struct object *find(int kind, const char *id)
{
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (objects[i].used && objects[i].kind == kind && strcmp(objects[i].id, id) == 0)
      return &objects[i];
  return NULL;
}

static zl_hr not_found(int kind)
{
  return kind == NETWORK ? 0x803b0001U : kind == ENDPOINT ? 0x803b0002U : 0x80070490U;
}

static zl_hr failed(zl_hr hr, zl_wchar **error)
{
  *error = fake_text('C', "{\"Success\":false,\"Error\":\"it was told to\"}");
  return hr;
}

static zl_hr open_object(int kind, const char *name, const struct zl_guid *id, void **ret,
                         zl_wchar **error)
{
  char guid[ZL_GUID_CHARS];
  struct fake_handle *handle = NULL;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return failed(hr, error);
  (void)pthread_mutex_lock(&fake.lock);
  if (find(kind, zl_guid_format(id, guid)) != NULL) {
    handle = fake_open(FAKE_NET_OBJECT);
    (void)snprintf(handle->id, sizeof(handle->id), "%s", guid);
    *ret = handle;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return handle != NULL ? S_OK : failed(not_found(kind), error);
}

static zl_hr close_object(void *object)
{
  struct fake_handle *handle;

  (void)pthread_mutex_lock(&fake.lock);
  handle = fake_handle_of(object, FAKE_NET_OBJECT);
  if (handle != NULL)
    handle->kind = FAKE_NOTHING;
  (void)pthread_mutex_unlock(&fake.lock);
  return S_OK;
}

static zl_hr delete_object(int kind, const char *name, const struct zl_guid *id, zl_wchar **error)
{
  char guid[ZL_GUID_CHARS];
  struct object *object;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return failed(hr, error);
  (void)pthread_mutex_lock(&fake.lock);
  object = find(kind, zl_guid_format(id, guid));
  if (object != NULL)
    object->used = false;
  (void)pthread_mutex_unlock(&fake.lock);
  return object != NULL ? S_OK : failed(not_found(kind), error);
}

static const char *text_of(const json_t *json, const char *key)
{
  const char *text = json_string_value(json_object_get(json, key));

  return text != NULL ? text : "";
}

static zl_hr make_locked(int kind, const char *id, const json_t *json, void **ret)
{
  const json_t *ip = json_array_get(json_object_get(json, "IpConfigurations"), 0);
  struct object *object = objects;
  struct fake_handle *handle;

  for (size_t i = 0; kind == ENDPOINT && i < FAKE_MAX; i++)
    if (objects[i].used && strcmp(objects[i].address, text_of(ip, "IpAddress")) == 0)
      return 0x803b002fU;
  if (find(kind, id) != NULL)
    return kind == NETWORK ? 0x803b0010U : 0x803b002bU;
  while (object->used)
    object++;
  *object = (struct object){ .kind = kind, .used = true };
  (void)snprintf(object->id, sizeof(object->id), "%s", id);
  (void)snprintf(object->name, sizeof(object->name), "%s", text_of(json, "Name"));
  (void)snprintf(object->address, sizeof(object->address), "%s", text_of(ip, "IpAddress"));
  handle = fake_open(FAKE_NET_OBJECT);
  (void)snprintf(handle->id, sizeof(handle->id), "%s", id);
  *ret = handle;
  return S_OK;
}

static zl_hr make_object(int kind, const char *name, const struct zl_guid *id,
                         const zl_wchar *settings, void **ret, zl_wchar **error)
{
  char guid[ZL_GUID_CHARS];
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return failed(hr, error);
  if (zl_wide_text(settings, 1 << 16, &text, NULL) < 0 ||
      zl_json_parse(text, strlen(text), "settings", &json, NULL) < 0)
    return failed(0x803b001bU, error);
  (void)pthread_mutex_lock(&fake.lock);
  hr = make_locked(kind, zl_guid_format(id, guid), json, ret);
  (void)pthread_mutex_unlock(&fake.lock);
  return hr == S_OK ? S_OK : failed(hr, error);
}

static zl_hr query_object(int kind, const char *name, void *handle, zl_wchar **answer,
                          zl_wchar **error)
{
  char text[FAKE_TEXT * 3] = "";
  const struct object *object = NULL;
  struct fake_handle *h;
  zl_hr hr;

  if (fake_hit(name, &hr))
    return failed(hr, error);
  (void)pthread_mutex_lock(&fake.lock);
  h = fake_handle_of(handle, FAKE_NET_OBJECT);
  if (h != NULL)
    object = find(kind, h->id);
  if (object != NULL)
    (void)snprintf(text, sizeof(text),
                   "{\"ID\":\"%s\",\"Name\":\"%s\",\"MacAddress\":\"00-15-5D-52-C0-10\","
                   "\"IpConfigurations\":[{\"IpAddress\":\"%s\"}]}",
                   object->id, object->name, object->address);
  (void)pthread_mutex_unlock(&fake.lock);
  if (object == NULL)
    return failed(not_found(kind), error);
  *answer = fake_text('C', text);
  return S_OK;
}

static zl_hr enumerate_endpoints(const zl_wchar *query, zl_wchar **list, zl_wchar **error)
{
  char text[FAKE_MAX * 40] = "[";
  size_t len = 1;
  zl_hr hr;

  (void)query;
  if (fake_hit("HcnEnumerateEndpoints", &hr))
    return failed(hr, error);
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < FAKE_MAX; i++)
    if (objects[i].used && objects[i].kind == ENDPOINT)
      len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"%s\"", len > 1 ? "," : "",
                              objects[i].id);
  (void)pthread_mutex_unlock(&fake.lock);
  (void)snprintf(text + len, sizeof(text) - len, "]");
  *list = fake_text('C', text);
  return S_OK;
}

static zl_hr modify_space(void *handle, const zl_wchar *settings, zl_wchar **error)
{
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  struct object *endpoint;
  zl_hr hr;

  (void)handle;
  if (fake_hit("HcnModifyNamespace", &hr))
    return failed(hr, error);
  if (zl_wide_text(settings, 1 << 16, &text, NULL) < 0 ||
      zl_json_parse(text, strlen(text), "settings", &json, NULL) < 0)
    return failed(0x803b001bU, error);
  (void)pthread_mutex_lock(&fake.lock);
  endpoint = find(ENDPOINT, text_of(json_object_get(json, "Settings"), "EndpointId"));
  (void)pthread_mutex_unlock(&fake.lock);
  return endpoint != NULL ? S_OK : failed(0x803b0002U, error);
}

#define OBJECT(kind, One)                                                           \
  static zl_hr open_##One(const struct zl_guid *id, void **ret, zl_wchar **error)   \
  {                                                                                 \
    return open_object(kind, "HcnOpen" #One, id, ret, error);                       \
  }                                                                                 \
  static zl_hr delete_##One(const struct zl_guid *id, zl_wchar **error)             \
  {                                                                                 \
    return delete_object(kind, "HcnDelete" #One, id, error);                        \
  }                                                                                 \
  static zl_hr query_##One(void *object, const zl_wchar *query, zl_wchar **answer,  \
                           zl_wchar **error)                                        \
  {                                                                                 \
    (void)query;                                                                    \
    return query_object(kind, "HcnQuery" #One "Properties", object, answer, error); \
  }
OBJECT(NETWORK, Network)
OBJECT(ENDPOINT, Endpoint)
OBJECT(SPACE, Namespace)

static zl_hr create_network(const struct zl_guid *id, const zl_wchar *settings, void **ret,
                            zl_wchar **error)
{
  return make_object(NETWORK, "HcnCreateNetwork", id, settings, ret, error);
}

static zl_hr create_space(const struct zl_guid *id, const zl_wchar *settings, void **ret,
                          zl_wchar **error)
{
  return make_object(SPACE, "HcnCreateNamespace", id, settings, ret, error);
}

static zl_hr create_endpoint(void *network, const struct zl_guid *id, const zl_wchar *settings,
                             void **ret, zl_wchar **error)
{
  (void)network;
  return make_object(ENDPOINT, "HcnCreateEndpoint", id, settings, ret, error);
}

/* ---- Sockets ---- */

struct listener {
  bool used, bound, listening, closed;
  struct zl_guid vm, service;
  int arrived; /* a connection that nobody has accepted yet; -1: none */
};
static struct listener listeners[SOCKETS];

static int startup(uint16_t version, void *data)
{
  (void)version;
  (void)data;
  return 0;
}

static int socket_error(void)
{
  return 10054;
}

static zl_socket make_socket(int family, int type, int protocol)
{
  zl_socket ret = ZL_SOCKET_INVALID;
  zl_hr hr;

  if (family != ZL_HV_FAMILY || type != ZL_HV_STREAM || protocol != ZL_HV_PROTOCOL ||
      fake_hit("socket", &hr))
    return ZL_SOCKET_INVALID;
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < SOCKETS && ret == ZL_SOCKET_INVALID; i++)
    if (!listeners[i].used) {
      listeners[i] = (struct listener){ .used = true, .arrived = -1 };
      ret = SOCKET_BASE + i;
    }
  (void)pthread_mutex_unlock(&fake.lock);
  return ret;
}

static struct listener *listener_of(zl_socket socket)
{
  return socket >= SOCKET_BASE && socket < SOCKET_BASE + SOCKETS ? &listeners[socket - SOCKET_BASE]
                                                                 : NULL;
}

static int bind_socket(zl_socket socket, const void *address, int len)
{
  const struct zl_hv_address *a = address;
  struct listener *l = listener_of(socket);
  zl_hr hr;

  if (fake_hit("bind", &hr) || l == NULL || len != 36 || a->family != ZL_HV_FAMILY)
    return -1;
  (void)pthread_mutex_lock(&fake.lock);
  l->vm = a->vm;
  l->service = a->service;
  l->bound = true;
  (void)pthread_mutex_unlock(&fake.lock);
  return 0;
}

static int listen_socket(zl_socket socket, int backlog)
{
  struct listener *l = listener_of(socket);
  zl_hr hr;

  (void)backlog;
  if (fake_hit("listen", &hr) || l == NULL || !l->bound)
    return -1;
  (void)pthread_mutex_lock(&fake.lock);
  l->listening = true;
  (void)pthread_mutex_unlock(&fake.lock);
  return 0;
}

static zl_socket accept_socket(zl_socket socket, void *address, int *len)
{
  struct listener *l = listener_of(socket);
  zl_socket ret = ZL_SOCKET_INVALID;
  zl_hr hr;

  (void)address;
  (void)len;
  if (fake_hit("accept", &hr) || l == NULL)
    return ret;
  (void)pthread_mutex_lock(&fake.lock);
  while (l->arrived < 0 && !l->closed)
    (void)pthread_cond_wait(&fake.changed, &fake.lock);
  if (l->arrived >= 0) {
    ret = (zl_socket)l->arrived;
    l->arrived = -1;
  }
  (void)pthread_mutex_unlock(&fake.lock);
  return ret;
}

static int close_socket(zl_socket socket)
{
  struct listener *l = listener_of(socket);

  if (l == NULL)
    return close((int)socket);
  (void)pthread_mutex_lock(&fake.lock);
  l->closed = true;
  l->used = false;
  if (l->arrived >= 0)
    (void)close(l->arrived);
  (void)pthread_cond_broadcast(&fake.changed);
  (void)pthread_mutex_unlock(&fake.lock);
  return 0;
}

static int shutdown_socket(zl_socket socket, int how)
{
  if (listener_of(socket) != NULL)
    return -1; /* as Windows has it: what is not connected cannot be shut down */
  return shutdown((int)socket, how == ZL_HV_SEND ? SHUT_WR : SHUT_RDWR);
}

static int recv_socket(zl_socket socket, char *data, int len, int flags)
{
  return (int)recv((int)socket, data, (size_t)len, flags);
}

static int send_socket(zl_socket socket, const char *data, int len, int flags)
{
  zl_hr hr;

  if (fake_hit("send", &hr))
    return -1;
  return (int)send((int)socket, data, (size_t)len, flags | MSG_NOSIGNAL);
}

int fake_dial(const char *vm, const char *service)
{
  struct zl_guid id, port;
  int pair[2] = { -1, -1 };

  if (!zl_guid_parse(vm, &id) || !zl_guid_parse(service, &port))
    return -1;
  (void)pthread_mutex_lock(&fake.lock);
  for (size_t i = 0; i < SOCKETS && pair[0] < 0; i++) {
    struct listener *l = &listeners[i];

    if (!l->used || !l->listening || l->arrived >= 0 || memcmp(&l->vm, &id, sizeof(id)) != 0 ||
        memcmp(&l->service, &port, sizeof(port)) != 0)
      continue;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
      l->arrived = pair[1];
  }
  (void)pthread_cond_broadcast(&fake.changed);
  (void)pthread_mutex_unlock(&fake.lock);
  return pair[0];
}

/* ---- Life ---- */

void fake_net_leaks(char *text, size_t size)
{
  size_t len = 0;

  text[0] = '\0';
  for (size_t i = 0; i < FAKE_MAX && len < size; i++)
    if (objects[i].used && objects[i].kind != NETWORK)
      len += (size_t)snprintf(text + len, size - len, "network object %s; ", objects[i].id);
  for (size_t i = 0; i < SOCKETS && len < size; i++)
    if (listeners[i].used)
      len += (size_t)snprintf(text + len, size - len, "listener; ");
}

void fake_net_start(struct zl_hcs_api *api)
{
  struct zl_hcn_api *hcn = &api->hcn;
  struct zl_hv_api *hv = &api->hv;

  memset(objects, 0, sizeof(objects));
  memset(listeners, 0, sizeof(listeners));
  hcn->HcnOpenNetwork = open_Network;
  hcn->HcnDeleteNetwork = delete_Network;
  hcn->HcnQueryNetworkProperties = query_Network;
  hcn->HcnCreateNetwork = create_network;
  hcn->HcnOpenEndpoint = open_Endpoint;
  hcn->HcnDeleteEndpoint = delete_Endpoint;
  hcn->HcnQueryEndpointProperties = query_Endpoint;
  hcn->HcnCreateEndpoint = create_endpoint;
  hcn->HcnEnumerateEndpoints = enumerate_endpoints;
  hcn->HcnOpenNamespace = open_Namespace;
  hcn->HcnDeleteNamespace = delete_Namespace;
  hcn->HcnQueryNamespaceProperties = query_Namespace;
  hcn->HcnCreateNamespace = create_space;
  hcn->HcnModifyNamespace = modify_space;
  hcn->HcnCloseNetwork = hcn->HcnCloseEndpoint = hcn->HcnCloseNamespace = close_object;
  hcn->CoTaskMemFree = api->CoTaskMemFree;
  hv->WSAStartup = startup;
  hv->WSAGetLastError = socket_error;
  hv->socket = make_socket;
  hv->bind = bind_socket;
  hv->listen = listen_socket;
  hv->accept = accept_socket;
  hv->recv = recv_socket;
  hv->send = send_socket;
  hv->shutdown = shutdown_socket;
  hv->closesocket = close_socket;
}
