/* SPDX-License-Identifier: Apache-2.0
 *
 * What image and service say together. The service wins; defaults fill the rest.
 */
#include "runtime/plan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strv.h"
#include "runtime/host.h"

enum {
  DEFAULT_GRACE_MS = 10000,
  /* Ids of the node for user namespaces: 16384 ranges of 65536 above every real user. */
  ID_FIRST = 1 << 30,
  ID_RANGE = 1 << 16,
  ID_RANGES = 1 << 14
};

void zl_plan_done(struct zl_container_plan *plan)
{
  char *texts[] = { plan->image, plan->image_digest, plan->cwd,
                    plan->user,  plan->hostname,     plan->network_of };
  char **lists[] = { plan->layers, plan->argv, plan->env, plan->volumes };

  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    free(texts[i]);
  for (size_t i = 0; i < ZL_COUNT(lists); i++)
    zl_strv_free(lists[i]);
  for (size_t i = 0; i < plan->n_ports; i++)
    free(plan->ports[i].host_ip);
  free(plan->ports);
  *plan = (struct zl_container_plan){ 0 };
}

static int push_all(char ***to, char *const *from, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && from != NULL && from[i] != NULL; i++)
    r = zl_strv_push(to, from[i], err);
  return r;
}

/* An entrypoint of the service drops the image's command, whose arguments were meant for the
 * image's entrypoint; arguments alone keep the entrypoint. */
static int merge_command(struct zl_container_plan *plan, const struct zl_image_config *image,
                         struct zl_error *err)
{
  const struct zl_command *command = &plan->service->command;
  bool own = command->entrypoint != NULL;
  char **args = command->args != NULL || own ? command->args : image->cmd;
  int r = push_all(&plan->argv, own ? command->entrypoint : image->entrypoint, err);

  if (r == 0)
    r = push_all(&plan->argv, args, err);
  if (r == 0 && zl_strv_len((const char *const *)plan->argv) == 0)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "services.%s.command: image '%s' has no command of its own, give one",
                   plan->service->name, plan->image);
  return r;
}

/* Sets "key=value" in place of an entry with the same key. */
static int set_env(char ***env, const char *entry, bool keep, struct zl_error *err)
{
  size_t key = strcspn(entry, "=");

  for (size_t i = 0; *env != NULL && (*env)[i] != NULL; i++) {
    char *copy;

    if (strncmp((*env)[i], entry, key) != 0 || (*env)[i][key] != '=')
      continue;
    if (keep)
      return 0;
    copy = strdup(entry);
    if (copy == NULL)
      return zl_fail_nomem(err, "environment");
    free((*env)[i]);
    (*env)[i] = copy;
    return 0;
  }
  return zl_strv_push(env, entry, err);
}

static int set_env_pair(char ***env, const char *key, const char *value, bool keep,
                        struct zl_error *err)
{
  zl_autofree char *entry = zl_asprintf("%s=%s", key, value);

  return entry != NULL ? set_env(env, entry, keep, err) : zl_fail_nomem(err, "environment");
}

static int set_env_of(void *ctx, const char *key, const char *value, bool keep,
                      struct zl_error *err)
{
  return set_env_pair(ctx, key, value, keep, err);
}

static int merge_env(struct zl_container_plan *plan, const struct zl_image_config *image,
                     struct zl_error *err)
{
  const struct zl_pairs *own = &plan->service->env;
  int r = 0;

  for (size_t i = 0; r == 0 && image->env != NULL && image->env[i] != NULL; i++)
    if (strchr(image->env[i], '=') != NULL)
      r = set_env(&plan->env, image->env[i], false, err);
  if (r == 0)
    r = zl_host_env(plan, set_env_of, &plan->env, err);
  for (size_t i = 0; r == 0 && i < own->count; i++)
    r = set_env_pair(&plan->env, own->items[i].key, own->items[i].value, false, err);
  return r;
}

/* A container's id made fit for a host name: it may hold "_" and ".". */
static char *hostname_of(const char *id)
{
  char *name = strdup(id);
  size_t len = name != NULL ? strlen(name) : 0;

  if (len > ZL_MAX_HOSTNAME - 1)
    len = ZL_MAX_HOSTNAME - 1;
  for (size_t i = 0; i < len; i++)
    if (isalnum((unsigned char)name[i]) == 0)
      name[i] = '-';
  while (len > 0 && name[len - 1] == '-')
    len--;
  if (name != NULL)
    name[len] = '\0';
  return name;
}

static int merge_hostname(struct zl_container_plan *plan, struct zl_error *err)
{
  const bool of_host = plan->service->hostname == NULL && plan->network == ZL_PLAN_NET_HOST;
  char text[ZL_HOST_TEXT];
  const char *node = of_host ? zl_host_name(text) : NULL;

  if (plan->service->hostname != NULL)
    plan->hostname = strdup(plan->service->hostname);
  else if (node != NULL)
    plan->hostname = strdup(node);
  else
    plan->hostname = hostname_of(plan->id);
  return plan->hostname != NULL ? 0 : zl_fail_nomem(err, "host name");
}

