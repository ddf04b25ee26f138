/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine's agent is told of its disks, layers and networks, and processes with their
 * streams.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char controller[] = "df6d0690-79e5-55b6-a5ec-c1e2f77f580a";

enum {
  CHUNK = 16384
};

/* ---- Disks and layers ------------------------------------------------------------------------ */

static uint32_t mount_disk(struct message *m, const json_t *settings, bool add)
{
  char *key = sim_path_key(sim_text(settings, "ContainerPath"));
  json_int_t lun = json_integer_value(json_object_get(settings, "Lun"));
  char place[64];
  uint32_t hr = 0;

  (void)snprintf(place, sizeof(place), "%s/%d", controller, (int)lun);
  if (key[0] == '\0')
    hr = sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Request.Settings.ContainerPath: missing");
  else if (!add && json_object_get(m->guest->mounts, key) == NULL)
    hr = sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "nothing is mounted at '%s'", key);
  else if (!add && json_object_get(m->guest->combined, key) != NULL)
    hr = sim_refuse(&m->call, HR_SHARING, "Bridge", "'%s' has layers over it", key);
  else if (!add)
    (void)json_object_del(m->guest->mounts, key);
  else if (json_object_get(m->guest->mounts, key) != NULL)
    hr = sim_refuse(&m->call, HR_EXISTS, "Bridge", "'%s' is mounted", key);
  else if (json_object_get(m->guest->vm->disks, place) == NULL)
    hr = sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "no disk with LUN %d", (int)lun);
  else
    (void)json_object_set_new(m->guest->mounts, key, json_integer(lun));
  free(key);
  return hr;
}

static uint32_t check_layer(struct message *m, const json_t *layer, bool last)
{
  char *path = sim_vm_outside(m->guest->vm, sim_text(layer, "Path"));
  char *blank = path == NULL ? NULL : sim_join(path, "blank.vhdx"), id[SIM_GUID_TEXT];
  uint32_t hr = 0;
  GUID guid;

  if (path == NULL || !sim_is_directory(path)) {
    hr = sim_refuse(&m->call, HR_PATH, "Bridge", "no layer '%s' in the machine",
                    sim_text(layer, "Path"));
  } else {
    sim_name_to_guid(sim_basename(path), &guid);
    sim_guid_format(&guid, id);
    if (_stricmp(id, sim_text(layer, "Id")) != 0)
      hr = sim_refuse(&m->call, HR_FILE, "Bridge", "'%s' is not the id of '%s'",
                      sim_text(layer, "Id"), path);
    else if (sim_exists(blank) != last)
      hr = sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "layers are not in order, the base last");
  }
  free(blank);
  free(path);
  return hr;
}

static uint32_t check_layers(struct message *m, const json_t *layers)
{
  const json_t *layer;
  size_t i;

  if (json_array_size(layers) == 0)
    return sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Request.Settings.Layers: missing");
  json_array_foreach (layers, i, layer) {
    uint32_t hr = check_layer(m, layer, i + 1 == json_array_size(layers));

    if (hr != 0)
      return hr;
  }
  return 0;
}

static uint32_t combine(struct message *m, const json_t *settings, bool add)
{
  char *key = sim_path_key(sim_text(settings, "ContainerRootPath"));
  json_t *layers = json_object_get(settings, "Layers");
  uint32_t hr = 0;

  if (json_object_get(settings, "ScratchPath") != NULL)
    hr = sim_refuse(&m->call, HR_CONSTRUCT, "Bridge",
                    "$.Request.Settings.ScratchPath: not on Windows");
  else if (!add && json_object_get(m->guest->combined, key) == NULL)
    hr = sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "no layers at '%s'", key);
  else if (!add)
    (void)json_object_del(m->guest->combined, key);
  else if (json_object_get(m->guest->mounts, key) == NULL)
    hr = sim_refuse(&m->call, HR_PATH, "Bridge", "nothing is mounted at '%s'", key);
  else if (json_object_get(m->guest->combined, key) != NULL)
    hr = sim_refuse(&m->call, HR_EXISTS, "Bridge", "'%s' has layers", key);
  else if ((hr = check_layers(m, layers)) == 0)
    (void)json_object_set(m->guest->combined, key, layers);
  free(key);
  return hr;
}

