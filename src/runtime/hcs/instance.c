/* SPDX-License-Identifier: Apache-2.0
 *
 * Creation and removal.
 */
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/files.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/instance_private.h"
#include "runtime/runtime.h"

uint32_t zl_hcs_instance_end_ms(const struct zl_hcs_instance *c)
{
  return c->node->end_ms != 0 ? c->node->end_ms : ZL_HCS_END_MS;
}

/* ---- Undoing ---- */

static int undo_scratch(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;
  int r = zl_hcs_scratch_remove(&c->scratch, err);

  if (r == 0)
    zl_hcs_scratch_done(&c->scratch);
  return r;
}

/* ---- Steps of create ---- */

const char *zl_hcs_machine_id(const struct zl_hcs_node *node, const char *container,
                              char text[ZL_GUID_CHARS])
{
  const char *texts[] = { "machine", node->network, container, NULL };
  struct zl_guid guid;

  zl_guid_of(texts, &guid);
  return zl_guid_format(&guid, text);
}

static char *below(const char *dir, const char *name)
{
  return zl_asprintf("%s\\%s", dir, name);
}

static int make_scratch(struct zl_hcs_instance *c, const struct zl_hcs_instance_spec *spec,
                        struct zl_error *err)
{
  zl_autofree char *path = below(spec->dir, "scratch");
  const struct zl_hcs_scratch_options options = {
    .path = path, .chain = c->chain, .bytes = spec->scratch_bytes, .mount = !c->in_machine
  };
  int r = path != NULL ? zl_hcs_scratch_create(c->node->api, &options, &c->scratch, err)
                       : zl_fail_nomem(err, "a container");

  if (r < 0)
    return zl_context(r, err, "scratch layer");
  zl_undo_push(&c->undo, "scratch layer", undo_scratch, c);
  return 0;
}

static int find_machine(struct zl_hcs_instance *c, const struct zl_hcs_instance_spec *spec,
                        struct zl_error *err)
{
  zl_autofree char *dir = below(spec->dir, "vm");
  char id[ZL_GUID_CHARS];

  if (!c->in_machine)
    return 0;
  if (dir == NULL)
    return zl_fail_nomem(err, "a container");
  return zl_hcs_uvm_init(c->node->api, zl_hcs_machine_id(c->node, c->id, id), dir, c->chain,
                         &c->uvm, err);
}

static int note_dirs(struct zl_hcs_instance *c, const struct zl_hcs_instance_spec *spec,
                     struct zl_error *err)
{
  zl_autohcsmounts mounts = { 0 };
  int r = zl_hcs_mounts_of(spec->service, spec->volumes, spec->isolation, &mounts, err);

  for (size_t i = 0; r == 0 && i < mounts.n_dirs; i++)
    r = zl_strv_push(&c->dirs, mounts.dirs[i].source, err);
  return r;
}

static int make_documents(struct zl_hcs_instance *c, const struct zl_hcs_instance_spec *spec,
                          struct zl_error *err)
{
  zl_autofree char *disk = zl_hcs_scratch_disk(&c->scratch);
  char space[ZL_GUID_CHARS];
  struct zl_hcs_input input = { .id = c->id,
                                .owner = c->node->owner,
                                .service = spec->service,
                                .image = spec->image,
                                .isolation = spec->isolation,
                                .host_cpus = c->node->cpus,
                                .layers = c->chain->layers,
                                .n_layers = c->chain->count,
                                .scratch = c->in_machine ? disk : c->scratch.volume,
                                .volumes = spec->volumes,
                                .boot_files = c->uvm.boot_files,
                                .machine_scratch = c->uvm.disk };
  int r;

  if (disk == NULL)
    return zl_fail_nomem(err, "a container");
  if (c->has_network) {
    input.network = zl_guid_format(&c->hcn.space, space);
    input.dns_search = spec->link->dns_search;
  }
  r = note_dirs(c, spec, err);
  return r < 0 ? r : zl_hcs_documents_of(&input, &c->documents, err);
}

