/* SPDX-License-Identifier: Apache-2.0
 *
 * zl_create. Intent first: one transaction names every host object that may come to exist. Then the
 * objects are made. Whatever fails, zl_dismantle takes everything back, the same way as it does
 * for a creator that died.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/strv.h"
#include "runtime/plan.h"

struct creation {
  struct zl_runtime *rt;
  struct zl_backend *backend;
  struct zl_store *store;
  const struct zl_container_id *id;
  struct zl_container_plan plan;
  struct zl_record record;
  struct zl_image image;
  char *digest;
  int dir_fd, prepared_fd;
  bool exists; /* the conflict is with the container itself: its lock file stays */
};

static void creation_done(struct creation *c)
{
  zl_plan_done(&c->plan);
  zl_record_done(&c->record);
  zl_image_done(&c->image);
  free(c->digest);
  zl_fd_closep(&c->dir_fd);
  zl_fd_closep(&c->prepared_fd);
}

static int fault(const char *site, int os_error, struct zl_error *err)
{
  return os_error == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, os_error, "fault at %s", site);
}

#define STEP_FAULT(name, err) fault(name, ZL_FAULT("runtime.create." name), err)

/* ---- Before the lock: what needs no lock ---- */

static int check_request(struct creation *c, const struct zl_service *service,
                         const struct zl_create_options *options, struct zl_error *err)
{
  int r = zl_service_validate(service, NULL, err);

  if (r == 0 && options->name != NULL && !zl_path_is_name(options->name, ZL_MAX_NAME))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "name '%.80s': 1 to %d of a-z A-Z 0-9 _ . -, beginning with a letter or digit",
                   options->name, ZL_MAX_NAME);
  if (r == 0)
    r = zl_backend_choose(c->rt, service, &c->backend, err);
  return r < 0 ? r : zl_backend_check(c->backend, service, err);
}

static int pull(struct creation *c, struct zl_error *err)
{
  struct zl_pull_options options = { .policy = c->plan.service->image.pull_policy };
  struct zl_image_store *images = NULL;
  int r = zl_node_images(c->rt, &images, err);

  if (r == 0)
    r = zl_image_pull(images, c->plan.service->image.canonical, &options, &c->digest, err);
  return r;
}

/* ---- Under the lock ---- */

static int conflict(struct creation *c, struct zl_error *err)
{
  c->exists = true;
  return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' exists", c->plan.id);
}

/* A container that exists, in the database or only on the host, is a conflict. What is left of an
 * interrupted creation or removal is cleared away. */
static int clear_the_way(struct creation *c, struct zl_error *err)
{
  const char *id = c->plan.id;
  zl_autorecord old = { 0 };
  struct zl_facts facts = { 0 };
  struct zl_backend *backend = NULL;
  struct stat st;
  bool has_dir = fstatat(c->rt->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
  int r = zl_record_load(c->rt, id, &old, err);

  if (r == -ZL_E_NOT_FOUND && !has_dir)
    return 0;
  if (r == -ZL_E_NOT_FOUND && zl_take_over(c->rt, id, NULL) == 0)
    return conflict(c, err);
  if (r == -ZL_E_NOT_FOUND)
    return zl_dismantle(c->rt, id, NULL, err);
  if (r == 0)
    r = zl_backend_get(c->rt, old.backend, &backend, err);
  if (r == 0)
    r = zl_backend_state(backend, id, &facts, err);
  if (r < 0)
    return r;
  if (facts.presence != ZL_PRESENCE_NONE && facts.presence != ZL_PRESENCE_LOST)
    return conflict(c, err);
  return zl_dismantle(c->rt, id, old.backend, err);
}

/* ---- Inside the transaction ---- */

static int find_network_owner(struct creation *c, struct zl_error *err)
{
  zl_autorecord other = { 0 };
  int r = zl_record_find(c->rt, c->plan.service->network_mode.name, &other, err);

  if (r < 0)
    return zl_context(r, err, "services.%s.network_mode", c->plan.service->name);
  c->plan.network_of = zl_steal_ptr(&other.id);
  return 0;
}

static int resolve(struct creation *c, struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  int r = zl_node_images(c->rt, &images, err);

  if (r == 0)
    r = zl_image_resolve(images, c->digest, &c->image, err);
  if (r == 0)
    r = zl_plan_merge(&c->plan, &c->image, err);
  if (r == 0)
    r = zl_backend_isolate(c->backend, &c->plan, err);
  if (r == 0 && c->plan.network == ZL_PLAN_NET_PATH)
    r = find_network_owner(c, err);
  return r;
}

static int lease(struct creation *c, struct zl_error *err)
{
  struct zl_plan_link *link = &c->plan.link;
  struct zl_lease got = { 0 };
  struct zl_net *net = NULL;
  int r = zl_node_net(c->rt, &net, err);

  if (r == 0)
    r = zl_lease_acquire(net, c->plan.id, &got, err);
  if (r < 0)
    return r;
  (void)zl_ip4_format(got.address, link->address);
  (void)zl_ip4_format(zl_slice_gateway(zl_net_slice(net)), link->gateway);
  memcpy(link->link, got.link, sizeof(link->link));
  (void)snprintf(link->bridge, sizeof(link->bridge), "%s", zl_net_bridge(net));
  link->prefix = zl_net_slice(net)->prefix;
  link->mtu = 1500;
  return 0;
}

static int read_port(const struct zl_service *service, size_t i, struct zl_net_port *ret,
                     struct zl_error *err)
{
  const struct zl_port_mapping *mapping = &service->port_mappings[i];

  *ret = (struct zl_net_port){ .host_port = mapping->host_port,
                               .container_port = mapping->container_port,
                               .protocol =
                                   mapping->protocol == ZL_PROTOCOL_UDP ? ZL_NET_UDP : ZL_NET_TCP };
  if (mapping->host_ip == NULL || zl_ip4_parse(mapping->host_ip, &ret->host_ip))
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "services.%s.port_mappings[%zu].host_ip: '%s' is not an IPv4 address",
                 service->name, i, mapping->host_ip);
}

