/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/settings.h"

#include <string.h>

#include "base/json.h"
#include "guest/agent.h"

static int refuse_type(const char *resource, const char *type, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Request: %.50s cannot be '%.50s'", resource, type);
}

static int freeze(struct agent *agent, const char *container_id, const json_t *settings,
                  struct zl_error *err)
{
  bool is_frozen = false;
  int r = container_expect(agent, container_id, err);

  if (r == 0 && !json_is_boolean(json_object_get(settings, "Frozen")))
    r = zl_fail(err, ZL_E_INVALID, 0, "Settings.Frozen: must be given");
  if (r == 0)
    r = zl_json_get_bool(settings, "Settings", "Frozen", false, &is_frozen, err);
  return r < 0 ? r : container_freeze(agent, is_frozen, err);
}

static int apply(struct agent *agent, const char *container_id, const char *resource,
                 const char *type, const json_t *settings, struct zl_error *err)
{
  bool is_add = strcmp(type, "Add") == 0, is_remove = strcmp(type, "Remove") == 0;
  bool is_update = strcmp(type, "Update") == 0;

  if (strcmp(resource, "Freezer") == 0)
    return is_update ? freeze(agent, container_id, settings, err)
                     : refuse_type(resource, type, err);
  if (!agent->is_machine)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "'%.50s': this agent owns no machine", resource);
  if (strcmp(resource, "Identity") == 0)
    return is_update ? settings_identity(settings, err) : refuse_type(resource, type, err);
  if (strcmp(resource, "Network") == 0)
    return is_add ? settings_network(settings, err) : refuse_type(resource, type, err);
  if (strcmp(resource, "MappedVirtualDisk") == 0)
    return is_add || is_remove ? settings_disk(settings, is_remove, err)
                               : refuse_type(resource, type, err);
  if (strcmp(resource, "MappedDirectory") == 0)
    return is_add ? settings_directory(settings, err) : refuse_type(resource, type, err);
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Request.ResourceType: '%.50s' is not known", resource);
}

int settings_apply(struct agent *agent, const char *container_id, const json_t *body,
                   struct zl_error *err)
{
  const char *resource = NULL, *type = NULL;
  json_t *request, *settings = NULL;
  int r = zl_json_get_object(body, "", "Request", &request, err);

  if (r == 0)
    r = zl_json_get_string(request, "Request", "ResourceType", &resource, err);
  if (r == 0)
    r = zl_json_get_string(request, "Request", "RequestType", &type, err);
  if (r == 0)
    r = zl_json_get_object(request, "Request", "Settings", &settings, err);
  if (r == 0 && (resource == NULL || type == NULL))
    r = zl_fail(err, ZL_E_INVALID, 0, "Request: ResourceType and RequestType must be given");
  if (r < 0)
    return r;
  r = apply(agent, container_id, resource, type, settings, err);
  return r < 0 ? zl_wrap(err, "%s", resource) : 0;
}
