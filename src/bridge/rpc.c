/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/rpc.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "bridge/guest.h"
#include "bridge/rpc_call.h"

int zl_rpc_send(struct zl_bridge_client *client, enum zl_bridge_message message,
                const char *container_id, json_t *body, const struct zl_rpc_then *then,
                struct zl_error *err)
{
  struct zl_bridge_call call = { .message = message,
                                 .container_id = container_id,
                                 .body = body,
                                 .deadline_ns = then->deadline_ns,
                                 .fn = then->fn,
                                 .ctx = then->ctx };

  if (body == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: a text that is no UTF-8, or out of memory",
                   zl_bridge_message_name(message));
  return zl_bridge_call(client, &call, then->ret_id, err);
}

int zl_rpc_modify(struct zl_bridge_client *client, const char *container_id, const char *request,
                  const char *resource, json_t *settings, const struct zl_rpc_then *then,
                  struct zl_error *err)
{
  json_t *body = json_pack("{s:{s:s, s:s, s:o}}", "Request", "RequestType", request, "ResourceType",
                           resource, "Settings", settings);

  return zl_rpc_send(client, ZL_BRIDGE_MODIFY_SETTINGS, container_id, body, then, err);
}

json_t *zl_rpc_encode(json_t *json)
{
  zl_autojson *owned = json;
  zl_autofree char *text = NULL;

  return owned != NULL && zl_json_render(owned, &text, NULL) == 0 ? json_string(text) : NULL;
}

int zl_rpc_negotiate(struct zl_bridge_client *client, const struct zl_rpc_then *then,
                     struct zl_error *err)
{
  json_t *body = json_pack("{s:i, s:i}", "MinimumVersion", 4, "MaximumVersion", 4);

  return zl_rpc_send(client, ZL_BRIDGE_NEGOTIATE, NULL, body, then, err);
}

static json_t *entropy_json(const struct zl_rpc_identity *identity)
{
  zl_autofree char *text = zl_base64_encode(identity->entropy, identity->entropy_len);

  return text != NULL ? json_string(text) : NULL;
}

int zl_rpc_identity(struct zl_bridge_client *client, const struct zl_rpc_identity *identity,
                    const struct zl_rpc_then *then, struct zl_error *err)
{
  zl_autojson *settings = json_object();
  int r = 0;

  if (identity->hostname != NULL)
    r |= json_object_set_new(settings, "Hostname", json_string(identity->hostname));
  if (identity->wall_clock_ns != 0)
    r |= json_object_set_new(settings, "WallClockNs",
                             json_integer((json_int_t)identity->wall_clock_ns));
  if (identity->entropy != NULL)
    r |= json_object_set_new(settings, "Entropy", entropy_json(identity));
  if (identity->machine_id != NULL)
    r |= json_object_set_new(settings, "MachineId", json_string(identity->machine_id));
  return zl_rpc_modify(client, NULL, "Update", "Identity", r == 0 ? zl_steal_ptr(&settings) : NULL,
                       then, err);
}

int zl_rpc_network(struct zl_bridge_client *client, const struct zl_rpc_network *network,
                   const struct zl_rpc_then *then, struct zl_error *err)
{
  zl_autojson *settings = json_pack("{s:s, s:s*}", "ID", "eth0", "MacAddress", network->mac);
  int r = 0;

  if (network->address != NULL)
    r |= json_object_set_new(settings, "IPConfigs",
                             json_pack("[{s:s, s:i}]", "IPAddress", network->address,
                                       "PrefixLength", (int)network->prefix));
  if (network->address != NULL && network->gateway != NULL)
    r |= json_object_set_new(
        settings, "Routes",
        json_pack("[{s:s, s:s}]", "NextHop", network->gateway, "DestinationPrefix", "0.0.0.0/0"));
  if (network->mtu != 0)
    r |= json_object_set_new(settings, "Mtu", json_integer(network->mtu));
  return zl_rpc_modify(client, NULL, "Add", "Network", r == 0 ? zl_steal_ptr(&settings) : NULL,
                       then, err);
}

static int modify_disk(struct zl_bridge_client *client, const char *request,
                       const struct zl_rpc_disk *disk, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  json_t *settings =
      json_pack("{s:i, s:s, s:b, s:s}", "Lun", (int)disk->lun, "MountPath", disk->mount_path,
                "ReadOnly", (int)disk->read_only, "Filesystem", disk->filesystem);

  return zl_rpc_modify(client, NULL, request, "MappedVirtualDisk", settings, then, err);
}