static int merge_paths(struct zl_container_plan *plan, const struct zl_image_config *image,
                       struct zl_error *err)
{
  const char *cwd =
      plan->service->command.workdir != NULL ? plan->service->command.workdir : image->working_dir;
  const char *user = plan->service->user != NULL ? plan->service->user : image->user;

  if (cwd == NULL || *cwd == '\0')
    cwd = zl_host_cwd();
  plan->cwd = zl_host_absolute(cwd);
  if (user != NULL && *user != '\0')
    plan->user = strdup(user);
  if (plan->cwd == NULL || (user != NULL && *user != '\0' && plan->user == NULL))
    return zl_fail_nomem(err, "working directory");
  return 0;
}

static int merge_stop(struct zl_container_plan *plan, const struct zl_image_config *image,
                      struct zl_error *err)
{
  const struct zl_service *service = plan->service;
  const char *signal = service->stop_signal != NULL ? service->stop_signal : image->stop_signal;
  int r;

  plan->stop_grace_ms =
      service->has_stop_grace_period ? service->stop_grace_period / ZL_NS_PER_MS : DEFAULT_GRACE_MS;
  if (signal == NULL || *signal == '\0')
    signal = "TERM";
  r = zl_signal_parse(signal, &plan->stop_signal, err);
  if (r == 0)
    return 0;
  return zl_context(r, err, "stop signal of %s '%s'",
                    service->stop_signal != NULL ? "service" : "image",
                    service->stop_signal != NULL ? service->name : plan->image);
}

/* The same container always gets the same range (FNV-1a of its id), so that its volumes stay its
 * own when it is made anew. */
static void choose_ids(struct zl_container_plan *plan)
{
  uint32_t hash = 2166136261u;

  if (plan->service->userns_mode != ZL_USERNS_PRIVATE)
    return;
  for (const char *p = plan->id; *p != '\0'; p++)
    hash = (hash ^ (unsigned char)*p) * 16777619u;
  plan->id_base = (uint32_t)ID_FIRST + hash % ID_RANGES * ID_RANGE;
  plan->id_count = ID_RANGE;
}

static int merge_network(struct zl_container_plan *plan, struct zl_error *err)
{
  const struct zl_service *service = plan->service;
  enum zl_network_kind kind = service->host_network ? ZL_NETWORK_HOST : service->network_mode.kind;

  switch (kind) {
  case ZL_NETWORK_DEFAULT:
    plan->network = ZL_PLAN_NET_BRIDGE;
    return 0;
  case ZL_NETWORK_HOST:
    plan->network = ZL_PLAN_NET_HOST;
    break;
  case ZL_NETWORK_NONE:
    plan->network = ZL_PLAN_NET_NONE;
    break;
  case ZL_NETWORK_CONTAINER:
    plan->network = ZL_PLAN_NET_PATH;
    break;
  case ZL_NETWORK_BRIDGE:
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.network_mode: named bridges are not supported", service->name);
  }
  if (service->n_port_mappings > 0)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "services.%s.port_mappings: only the overlay network has published ports",
                   service->name);
  return 0;
}

static int check_platform(const struct zl_container_plan *plan, const struct zl_image *image,
                          struct zl_error *err)
{
  const char *os = zl_host_os(), *arch = zl_host_arch();

  if (strcmp(image->os, os) == 0 && strcmp(image->arch, arch) == 0)
    return 0;
  return zl_fail(err, ZL_E_WRONG_PLATFORM, 0, "image '%s' is for %s/%s, this node runs %s/%s",
                 plan->image, image->os, image->arch, os, arch);
}

int zl_plan_merge(struct zl_container_plan *plan, const struct zl_image *image,
                  struct zl_error *err)
{
  int r;

  plan->image = strdup(plan->service->image.canonical);
  plan->image_digest = strdup(image->digest);
  plan->stored = image;
  if (plan->image == NULL || plan->image_digest == NULL)
    return zl_fail_nomem(err, "container plan");
  choose_ids(plan);
  r = check_platform(plan, image, err);
  if (r == 0)
    r = push_all(&plan->layers, image->layers, err);
  if (r == 0)
    r = merge_network(plan, err);
  if (r == 0)
    r = merge_hostname(plan, err);
  if (r == 0)
    r = merge_command(plan, &image->config, err);
  if (r == 0)
    r = merge_env(plan, &image->config, err);
  if (r == 0)
    r = merge_paths(plan, &image->config, err);
  return r < 0 ? r : merge_stop(plan, &image->config, err);
}
