/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/assemble.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/hcs/refuse.h"

void zl_hcs_documents_done(struct zl_hcs_documents *documents)
{
  zl_json_decref(&documents->system);
  zl_json_decref(&documents->process);
  zl_json_decref(&documents->hosted);
  zl_hcs_command_done(&documents->command);
  for (size_t i = 0; i < documents->n_changes; i++)
    zl_hcs_modify_done(&documents->changes[i]);
  free(documents->changes);
  *documents = (struct zl_hcs_documents){ 0 };
}

/* What both kinds of container need of a service. */
struct parts {
  char hostname[ZL_HCS_HOSTNAME];
  struct zl_hcs_mounts mounts;
  char (*paths)[ZL_HCS_GUEST_PATH]; /* of the layers, as the guest sees them */
  struct zl_hcs_layer *layers;
};

static void parts_done(struct parts *parts)
{
  zl_hcs_mounts_done(&parts->mounts);
  free(parts->paths);
  free(parts->layers);
}
#define autoparts ZL_CLEANUP(parts_done) struct parts

/* No address, no container: only who asks for no network gets none. */
static int check_network(const struct zl_hcs_input *in, struct zl_error *err)
{
  bool none = in->service->network_mode.kind == ZL_NETWORK_NONE;

  if (none == (in->network == NULL))
    return 0;
  return none ? zl_fail(err, ZL_E_INTERNAL, 0, "container '%s': a network for network_mode none",
                        in->id)
              : zl_fail(err, ZL_E_NO_ADDRESS, 0,
                        "container '%s': it has no network; network_mode none goes without one",
                        in->id);
}

static int prepare(const struct zl_hcs_input *in, struct parts *parts, struct zl_error *err)
{
  int r = zl_hcs_refuse(in->service, in->isolation, err);

  if (r == 0)
    r = check_network(in, err);
  if (r == 0)
    r = zl_hcs_hostname(in->service, in->id, parts->hostname, err);
  return r < 0 ? r : zl_hcs_mounts_of(in->service, in->volumes, in->isolation, &parts->mounts, err);
}

static struct zl_hcs_container container_of(const struct zl_hcs_input *in,
                                            const struct parts *parts)
{
  return (struct zl_hcs_container){ .id = in->id,
                                    .hostname = parts->hostname,
                                    .layers = in->layers,
                                    .n_layers = in->n_layers,
                                    .scratch = in->scratch,
                                    .network = in->network,
                                    .dns_search = in->dns_search,
                                    .mounts = &parts->mounts };
}

/* ---- The workload ---- */

static int add_process(const struct zl_hcs_input *in, struct zl_hcs_documents *docs,
                       struct zl_error *err)
{
  zl_autofree char *field = zl_asprintf("services.%s.command", in->service->name);
  struct zl_hcs_process process = { .field = field,
                                    .console = in->service->tty,
                                    .in = in->service->stdin_open,
                                    .out = true,
                                    .err = true };
  int r = field != NULL ? zl_hcs_command_merge(in->service, in->image, &docs->command, err)
                        : zl_fail_nomem(err, "process");

  process.line = docs->command.line;
  process.directory = docs->command.directory;
  process.user = docs->command.user;
  process.env = docs->command.env;
  return r < 0 ? r : zl_hcs_doc_parameters(&process, &docs->process, err);
}

/* ---- On the host's kernel ---- */

static int add_container(const struct zl_hcs_input *in, const struct parts *parts,
                         struct zl_hcs_documents *docs, struct zl_error *err)
{
  struct zl_hcs_container container = container_of(in, parts);

  container.limits = zl_hcs_container_limits(in->service, in->host_cpus);
  return zl_hcs_doc_process(&container, in->owner, &docs->system, err);
}

/* ---- In a machine ---- */

static int add_machine(const struct zl_hcs_input *in, struct zl_hcs_documents *docs,
                       struct zl_error *err)
{
  struct zl_hcs_machine machine = {
    .id = in->id, .owner = in->owner, .boot_files = in->boot_files, .scratch = in->machine_scratch
  };
  int r = zl_hcs_machine_size(in->service, in->host_cpus, &machine.size, err);

  return r < 0 ? r : zl_hcs_doc_machine(&machine, &docs->system, err);
}

static int add_share(const char *path, unsigned options, struct zl_hcs_documents *docs,
                     char ret_path[ZL_HCS_GUEST_PATH], struct zl_error *err)
{
  char name[ZL_HCS_SHARE_NAME];
  struct zl_hcs_share share = { .path = path, .options = options };
  int r;

  share.name = zl_hcs_share_name((unsigned)docs->n_changes + 1, name);
  r = zl_hcs_modify_share_add(&share, &docs->changes[docs->n_changes], err);
  if (r < 0)
    return r;
  docs->n_changes++;
  (void)zl_hcs_share_path(name, ret_path);
  return 0;
}