/* As the documents have it, in bytes. */
static uint64_t memory_limit(const struct zl_hcs_instance *c,
                             const struct zl_hcs_instance_spec *spec)
{
  struct zl_hcs_machine_size size = { 0 };
  uint64_t mib = zl_hcs_container_limits(spec->service, c->node->cpus).memory_mib;

  if (c->in_machine && zl_hcs_machine_size(spec->service, c->node->cpus, &size, NULL) == 0)
    mib = size.memory_mib;
  return mib > 0 ? mib << 20 : UINT64_MAX;
}

static int make_all(struct zl_hcs_instance *c, const struct zl_hcs_instance_spec *spec,
                    struct zl_error *err)
{
  int r = zl_wclayer_chain_new(c->node->api, spec->layers, spec->n_layers, &c->chain, err);

  if (r < 0)
    return zl_context(r, err, "layers");
  r = find_machine(c, spec, err);
  if (r == 0)
    r = make_scratch(c, spec, err);
  if (r == 0)
    r = zl_hcs_instance_note_link(c, spec->link, err);
  if (r == 0)
    r = make_documents(c, spec, err);
  c->before_system = c->undo.count;
  c->memory_limit = memory_limit(c, spec);
  return r < 0 ? r : zl_hcs_instance_make_system(c, err);
}

/* That a host has no Hyper-V is known only now: it is the field that cannot be had. */
static int blame_isolation(const struct zl_hcs_instance_spec *spec, int r, struct zl_error *err)
{
  bool lacking = err != NULL && (uint32_t)err->os_error == ZL_HRESULT_NO_HYPERV;

  return lacking ? zl_context(r, err, "services.%s.isolation", spec->service->name) : r;
}

/* ---- Life ---- */

static struct zl_hcs_instance *new_container(const struct zl_hcs_node *node,
                                             const struct zl_hcs_instance_spec *spec,
                                             const struct zl_hcs_instance_hooks *hooks)
{
  struct zl_hcs_instance *c = calloc(1, sizeof(*c));

  if (c == NULL)
    return NULL;
  c->node = node;
  if (hooks != NULL)
    c->hooks = *hooks;
  c->in_machine = spec->isolation == ZL_ISOLATION_HYPERV;
  c->console = spec->service->tty;
  c->input = spec->service->stdin_open;
  c->scratch.api = c->uvm.api = node->api;
  (void)pthread_mutex_init(&c->turn, NULL);
  (void)pthread_mutex_init(&c->lock, NULL);
  (void)pthread_cond_init(&c->changed, NULL);
  c->id = strdup(spec->id);
  if (c->id != NULL)
    return c;
  zl_hcs_instance_free(c);
  return NULL;
}

int zl_hcs_instance_create(const struct zl_hcs_node *node, const struct zl_hcs_instance_spec *spec,
                           const struct zl_hcs_instance_hooks *hooks, struct zl_hcs_instance **ret,
                           struct zl_error *err)
{
  struct zl_hcs_instance *c = new_container(node, spec, hooks);
  int r = c != NULL ? make_all(c, spec, err) : zl_fail_nomem(err, "a container");

  if (r < 0) {
    if (c != NULL)
      (void)zl_undo_back(&c->undo, 0, NULL);
    zl_hcs_instance_free(c);
    r = blame_isolation(spec, r, err);
    return zl_context(r, err, "creating container '%s'", spec->id);
  }
  *ret = c;
  return 0;
}

static int remove_all(struct zl_hcs_instance *c, struct zl_error *err)
{
  if (c->execs > 0)
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' still has %u sessions", c->id, c->execs);
  if (c->task != NULL)
    (void)zl_hcs_task_signal(c->task, ZL_HCS_TERMINATE, NULL);
  /* The system's end is what the threads wait for. */
  if (c->system != NULL)
    (void)zl_hcs_system_end(c->system, true, NULL);
  zl_hcs_instance_join(c);
  return zl_undo_back(&c->undo, 0, err);
}

int zl_hcs_instance_remove(struct zl_hcs_instance *instance, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&instance->turn);
  r = remove_all(instance, err);
  (void)pthread_mutex_unlock(&instance->turn);
  return r < 0 ? zl_context(r, err, "container '%s'", instance->id) : 0;
}

