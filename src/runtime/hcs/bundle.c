/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/plan.h"

/* ---- Writing ---- */

static json_t *list_of(char *const *strv)
{
  return strv != NULL ? zl_json_from_strv((const char *const *)strv) : NULL;
}

static json_t *pairs_of(const struct zl_pairs *pairs)
{
  json_t *object = json_object();

  for (size_t i = 0; i < pairs->count; i++)
    if (json_object_set_new(object, pairs->items[i].key, json_string(pairs->items[i].value)) < 0) {
      json_decref(object);
      return NULL;
    }
  return object;
}

static json_t *storage_of(const struct zl_service *service)
{
  json_t *list = json_array();

  for (size_t i = 0; i < service->n_storage; i++) {
    const struct zl_storage *s = &service->storage[i];
    json_t *entry =
        json_pack("{s:i, s:s, s:s*, s:s*, s:b}", "type", (int)s->type, "target", s->target,
                  "source", s->source, "name", s->name, "readonly", (int)s->readonly);

    if (json_array_append_new(list, entry) < 0) {
      json_decref(list);
      return NULL;
    }
  }
  return list;
}

static json_t *service_of(const struct zl_container_plan *plan)
{
  const struct zl_service *s = plan->service;

  return json_pack("{s:s, s:s, s:o, s:o*, s:o*, s:s*, s:s*, s:s*, s:b, s:b, s:b, s:f, s:I, s:o}",
                   "name", s->name, "image", s->image.name, "env", pairs_of(&s->env), "entrypoint",
                   list_of(s->command.entrypoint), "args", list_of(s->command.args), "workdir",
                   s->command.workdir, "hostname", s->hostname, "user", s->user, "tty", (int)s->tty,
                   "stdinOpen", (int)(s->stdin_open || plan->options->open_stdin), "noNetwork",
                   (int)(s->network_mode.kind == ZL_NETWORK_NONE), "cpu", s->resources.cpu,
                   "memory", (json_int_t)s->resources.memory, "storage", storage_of(s));
}

static json_t *image_of(const struct zl_image_config *image)
{
  return json_pack("{s:o*, s:o*, s:b, s:o*, s:s*, s:s*}", "entrypoint", list_of(image->entrypoint),
                   "cmd", list_of(image->cmd), "argsEscaped", (int)image->args_escaped, "env",
                   list_of(image->env), "workingDir", image->working_dir, "user", image->user);
}

static json_t *ports_of(const struct zl_container_plan *plan)
{
  json_t *list = json_array();

  for (size_t i = 0; i < plan->n_ports; i++) {
    const struct zl_plan_port *port = &plan->ports[i];
    bool any = port->host_ip == NULL || strcmp(port->host_ip, "0.0.0.0") == 0;

    (void)json_array_append_new(list, json_pack("{s:s*, s:i, s:i, s:b}", "hostIp",
                                                any ? NULL : port->host_ip, "hostPort",
                                                (int)port->host_port, "containerPort",
                                                (int)port->container_port, "udp", (int)port->udp));
  }
  return list;
}

static json_t *link_of(const struct zl_container_plan *plan, const char *slice)
{
  if (plan->network != ZL_PLAN_NET_BRIDGE)
    return NULL;
  return json_pack("{s:s, s:s, s:s, s:i, s:o*, s:o}", "slice", slice, "address", plan->link.address,
                   "gateway", plan->link.gateway, "prefix", (int)plan->link.prefix, "dns",
                   list_of(plan->service->dns), "ports", ports_of(plan));
}

int zl_hcs_bundle_render(const struct zl_container_plan *plan,
                         const struct zl_hcs_bundle_options *options, char **ret,
                         struct zl_error *err)
{
  /* `process` is what clients begin with who ask for one process more (runtime/shim/exec.c). */
  zl_autojson *json =
      json_pack("{s:s, s:i, s:s, s:o, s:o*, s:o, s:o, s:o*, s:I, s:b, s:i, s:o, s:{s:[]}}",
                "network", options->network, "cpus", (int)options->cpus, "isolation",
                plan->isolation == ZL_ISOLATION_HYPERV ? "hyperv" : "process", "layers",
                list_of(plan->layers), "volumes", list_of(plan->volumes), "service",
                service_of(plan), "image", image_of(&plan->stored->config), "link",
                link_of(plan, options->slice), "scratchBytes", (json_int_t)options->scratch_bytes,
                "keepOnFailure", (int)options->keep_on_failure, "stopSignal", plan->stop_signal,
                "log", zl_plan_log(plan->service), "process", "env");

  return json != NULL ? zl_json_render(json, ret, err)
                      : zl_fail(err, ZL_E_INVALID, 0, "the container's settings are not UTF-8");
}