/* ---- Networks -------------------------------------------------------------------------------- */

static uint32_t change_namespace(struct message *m, const json_t *settings, bool add)
{
  char *id = sim_copy(sim_text(settings, "ID"));
  uint32_t hr = 0;

  (void)_strlwr(id);
  if (id[0] == '\0')
    hr = sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Request.Settings.ID: missing");
  else if (add && json_object_get(m->guest->namespaces, id) != NULL)
    hr = sim_refuse(&m->call, HR_EXISTS, "Bridge", "namespace %s is there", id);
  else if (add)
    (void)json_object_set(m->guest->namespaces, id, (json_t *)(uintptr_t)settings);
  else if (json_object_del(m->guest->namespaces, id) != 0)
    hr = sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "no namespace %s", id);
  free(id);
  return hr;
}

static uint32_t announce(struct message *m, const char *id, const json_t *endpoint)
{
  char *namespace = sim_copy(sim_text(endpoint, "HostComputeNamespace"));
  const json_t *known = json_object_get(m->guest->namespaces, _strlwr(namespace));
  char why[512];

  free(namespace);
  if (!sim_strict(endpoint, "NetworkEndpoint", why, sizeof(why)))
    return sim_refuse(&m->call, HCS_JSON, "Bridge", "$.Request.Settings.Settings: %s", why);
  if (known == NULL)
    return sim_refuse(&m->call, HR_NOT_FOUND, "Bridge",
                      "the endpoint's namespace is not in the machine");
  (void)json_object_set_new(m->guest->adapters, id,
                            json_pack("{s:s,s:O}", "state", "PreAdd", "endpoint", endpoint));
  return 0;
}

static uint32_t change_adapter(struct message *m, const json_t *settings)
{
  const char *id = sim_text(settings, "AdapterId"), *what = sim_text(settings, "RequestType");

  if (strcmp(what, "PreAdd") == 0)
    return announce(m, id, json_object_get(settings, "Settings"));
  if (json_object_get(m->guest->adapters, id) == NULL)
    return sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "adapter %s was not announced", id);
  if (strcmp(what, "Remove") == 0) {
    (void)json_object_del(m->guest->adapters, id);
    return 0;
  }
  if (json_object_get(m->guest->vm->nics, id) == NULL)
    return sim_refuse(&m->call, HR_NOT_FOUND, "Bridge", "the machine has no adapter %s", id);
  (void)json_object_set_new(json_object_get(m->guest->adapters, id), "state", json_string("Add"));
  return 0;
}

uint32_t guest_modify(struct message *m)
{
  const json_t *request = json_object_get(m->body, "Request");
  const char *resource = sim_text(request, "ResourceType"),
             *type = sim_strict_of_resource(resource);
  const json_t *settings = json_object_get(request, "Settings");
  bool add = strcmp(sim_text(request, "RequestType"), "Add") == 0;
  char why[512];

  if (type == NULL)
    return sim_refuse(&m->call, HR_FAIL, "Bridge", "ResourceType '%s' is not supported", resource);
  if (!sim_strict(settings, type, why, sizeof(why)))
    return sim_refuse(&m->call, HCS_JSON, "Bridge", "$.Request.Settings: %s", why);
  if (!add && strcmp(sim_text(request, "RequestType"), "Remove") != 0)
    return sim_refuse(&m->call, HR_CONSTRUCT, "Bridge",
                      "$.Request.RequestType: neither Add nor Remove");
  if (strcmp(resource, "MappedVirtualDisk") == 0)
    return mount_disk(m, settings, add);
  if (strcmp(resource, "CombinedLayers") == 0)
    return combine(m, settings, add);
  if (strcmp(resource, "NetworkNamespace") == 0)
    return change_namespace(m, settings, add);
  return change_adapter(m, settings);
}

/* ---- Processes ------------------------------------------------------------------------------- */

struct relay {
  SOCKET socket;
  HANDLE pipe;
};

