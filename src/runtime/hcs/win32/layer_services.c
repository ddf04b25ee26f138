/* SPDX-License-Identifier: Apache-2.0
 *
 * A node whose images are only listed needs none of Windows' services for containers.
 */
#include "runtime/hcs/layer_services.h"

static int open_host(struct zl_win_services *ret, struct zl_error *err)
{
  const struct zl_hcs_api *api = NULL;
  int r = zl_hcs_api_load(&api, err);

  if (r == 0)
    *ret = zl_hcs_layer_services(api);
  return r;
}

static int begin(void *ctx, zl_win_backup_fn *ret_read, zl_win_backup_fn *ret_write,
                 struct zl_error *err)
{
  struct zl_win_services host;
  int r = open_host(&host, err);

  (void)ctx;
  return r < 0 ? r : host.begin(host.ctx, ret_read, ret_write, err);
}

static int host_version(void *ctx, char ret[ZL_PLATFORM_PART], struct zl_error *err)
{
  struct zl_win_services host;
  int r = open_host(&host, err);

  (void)ctx;
  return r < 0 ? r : host.host_version(host.ctx, ret, err);
}

static int import_layer(void *ctx, const char *layer, const char *staging, char *const *below,
                        size_t n_below, struct zl_error *err)
{
  struct zl_win_services host;
  int r = open_host(&host, err);

  (void)ctx;
  return r < 0 ? r : host.import_layer(host.ctx, layer, staging, below, n_below, err);
}

static int process_base(void *ctx, const char *layer, struct zl_error *err)
{
  struct zl_win_services host;
  int r = open_host(&host, err);

  (void)ctx;
  return r < 0 ? r : host.process_base(host.ctx, layer, err);
}

static int process_utility(void *ctx, const char *utility_vm, struct zl_error *err)
{
  struct zl_win_services host;
  int r = open_host(&host, err);

  (void)ctx;
  return r < 0 ? r : host.process_utility(host.ctx, utility_vm, err);
}

const struct zl_win_services zl_hcs_host_layer_services = { .begin = begin,
                                                            .host_version = host_version,
                                                            .import_layer = import_layer,
                                                            .process_base = process_base,
                                                            .process_utility = process_utility };