int zl_rpc_disk_add(struct zl_bridge_client *client, const struct zl_rpc_disk *disk,
                    const struct zl_rpc_then *then, struct zl_error *err)
{
  return modify_disk(client, "Add", disk, then, err);
}

int zl_rpc_disk_remove(struct zl_bridge_client *client, const struct zl_rpc_disk *disk,
                       const struct zl_rpc_then *then, struct zl_error *err)
{
  return modify_disk(client, "Remove", disk, then, err);
}

int zl_rpc_directory_add(struct zl_bridge_client *client, const struct zl_rpc_directory *directory,
                         const struct zl_rpc_then *then, struct zl_error *err)
{
  json_t *settings = json_pack("{s:s, s:s, s:b}", "ShareName", directory->share_name, "MountPath",
                               directory->mount_path, "ReadOnly", (int)directory->read_only);

  return zl_rpc_modify(client, NULL, "Add", "MappedDirectory", settings, then, err);
}

int zl_rpc_dump_stacks(struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  return zl_rpc_send(client, ZL_BRIDGE_DUMP_STACKS, NULL, json_object(), then, err);
}

/* A container without layers has its root directory as it is, and no writable layer over it. */
static bool has_no_layers(const json_t *bundle)
{
  const json_t *layers = json_object_get(json_object_get(bundle, "zlayer"), "layers");

  return json_is_array(layers) && json_array_size(layers) == 0;
}

/* ContainerConfig is an object here: a bundle in a string would be read twice, character by
 * character, by a guest that may be emulated. Takes `config` over. */
static int create(struct zl_bridge_client *client, const char *container_id, json_t *config,
                  json_t *files, const struct zl_rpc_then *then, struct zl_error *err)
{
  if (config != NULL && files != NULL && json_object_set(config, "Files", files) < 0)
    zl_json_decref(&config);
  return zl_rpc_send(client, ZL_BRIDGE_CREATE, container_id,
                     json_pack("{s:o}", "ContainerConfig", config), then, err);
}

static json_t *whole_config(json_t *bundle, bool prepare)
{
  return json_pack("{s:{s:i, s:i}, s:s, s:O, s:s*, s:b}", "SchemaVersion", "Major", 2, "Minor", 1,
                   "OciBundlePath", ZL_GUEST_BUNDLE, "OciSpecification", bundle, "ScratchDirPath",
                   has_no_layers(bundle) ? NULL : ZL_GUEST_SCRATCH, "Prepare", (int)prepare);
}

int zl_rpc_create(struct zl_bridge_client *client, const char *container_id, json_t *bundle,
                  json_t *files, const struct zl_rpc_then *then, struct zl_error *err)
{
  return create(client, container_id, whole_config(bundle, false), files, then, err);
}

int zl_rpc_prepare(struct zl_bridge_client *client, const char *container_id, json_t *bundle,
                   json_t *files, const struct zl_rpc_then *then, struct zl_error *err)
{
  return create(client, container_id, whole_config(bundle, true), files, then, err);
}

int zl_rpc_create_prepared(struct zl_bridge_client *client, const char *container_id,
                           json_t *amendment, json_t *files, const struct zl_rpc_then *then,
                           struct zl_error *err)
{
  json_t *config = json_pack("{s:{s:i, s:i}, s:s, s:O}", "SchemaVersion", "Major", 2, "Minor", 1,
                             "OciBundlePath", ZL_GUEST_BUNDLE, "Amendment", amendment);

  return create(client, container_id, config, files, then, err);
}

int zl_rpc_start(struct zl_bridge_client *client, const char *container_id,
                 const struct zl_rpc_then *then, struct zl_error *err)
{
  return zl_rpc_send(client, ZL_BRIDGE_START, container_id, json_object(), then, err);
}

int zl_rpc_freeze(struct zl_bridge_client *client, const char *container_id, bool frozen,
                  const struct zl_rpc_then *then, struct zl_error *err)
{
  return zl_rpc_modify(client, container_id, "Update", "Freezer",
                       json_pack("{s:b}", "Frozen", (int)frozen), then, err);
}

int zl_rpc_shutdown(struct zl_bridge_client *client, const char *container_id, bool forced,
                    const struct zl_rpc_then *then, struct zl_error *err)
{
  return zl_rpc_send(client, forced ? ZL_BRIDGE_SHUTDOWN_FORCED : ZL_BRIDGE_SHUTDOWN_GRACEFUL,
                     container_id, json_object(), then, err);
}

