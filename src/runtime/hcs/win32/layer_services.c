/* SPDX-License-Identifier: Apache-2.0
 *
 * A node whose images are only listed needs none of Windows' services for containers: each function
 * asks for the table.
 */
#include "runtime/hcs/layer_services.h"

#include "image/oscompat.h"
#include "runtime/hcs/privilege.h"
#include "runtime/hcs/wclayer.h"

static int begin(void *ctx, zl_win_backup_fn *ret_read, zl_win_backup_fn *ret_write,
                 struct zl_error *err)
{
  const struct zl_hcs_api *api = NULL;
  int r = zl_hcs_api_load(&api, err);

  (void)ctx;
  if (r == 0)
    r = zl_hcs_enable_privileges(api, err);
  if (r < 0)
    return r;
  *ret_read = api->BackupRead;
  *ret_write = api->BackupWrite;
  return 0;
}

static int host_version(void *ctx, char ret[ZL_PLATFORM_PART], struct zl_error *err)
{
  const struct zl_hcs_api *api = NULL;
  struct zl_os_version version = { 0 };
  int r = zl_hcs_api_load(&api, err);

  (void)ctx;
  _Static_assert((int)ZL_OS_VERSION_TEXT <= (int)ZL_PLATFORM_PART, "a version's text");
  if (r == 0)
    r = zl_hcs_host_version(api, &version, err);
  if (r == 0)
    (void)zl_os_version_format(&version, ret);
  return r;
}

static int import_layer(void *ctx, const char *layer, const char *staging, char *const *below,
                        size_t n_below, struct zl_error *err)
{
  ZL_CLEANUP(zl_wclayer_chain_freep) struct zl_wclayer_chain *chain = NULL;
  const struct zl_hcs_api *api = NULL;
  int r = zl_hcs_api_load(&api, err);

  (void)ctx;
  if (r == 0)
    r = zl_wclayer_chain_new(api, below, n_below, &chain, err);
  return r < 0 ? r : zl_wclayer_import(api, layer, staging, chain, err);
}

static int process_base(void *ctx, const char *layer, struct zl_error *err)
{
  const struct zl_hcs_api *api = NULL;
  int r = zl_hcs_api_load(&api, err);

  (void)ctx;
  return r < 0 ? r : zl_wclayer_process_base(api, layer, err);
}

static int process_utility(void *ctx, const char *utility_vm, struct zl_error *err)
{
  const struct zl_hcs_api *api = NULL;
  int r = zl_hcs_api_load(&api, err);

  (void)ctx;
  return r < 0 ? r : zl_wclayer_process_utility(api, utility_vm, err);
}

const struct zl_win_services zl_hcs_host_layer_services = { .begin = begin,
                                                            .host_version = host_version,
                                                            .import_layer = import_layer,
                                                            .process_base = process_base,
                                                            .process_utility = process_utility };
