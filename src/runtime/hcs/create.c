/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a container, and its shim.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/strv.h"
#include "runtime/hcs/bundle.h"
#include "runtime/hcs/hcs_private.h"
#include "runtime/hcs/isolation.h"
#include "runtime/hcs/mounts.h"
#include "runtime/hcs/settings.h"
#include "runtime/hcs/uvm.h"
#include "runtime/host.h"

static int fault(const char *site, int os_error, struct zl_error *err)
{
  return os_error == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, os_error, "fault at %s", site);
}

#define STEP_FAULT(name, err) fault(name, ZL_FAULT("runtime.hcs." name), err)

/* Whether the host can have machines is left to the compute service, which says so when one is
 * made (HCS_E_HYPERV_NOT_INSTALLED). */
int zl_hcs_isolate(struct zl_backend *backend, const struct zl_container_plan *plan,
                   enum zl_isolation *ret, struct zl_error *err)
{
  const struct zl_hcs_backend *hcs = (const struct zl_hcs_backend *)backend;
  struct zl_hcs_isolation facts = { .service = plan->service->name,
                                    .image = plan->image,
                                    .asked = plan->service->isolation,
                                    .host = hcs->host,
                                    .host_has_hypervisor = true };

  (void)zl_os_version_parse(plan->stored->os_version, &facts.version);
  facts.image_has_machine =
      zl_hcs_uvm_is_in(hcs->api, plan->layers, zl_strv_len((const char *const *)plan->layers));
  return zl_hcs_isolation_choose(&facts, ret, err);
}

/* The compute service would say that a file of a layer is missing, a machine's only when it starts.
 */
static int check_source(const struct zl_hcs_mount *mount, struct zl_error *err)
{
  struct stat st;

  if (fstatat(AT_FDCWD, mount->source, &st, 0) < 0)
    return zl_fail(err, errno == ENOENT || errno == ENOTDIR ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, errno,
                   "%s.source: '%s'", mount->field, mount->source);
  return S_ISDIR(st.st_mode) ? 0
                             : zl_fail(err, ZL_E_UNSUPPORTED, 0,
                                       "%s.source: '%s' is not a directory, and Windows mounts no "
                                       "single files",
                                       mount->field, mount->source);
}

static int check_sources(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autohcsmounts mounts = { 0 };
  int r = zl_hcs_mounts_of(plan->service, plan->volumes, plan->isolation, &mounts, err);

  for (size_t i = 0; r == 0 && i < mounts.n_dirs; i++)
    r = check_source(&mounts.dirs[i], err);
  return r;
}

static int write_bundle(struct zl_backend *backend, const struct zl_container_plan *plan,
                        struct zl_error *err)
{
  struct zl_hcs_bundle_options options = { 0 };
  char network[ZL_HCS_NETWORK_NAME], slice[ZL_SLICE_TEXT];
  zl_autofree char *text = NULL;
  struct zl_host_facts host;
  struct zl_hcs_node node;
  struct zl_net *net = NULL;
  int r = zl_hcs_node_of(backend, network, &node, err);

  if (r == 0)
    r = zl_node_net(backend->rt, &net, err);
  if (r == 0)
    r = zl_host_facts(&host, err);
  if (r == 0)
    r = zl_hcs_settings_load(backend->rt, &options, err);
  if (r < 0)
    return r;
  options.network = network;
  options.slice = zl_slice_format(zl_net_slice(net), slice);
  options.cpus = host.cpus;
  r = zl_hcs_bundle_render(plan, &options, &text, err);
  return r < 0 ? r
               : zl_file_replace(plan->dir_fd, "config.json", text, strlen(text), 0600, false, err);
}

int zl_hcs_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                  struct zl_error *err)
{
  int r = STEP_FAULT("bundle", err);

  if (r == 0)
    r = check_sources(plan, err);
  if (r == 0)
    r = write_bundle(backend, plan, err);
  if (r == 0)
    r = STEP_FAULT("shim", err);
  if (r == 0)
    r = zl_shimclient_launch(plan, err);
  return r < 0 ? r : STEP_FAULT("created", err);
}