static DWORD WINAPI relay_in(void *ctx)
{
  struct relay *r = ctx;
  char chunk[CHUNK];
  DWORD done;
  int got;

  while ((got = recv(r->socket, chunk, sizeof(chunk), 0)) > 0)
    if (!WriteFile(r->pipe, chunk, (DWORD)got, &done, NULL))
      break;
  (void)FlushFileBuffers(r->pipe);
  (void)DisconnectNamedPipe(r->pipe);
  (void)CloseHandle(r->pipe);
  (void)closesocket(r->socket);
  free(r);
  return 0;
}

static DWORD WINAPI relay_out(void *ctx)
{
  struct relay *r = ctx;
  char chunk[CHUNK];
  DWORD got = 0;

  while (ReadFile(r->pipe, chunk, sizeof(chunk), &got, NULL) && got > 0) {
    const char *at = chunk;
    int put = 0;

    while (got > 0 && (put = send(r->socket, at, (int)got, 0)) > 0) {
      at += put;
      got -= (DWORD)put;
    }
    if (put <= 0)
      break;
  }
  (void)shutdown(r->socket, SD_SEND);
  (void)CloseHandle(r->pipe);
  (void)closesocket(r->socket);
  free(r);
  return 0;
}

static void start_relay(SOCKET socket, HANDLE *pipe, DWORD(WINAPI *fn)(void *))
{
  struct relay *r;

  if (socket == INVALID_SOCKET)
    return;
  r = sim_alloc(sizeof(*r));
  r->socket = socket;
  r->pipe = *pipe;
  *pipe = NULL;
  sim_start_thread(fn, r);
}

static void close_all(const SOCKET sockets[3])
{
  for (int i = 0; i < 3; i++)
    if (sockets[i] != INVALID_SOCKET)
      (void)closesocket(sockets[i]);
}

static uint32_t connect_streams(struct message *m, const json_t *parameters, const json_t *relay,
                                SOCKET sockets[3])
{
  static const char *const wanted[] = { "CreateStdInPipe", "CreateStdOutPipe", "CreateStdErrPipe" };
  static const char *const names[] = { "StdIn", "StdOut", "StdErr" };

  for (int i = 0; i < 3; i++) {
    const char *service = sim_text(relay, names[i]);
    bool want = json_is_true(json_object_get(parameters, wanted[i]));

    if (want != (service[0] != '\0'))
      return sim_refuse(&m->call, HR_CONSTRUCT, "Bridge", "$.Settings.StdioRelaySettings.%s: %s",
                        names[i], want ? "missing" : "not asked for");
    if (!want)
      continue;
    sockets[i] = guest_dial(m->guest->vm, service);
    if (sockets[i] == INVALID_SOCKET)
      return sim_refuse(&m->call, HR_FAIL, "Bridge", "failed creating %s connection", names[i]);
  }
  return 0;
}

static uint32_t execute_in(struct message *m, struct system *s, json_t *parameters)
{
  SOCKET sockets[3] = { INVALID_SOCKET, INVALID_SOCKET, INVALID_SOCKET };
  const json_t *relay = json_object_get(json_object_get(m->body, "Settings"), "StdioRelaySettings");
  struct process *p = NULL;
  uint32_t hr = connect_streams(m, parameters, relay, sockets);

  if (hr == 0)
    hr = sim_spawn(&m->call, s, parameters, false, &p);
  if (hr != 0) {
    close_all(sockets);
    return hr;
  }
  start_relay(sockets[0], &p->in, relay_in);
  start_relay(sockets[1], &p->out, relay_out);
  start_relay(sockets[2], &p->err, relay_out);
  (void)json_object_set_new(m->answer, "ProcessId", json_integer((json_int_t)p->pid));
  return 0;
}

uint32_t guest_execute(struct message *m)
{
  struct system *s = guest_is_host(m) ? m->guest->vm : guest_container(m);
  json_t *parameters;
  uint32_t hr;

  if (s == NULL)
    return sim_refuse(&m->call, HCS_NO_SYSTEM, "Bridge", "no such container");
  if (s->state != RUNNING)
    return sim_refuse(&m->call, HCS_STATE, "Bridge", "it does not run");
  parameters = sim_parse(json_object_get(m->body, "Settings"), "ProcessParameters");
  hr = execute_in(m, s, parameters);
  json_decref(parameters);
  return hr;
}