static int note_ports(struct zl_container_plan *plan, const struct zl_net_port *ports,
                      struct zl_error *err)
{
  plan->ports = calloc(plan->service->n_port_mappings, sizeof(*plan->ports));
  if (plan->ports == NULL)
    return zl_fail_nomem(err, "published ports");
  for (size_t i = 0; i < plan->service->n_port_mappings; i++) {
    char text[ZL_IP4_TEXT];

    plan->ports[i] =
        (struct zl_plan_port){ .host_ip = strdup(zl_ip4_format(ports[i].host_ip, text)),
                               .host_port = ports[i].host_port,
                               .container_port = ports[i].container_port,
                               .udp = ports[i].protocol == ZL_NET_UDP };
    plan->n_ports++;
    if (plan->ports[i].host_ip == NULL)
      return zl_fail_nomem(err, "published ports");
  }
  return 0;
}

static int reserve_ports(struct creation *c, struct zl_error *err)
{
  const struct zl_service *service = c->plan.service;
  zl_autofree struct zl_net_port *ports = calloc(service->n_port_mappings, sizeof(*ports));
  struct zl_net *net = NULL;
  int r = zl_node_net(c->rt, &net, err);

  if (ports == NULL)
    return zl_fail_nomem(err, "published ports");
  for (size_t i = 0; r == 0 && i < service->n_port_mappings; i++)
    r = read_port(service, i, &ports[i], err);
  if (r == 0)
    r = zl_ports_reserve(net, c->plan.id, ports, service->n_port_mappings, err);
  return r < 0 ? r : note_ports(&c->plan, ports, err);
}

static int fill_record(struct creation *c, struct zl_error *err)
{
  const struct zl_create_options *options = c->plan.options;
  struct zl_record *rec = &c->record;
  const struct {
    char **to;
    const char *from;
  } texts[] = {
    { &rec->id, c->plan.id },
    { &rec->name, options->name },
    { &rec->deployment, options->deployment },
    { &rec->service, c->id->service },
    { &rec->role, c->id->role != NULL ? c->id->role : "default" },
    { &rec->backend, c->backend->ops->name },
    { &rec->isolation, c->plan.isolation == ZL_ISOLATION_HYPERV ? "hyperv" : "process" },
    { &rec->image, c->plan.image },
    { &rec->image_digest, c->plan.image_digest },
    { &rec->boot_id, c->rt->boot_id },
  };

  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    *texts[i].to = texts[i].from != NULL ? strdup(texts[i].from) : NULL;
    if (texts[i].from != NULL && *texts[i].to == NULL)
      return zl_fail_nomem(err, "container record");
  }
  rec->replica = c->id->replica;
  rec->node_id = c->id->node_id;
  rec->auto_remove = options->auto_remove || c->plan.service->lifecycle.delete_on_exit;
  rec->created_at_ns = zl_time_wall();
  if (rec->auto_remove) {
    rec->creator_pid = getpid();
    (void)zl_proc_start_time(rec->creator_pid, &rec->creator_start, NULL);
  }
  return zl_plan_describe(&c->plan, &rec->config, err);
}

static int journal(struct creation *c, struct zl_error *err)
{
  const struct zl_container_plan *plan = &c->plan;
  int r = zl_record_journal(c->store, &c->record, "directory", plan->id, err);

  if (r == 0)
    r = zl_record_journal(c->store, &c->record, "shim", plan->id, err);
  if (r == 0)
    r = zl_record_journal(c->store, &c->record, "cgroup", plan->id, err);
  if (r == 0 && plan->network == ZL_PLAN_NET_BRIDGE)
    r = zl_record_journal(c->store, &c->record, "link", plan->link.link, err);
  if (r == 0 && plan->n_ports > 0)
    r = zl_record_journal(c->store, &c->record, "ports", plan->id, err);
  return r;
}