/* ---- Reading ---- */

struct reader {
  const json_t *object;
  const char *what;
  struct zl_error *err;
  int r; /* the first failure */
};

static char *text(struct reader *in, const char *key)
{
  const char *value = NULL;

  if (in->r == 0)
    in->r = zl_json_get_string(in->object, in->what, key, &value, in->err);
  return (char *)(uintptr_t)value; /* of the document, which outlives it */
}

static bool flag(struct reader *in, const char *key)
{
  bool value = false;

  if (in->r == 0)
    in->r = zl_json_get_bool(in->object, in->what, key, false, &value, in->err);
  return value;
}

static int64_t number(struct reader *in, const char *key, int64_t max)
{
  int64_t value = 0;

  if (in->r == 0)
    in->r = zl_json_get_int(in->object, in->what, key, 0, max, 0, &value, in->err);
  return value;
}

static json_t *array(struct reader *in, const char *key)
{
  json_t *list = NULL;

  if (in->r == 0)
    in->r = zl_json_get_array(in->object, in->what, key, ZL_MAX_LIST, &list, in->err);
  return list;
}

/* The caller's. */
static char **strv(struct reader *in, const char *key)
{
  char **items = NULL;

  if (in->r == 0)
    in->r = zl_json_get_strv(in->object, in->what, key, ZL_MAX_LIST, &items, in->err);
  return items;
}

static struct reader object(struct reader *in, const char *key)
{
  json_t *found = NULL;

  if (in->r == 0)
    in->r = zl_json_get_object(in->object, in->what, key, &found, in->err);
  return (struct reader){ .object = found, .what = key, .err = in->err, .r = in->r };
}

static int read_env(struct reader *in, struct zl_service *s)
{
  struct reader env = object(in, "env");
  const char *key;
  json_t *value;

  if (env.r < 0 || json_object_size(env.object) == 0)
    return env.r;
  s->env.items = calloc(json_object_size(env.object), sizeof(*s->env.items));
  if (s->env.items == NULL)
    return zl_fail_nomem(in->err, "environment");
  json_object_foreach ((json_t *)(uintptr_t)env.object, key, value) {
    const char *text = json_string_value(value) != NULL ? json_string_value(value) : "";

    s->env.items[s->env.count++] =
        (struct zl_pair){ (char *)(uintptr_t)key, (char *)(uintptr_t)text };
  }
  return 0;
}

static int read_storage(struct reader *in, struct zl_service *s)
{
  const json_t *list = array(in, "storage"), *item;
  size_t i;

  if (in->r < 0 || json_array_size(list) == 0)
    return in->r;
  s->storage = calloc(json_array_size(list), sizeof(*s->storage));
  if (s->storage == NULL)
    return zl_fail_nomem(in->err, "storage");
  json_array_foreach (list, i, item) {
    struct reader one = { .object = item, .what = "storage", .err = in->err, .r = in->r };
    struct zl_storage *to = &s->storage[s->n_storage++];

    to->type = (enum zl_storage_type)number(&one, "type", ZL_STORAGE_S3);
    to->target = text(&one, "target");
    to->source = text(&one, "source");
    to->name = text(&one, "name");
    to->readonly = flag(&one, "readonly");
    in->r = one.r;
  }
  return in->r;
}

static int read_service(struct reader *top, struct zl_service *s)
{
  struct reader in = object(top, "service");

  s->name = text(&in, "name");
  s->image.name = text(&in, "image");
  s->command.entrypoint = strv(&in, "entrypoint");
  s->command.args = strv(&in, "args");
  s->command.workdir = text(&in, "workdir");
  s->hostname = text(&in, "hostname");
  s->user = text(&in, "user");
  s->tty = flag(&in, "tty");
  s->stdin_open = flag(&in, "stdinOpen");
  s->network_mode.kind = flag(&in, "noNetwork") ? ZL_NETWORK_NONE : ZL_NETWORK_DEFAULT;
  s->resources.cpu = json_number_value(json_object_get(in.object, "cpu"));
  s->resources.memory = (uint64_t)number(&in, "memory", INT64_MAX);
  if (in.r == 0)
    in.r = read_env(&in, s);
  if (in.r == 0)
    in.r = read_storage(&in, s);
  if (in.r == 0 && (s->name == NULL || s->image.name == NULL))
    in.r = zl_fail(in.err, ZL_E_CORRUPT, 0, "service: its name or its image is missing");
  return in.r;
}