void zl_hcs_instance_free(struct zl_hcs_instance *instance)
{
  struct zl_hcs_instance *c = instance;

  if (c == NULL)
    return;
  zl_hcs_documents_done(&c->documents);
  zl_wclayer_chain_free(c->chain);
  zl_hcs_scratch_done(&c->scratch);
  zl_hcs_uvm_done(&c->uvm);
  zl_hcs_instance_forget_link(&c->link);
  zl_strv_free(c->dirs);
  (void)pthread_cond_destroy(&c->changed);
  (void)pthread_mutex_destroy(&c->lock);
  (void)pthread_mutex_destroy(&c->turn);
  free(c->id);
  free(c);
}

/* ---- What a dead process left ---- */

struct leftovers {
  const struct zl_hcs_node *node;
  const char *id, *dir;
  struct zl_hcn_ids hcn;
};

static int reap_systems(void *ctx, struct zl_error *err)
{
  const struct leftovers *left = ctx;
  zl_autofree char *id = zl_asprintf("%s-%s", left->node->network, left->id);
  char machine[ZL_GUID_CHARS];
  int r;

  if (id == NULL)
    return zl_fail_nomem(err, "a container");
  r = zl_hcs_system_reap(left->node->api, zl_hcs_machine_id(left->node, left->id, machine), err);
  return r < 0 ? r : zl_hcs_system_reap(left->node->api, id, err);
}

static int reap_network(void *ctx, struct zl_error *err)
{
  const struct leftovers *left = ctx;
  struct zl_hcn hcn = { .api = &left->node->api->hcn, .fail = zl_hresult_fail };
  int r = zl_hcn_endpoint_remove(&hcn, &left->hcn.endpoint, err);
  int s = zl_hcn_namespace_remove(&hcn, &left->hcn.space, r < 0 ? NULL : err);

  return r < 0 ? r : s;
}

static int reap_machine(void *ctx, struct zl_error *err)
{
  const struct leftovers *left = ctx;
  zl_autofree char *dir = below(left->dir, "vm");
  zl_autofree char *disk = dir != NULL ? below(dir, "sandbox.vhdx") : NULL;
  int r = disk != NULL ? zl_hcs_remove_file(left->node->api, disk, err)
                       : zl_fail_nomem(err, "a container");

  return r < 0 ? r : zl_hcs_remove_directory(left->node->api, dir, err);
}

static int reap_scratch(void *ctx, struct zl_error *err)
{
  const struct leftovers *left = ctx;
  zl_autofree char *path = below(left->dir, "scratch");

  if (path == NULL)
    return zl_fail_nomem(err, "a container");
  return zl_hcs_file_exists(left->node->api, path) ? zl_wclayer_destroy(left->node->api, path, err)
                                                   : 0;
}

int zl_hcs_instance_reap(const struct zl_hcs_node *node, const char *id, const char *dir,
                         struct zl_error *err)
{
  struct leftovers left = { .node = node, .id = id, .dir = dir };
  const struct zl_hcn_network_spec network = { .name = node->network, .prefix = "" };
  struct zl_undo undo = { .count = 0 };
  int r;

  zl_hcn_ids_of(&network, id, &left.hcn);
  zl_undo_push(&undo, "scratch layer", reap_scratch, &left);
  zl_undo_push(&undo, "machine's files", reap_machine, &left);
  zl_undo_push(&undo, "network", reap_network, &left);
  zl_undo_push(&undo, "compute system", reap_systems, &left);
  r = zl_undo_back(&undo, 0, err);
  return r < 0 ? zl_context(r, err, "container '%s'", id) : 0;
}

int zl_hcs_instance_revoke(const struct zl_hcs_node *node, const char *id, char *const *paths,
                           size_t n_paths, struct zl_error *err)
{
  char machine[ZL_GUID_CHARS];
  int first = 0;

  (void)zl_hcs_machine_id(node, id, machine);
  for (size_t i = 0; i < n_paths; i++) {
    zl_autofree char *boot_files = zl_hcs_uvm_boot_files(paths[i]);
    int r = zl_wclayer_revoke(node->api, machine, paths[i], first == 0 ? err : NULL);

    first = first == 0 ? r : first;
    r = boot_files != NULL
            ? zl_wclayer_revoke(node->api, machine, boot_files, first == 0 ? err : NULL)
            : zl_fail_nomem(first == 0 ? err : NULL, "a machine");
    first = first == 0 ? r : first;
  }
  return first < 0 ? zl_context(first, err, "container '%s': grants", id) : 0;
}