static int share_layers(const struct zl_hcs_input *in, struct parts *parts,
                        struct zl_hcs_documents *docs, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < in->n_layers; i++) {
    r = add_share(in->layers[i].path, ZL_HCS_SHARE_LAYER, docs, parts->paths[i], err);
    parts->layers[i] = (struct zl_hcs_layer){ in->layers[i].id, parts->paths[i] };
  }
  return r;
}

/* A directory that is written to on both sides is neither cached nor mapped. */
static unsigned mount_options(const struct zl_hcs_mount *mount)
{
  return mount->readonly
             ? (unsigned)ZL_HCS_SHARE_READ_ONLY | ZL_HCS_SHARE_READ | ZL_HCS_SHARE_CACHE_IO |
                   ZL_HCS_SHARE_NO_DIRECT_MAP | ZL_HCS_SHARE_PSEUDO_OPLOCKS
             : (unsigned)ZL_HCS_SHARE_NO_DIRECT_MAP;
}

static int share_mounts(struct parts *parts, struct zl_hcs_documents *docs, struct zl_error *err)
{
  for (size_t i = 0; i < parts->mounts.n_dirs; i++) {
    struct zl_hcs_mount *mount = &parts->mounts.dirs[i];
    char path[ZL_HCS_GUEST_PATH];
    char *copy;
    int r = add_share(mount->source, mount_options(mount), docs, path, err);

    if (r < 0)
      return zl_wrap(err, "%s", mount->field);
    copy = strdup(path);
    if (copy == NULL)
      return zl_fail_nomem(err, "mounts");
    free(mount->source);
    mount->source = copy;
  }
  return 0;
}

static int add_disk(const struct zl_hcs_input *in, const struct parts *parts,
                    struct zl_hcs_documents *docs, struct zl_error *err)
{
  char root[ZL_HCS_GUEST_PATH];
  const struct zl_hcs_disk disk = { .lun = ZL_HCS_DISK,
                                    .path = in->scratch,
                                    .guest_path = zl_hcs_disk_path(ZL_HCS_DISK, root) };
  int r = zl_hcs_modify_disk(&disk, true, &docs->changes[docs->n_changes], err);

  if (r < 0)
    return r;
  docs->n_changes++;
  r = zl_hcs_modify_layers_add(root, parts->layers, in->n_layers, &docs->changes[docs->n_changes],
                               err);
  docs->n_changes += r == 0 ? 1 : 0;
  return r;
}

static int allocate(const struct zl_hcs_input *in, struct parts *parts,
                    struct zl_hcs_documents *docs, struct zl_error *err)
{
  if (in->n_layers == 0 || in->n_layers > ZL_MAX_LAYERS)
    return zl_fail(err, ZL_E_LIMIT, 0, "container '%s': %zu layers, 1 to %d can be", in->id,
                   in->n_layers, ZL_MAX_LAYERS);
  parts->paths = calloc(in->n_layers, sizeof(*parts->paths));
  parts->layers = calloc(in->n_layers, sizeof(*parts->layers));
  docs->changes = calloc(in->n_layers + parts->mounts.n_dirs + 2, sizeof(*docs->changes));
  return parts->paths != NULL && parts->layers != NULL && docs->changes != NULL
             ? 0
             : zl_fail_nomem(err, "documents of a container");
}

static int add_hosted(const struct zl_hcs_input *in, struct parts *parts,
                      struct zl_hcs_documents *docs, struct zl_error *err)
{
  struct zl_hcs_container container;
  char root[ZL_HCS_GUEST_PATH];
  int r = allocate(in, parts, docs, err);

  if (r == 0)
    r = share_layers(in, parts, docs, err);
  if (r == 0)
    r = share_mounts(parts, docs, err);
  if (r == 0)
    r = add_disk(in, parts, docs, err);
  if (r < 0)
    return r;
  container = container_of(in, parts);
  container.layers = parts->layers;
  container.scratch = zl_hcs_disk_path(ZL_HCS_DISK, root);
  return zl_hcs_doc_hosted(&container, &docs->hosted, err);
}

int zl_hcs_documents_of(const struct zl_hcs_input *input, struct zl_hcs_documents *ret,
                        struct zl_error *err)
{
  struct zl_error local = { 0 };
  zl_autohcsdocuments docs = { 0 };
  autoparts parts = { .paths = NULL };
  int r;

  if (err == NULL)
    err = &local;
  r = prepare(input, &parts, err);
  if (r == 0)
    r = add_process(input, &docs, err);
  if (r == 0)
    r = input->isolation == ZL_ISOLATION_HYPERV ? add_machine(input, &docs, err)
                                                : add_container(input, &parts, &docs, err);
  if (r == 0 && input->isolation == ZL_ISOLATION_HYPERV)
    r = add_hosted(input, &parts, &docs, err);
  if (r < 0)
    return r;
  *ret = docs;
  docs = (struct zl_hcs_documents){ 0 };
  return 0;
}