static int write_rows(struct creation *c, struct zl_error *err)
{
  int r = resolve(c, err);

  if (r == 0 && c->plan.network == ZL_PLAN_NET_BRIDGE)
    r = lease(c, err);
  if (r == 0 && c->plan.service->n_port_mappings > 0)
    r = reserve_ports(c, err);
  if (r == 0)
    r = fill_record(c, err);
  if (r == 0)
    r = zl_record_insert(c->store, &c->record, err);
  if (r == 0)
    r = zl_plan_record_volumes(c->rt, c->store, &c->plan, err);
  if (r == 0)
    r = journal(c, err);
  return r < 0 ? r : STEP_FAULT("rows", err);
}

static int record_intent(struct creation *c, struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  struct zl_net *net = NULL;
  int r = zl_node_store(c->rt, &c->store, err);

  /* Opened here: opening inside the transaction would hold the database longer than needed. */
  if (r == 0)
    r = zl_node_images(c->rt, &images, err);
  if (r == 0)
    r = zl_node_net(c->rt, &net, err);
  if (r == 0)
    r = zl_store_begin(c->store, err);
  if (r < 0)
    return r;
  r = write_rows(c, err);
  if (r == 0)
    return zl_store_commit(c->store, err);
  zl_store_rollback(c->store);
  return r;
}

/* ---- The host ---- */

static int make_directory(struct creation *c, struct zl_error *err)
{
  int r = STEP_FAULT("directory", err);

  if (r < 0)
    return r;
  if (mkdirat(c->rt->containers_fd, c->plan.id, 0700) < 0)
    return zl_fail_errno(err, "making directory 'containers/%s'", c->plan.id);
  r = zl_node_container_dir(c->rt, c->plan.id, &c->dir_fd, err);
  if (r < 0)
    return r;
  c->plan.dir_fd = c->dir_fd;
  r = zl_record_save(c->dir_fd, &c->record, err);
  if (r == 0)
    r = STEP_FAULT("volumes", err);
  return r < 0 ? r : zl_plan_make_volumes(c->rt, &c->plan, err);
}

static int make_network(struct creation *c, struct zl_error *err)
{
  struct zl_net *net = NULL;
  int r = STEP_FAULT("network", err);

  if (c->plan.network != ZL_PLAN_NET_BRIDGE || !(c->backend->ops->caps & ZL_RT_NETWORK))
    return r;
  if (r == 0)
    r = zl_node_net(c->rt, &net, err);
  return r < 0 ? r : zl_net_ensure(net, err);
}

static int apply_ports(struct creation *c, struct zl_error *err)
{
  struct zl_net *net = NULL;
  int r = STEP_FAULT("ports", err);

  if (c->plan.n_ports == 0 || !(c->backend->ops->caps & ZL_RT_NETWORK))
    return r;
  if (r == 0)
    r = zl_node_net(c->rt, &net, err);
  return r < 0 ? r : zl_ports_apply(net, c->plan.id, err);
}

static int make_objects(struct creation *c, struct zl_error *err)
{
  int r = make_directory(c, err);

  if (r == 0)
    r = make_network(c, err);
  if (r == 0)
    r = STEP_FAULT("backend", err);
  if (r == 0)
    r = zl_backend_create(c->backend, &c->plan, err);
  if (r == 0)
    r = apply_ports(c, err);
  return r < 0 ? r : STEP_FAULT("last", err);
}

static int create_locked(struct creation *c, struct zl_error *err)
{
  int r = clear_the_way(c, err);

  if (r == 0)
    r = record_intent(c, err);
  if (r < 0)
    return r;
  r = make_objects(c, err);
  if (r < 0)
    (void)zl_dismantle(c->rt, c->plan.id, c->backend->ops->name, NULL);
  return r;
}

int zl_create(struct zl_runtime *rt, const struct zl_container_id *id,
              const struct zl_service *service, const struct zl_create_options *options,
              struct zl_error *err)
{
  static const struct zl_create_options defaults = { 0 };
  ZL_CLEANUP(creation_done)
  struct creation c = { .rt = rt, .id = id, .dir_fd = -1, .prepared_fd = -1 };
  zl_autofd lock = -1;
  char text[ZL_ID_TEXT];
  int r = zl_container_id_format(id, text, err);

  c.plan.id = text;
  c.plan.dir_fd = -1;
  c.plan.service = service;
  c.plan.options = options != NULL ? options : &defaults;
  if (r == 0)
    r = check_request(&c, service, c.plan.options, err);
  if (r == 0)
    r = pull(&c, err);
  if (r == 0)
    r = zl_backend_prepare(c.backend, text, service, c.digest, &c.prepared_fd, err);
  c.plan.prepared_fd = c.prepared_fd;
  if (r == 0)
    r = zl_node_lock(rt, text, &lock, err);
  if (r != 0)
    return r;
  r = create_locked(&c, err);
  if (r == 0)
    zl_event_emit(rt, "container", "create", text, c.plan.image);
  else if (!c.exists)
    zl_node_forget_lock(rt, text);
  return r;
}