static int read_image(struct reader *top, struct zl_image_config *image)
{
  struct reader in = object(top, "image");

  image->entrypoint = strv(&in, "entrypoint");
  image->cmd = strv(&in, "cmd");
  image->args_escaped = flag(&in, "argsEscaped");
  image->env = strv(&in, "env");
  image->working_dir = text(&in, "workingDir");
  image->user = text(&in, "user");
  return in.r;
}

static int read_ports(struct reader *in, struct zl_hcs_bundle *b)
{
  const json_t *list = array(in, "ports"), *item;
  size_t i;

  if (in->r < 0 || json_array_size(list) == 0)
    return in->r;
  b->ports = calloc(json_array_size(list), sizeof(*b->ports));
  if (b->ports == NULL)
    return zl_fail_nomem(in->err, "published ports");
  json_array_foreach (list, i, item) {
    struct reader one = { .object = item, .what = "ports", .err = in->err, .r = in->r };

    b->ports[i].host_ip = text(&one, "hostIp");
    b->ports[i].host_port = (uint16_t)number(&one, "hostPort", UINT16_MAX);
    b->ports[i].container_port = (uint16_t)number(&one, "containerPort", UINT16_MAX);
    b->ports[i].udp = flag(&one, "udp");
    in->r = one.r;
  }
  b->link.ports = b->ports;
  b->link.n_ports = json_array_size(list);
  return in->r;
}

static int read_link(struct reader *top, struct zl_hcs_bundle *b)
{
  struct reader in = object(top, "link");

  if (in.r < 0 || in.object == NULL)
    return in.r;
  b->has_link = true;
  b->link.slice = text(&in, "slice");
  b->link.address = text(&in, "address");
  b->link.gateway = text(&in, "gateway");
  b->link.prefix = (unsigned)number(&in, "prefix", 32);
  b->link.dns_servers = (const char *const *)strv(&in, "dns");
  if (in.r == 0)
    in.r = read_ports(&in, b);
  if (in.r == 0 && (b->link.slice == NULL || b->link.address == NULL || b->link.gateway == NULL))
    in.r = zl_fail(in.err, ZL_E_CORRUPT, 0, "link: slice, address or gateway is missing");
  return in.r;
}

static int read_rest(struct reader *in, struct zl_hcs_bundle *b)
{
  struct reader log = object(in, "log");
  const char *isolation = text(in, "isolation");

  b->network = text(in, "network");
  b->cpus = (uint32_t)number(in, "cpus", INT32_MAX);
  b->layers = strv(in, "layers");
  b->volumes = strv(in, "volumes");
  b->scratch_bytes = (uint64_t)number(in, "scratchBytes", INT64_MAX);
  b->keep_on_failure = flag(in, "keepOnFailure");
  b->stop_signal = (int)number(in, "stopSignal", 64);
  b->log_max_bytes = (uint64_t)number(&log, "maxBytes", INT64_MAX);
  b->log_files = (unsigned)number(&log, "files", ZL_MAX_LIST);
  if (in->r == 0)
    in->r = log.r;
  if (in->r == 0 && (b->network == NULL || isolation == NULL || b->layers == NULL))
    in->r = zl_fail(in->err, ZL_E_CORRUPT, 0, "config.json: network, isolation or layers missing");
  if (in->r == 0)
    b->isolation = strcmp(isolation, "hyperv") == 0 ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS;
  return in->r;
}

int zl_hcs_bundle_parse(const char *text, size_t len, struct zl_hcs_bundle *ret,
                        struct zl_error *err)
{
  zl_autohcsbundle b = { 0 };
  struct reader in = { .what = "config.json", .err = err };
  int r = zl_json_parse(text, len, "config.json", &b.document, err);

  in.object = b.document;
  if (r == 0)
    r = read_rest(&in, &b);
  if (r == 0)
    r = read_service(&in, &b.service);
  if (r == 0)
    r = read_image(&in, &b.image);
  if (r == 0)
    r = read_link(&in, &b);
  if (r < 0)
    return r;
  *ret = b;
  b = (struct zl_hcs_bundle){ 0 };
  return 0;
}

void zl_hcs_bundle_done(struct zl_hcs_bundle *bundle)
{
  char **lists[] = { bundle->layers,
                     bundle->volumes,
                     bundle->service.command.entrypoint,
                     bundle->service.command.args,
                     bundle->image.entrypoint,
                     bundle->image.cmd,
                     bundle->image.env,
                     (char **)(uintptr_t)bundle->link.dns_servers };

  for (size_t i = 0; i < ZL_COUNT(lists); i++)
    zl_strv_free(lists[i]);
  free(bundle->service.env.items);
  free(bundle->service.storage);
  free(bundle->ports);
  zl_json_decref(&bundle->document);
  *bundle = (struct zl_hcs_bundle){ 0 };
}