int zl_rpc_delete(struct zl_bridge_client *client, const char *container_id,
                  const struct zl_rpc_then *then, struct zl_error *err)
{
  return zl_rpc_send(client, ZL_BRIDGE_DELETE_CONTAINER_STATE, container_id, json_object(), then,
                     err);
}

int zl_rpc_properties(struct zl_bridge_client *client, const char *container_id, unsigned what,
                      const struct zl_rpc_then *then, struct zl_error *err)
{
  static const char *const names[] = { "Statistics", "ProcessList", "Memory", "SystemGUID" };
  zl_autojson *types = json_array(), *body = NULL;
  int r = 0;

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    if ((what & 1u << i) != 0)
      r |= json_array_append_new(types, json_string(names[i]));
  if (r == 0)
    body = json_pack("{s:o}", "Query", zl_rpc_encode(json_pack("{s:O}", "PropertyTypes", types)));
  return zl_rpc_send(client, ZL_BRIDGE_GET_PROPERTIES, container_id, zl_steal_ptr(&body), then,
                     err);
}

static json_t *parameters_json(const struct zl_rpc_process *process)
{
  bool has_err = process->err_port != 0 && !process->console;
  zl_autojson *json = json_pack("{s:b, s:b, s:b, s:b}", "CreateStdInPipe", process->in_port != 0,
                                "CreateStdOutPipe", process->out_port != 0, "CreateStdErrPipe",
                                (int)has_err, "EmulateConsole", (int)process->console);
  int r = json != NULL ? 0 : -1;

  if (process->console && process->height != 0 && process->width != 0)
    r |= json_object_set_new(json, "ConsoleSize",
                             json_pack("[i, i]", (int)process->height, (int)process->width));
  if (process->oci != NULL)
    r |= json_object_set(json, "OciProcess", process->oci);
  return r == 0 ? zl_steal_ptr(&json) : NULL;
}

static json_t *relay_json(const struct zl_rpc_process *process)
{
  zl_autojson *json = json_object();
  int r = json != NULL ? 0 : -1;

  if (process->in_port != 0)
    r |= json_object_set_new(json, "StdIn", json_integer(process->in_port));
  if (process->out_port != 0)
    r |= json_object_set_new(json, "StdOut", json_integer(process->out_port));
  if (process->err_port != 0 && !process->console)
    r |= json_object_set_new(json, "StdErr", json_integer(process->err_port));
  return r == 0 ? zl_steal_ptr(&json) : NULL;
}

int zl_rpc_execute(struct zl_bridge_client *client, const char *container_id,
                   const struct zl_rpc_process *process, const struct zl_rpc_then *then,
                   struct zl_error *err)
{
  json_t *parameters = parameters_json(process), *body;

  if (process->oci == NULL) /* what both dialects have */
    parameters = zl_rpc_encode(parameters);
  body = json_pack("{s:{s:o, s:o}}", "Settings", "ProcessParameters", parameters,
                   "VsockStdioRelaySettings", relay_json(process));

  return zl_rpc_send(client, ZL_BRIDGE_EXECUTE_PROCESS, container_id, body, then, err);
}

int zl_rpc_wait(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                const struct zl_rpc_then *then, struct zl_error *err)
{
  json_t *body = json_pack("{s:I, s:I}", "ProcessId", (json_int_t)process_id, "TimeoutInMs",
                           (json_int_t)UINT32_MAX);

  return zl_rpc_send(client, ZL_BRIDGE_WAIT_FOR_PROCESS, container_id, body, then, err);
}

int zl_rpc_signal(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                  int number, const struct zl_rpc_then *then, struct zl_error *err)
{
  json_t *body =
      json_pack("{s:I, s:{s:i}}", "ProcessId", (json_int_t)process_id, "Options", "Signal", number);

  return zl_rpc_send(client, ZL_BRIDGE_SIGNAL_PROCESS, container_id, body, then, err);
}

int zl_rpc_resize(struct zl_bridge_client *client, const char *container_id, uint32_t process_id,
                  unsigned height, unsigned width, const struct zl_rpc_then *then,
                  struct zl_error *err)
{
  json_t *body = json_pack("{s:I, s:i, s:i}", "ProcessId", (json_int_t)process_id, "Height",
                           (int)height, "Width", (int)width);

  return zl_rpc_send(client, ZL_BRIDGE_RESIZE_CONSOLE, container_id, body, then, err);
}
