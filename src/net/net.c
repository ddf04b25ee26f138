/* SPDX-License-Identifier: Apache-2.0 */
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/real.h"
#include "net/net_private.h"

enum {
  LOCK_TIMEOUT_S = 30 /* making or removing everything takes milliseconds */
};

/* FNV-1a: eight digits that are the same for every process using this root. */
static uint32_t tag_of(const char *path)
{
  uint32_t hash = 2166136261U;

  for (; *path != '\0'; path++)
    hash = (hash ^ (uint8_t)*path) * 16777619U;
  return hash;
}

int zl_net_open(int root_fd, const char *root, struct zl_store *store, const struct zl_slice *slice,
                struct zl_net **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_net_closep) struct zl_net *net = calloc(1, sizeof(*net));
  zl_autofree char *path = zl_path_real(root);
  uint32_t tag;
  int r;

  if (path == NULL)
    return zl_fail_errno(err, "resolving the root directory '%s'", root);
  if (net == NULL)
    return zl_fail_nomem(err, "the network");
  r = zl_time_boot_id(net->boot_id, err);
  if (r < 0)
    return r;
  tag = tag_of(path);
  net->root_fd = root_fd;
  net->store = store;
  net->slice = *slice;
  (void)snprintf(net->bridge, sizeof(net->bridge), "zl-%08x", tag);
  (void)snprintf(net->link_prefix, sizeof(net->link_prefix), "zl%08x", tag);
  (void)snprintf(net->table, sizeof(net->table), "zlayer_%08x", tag);
  *ret = zl_steal_ptr(&net);
  return 0;
}

void zl_net_close(struct zl_net *net)
{
  free(net);
}

const char *zl_net_bridge(const struct zl_net *net)
{
  return net->bridge;
}

const char *zl_net_table(const struct zl_net *net)
{
  return net->table;
}

const char *zl_net_link_prefix(const struct zl_net *net)
{
  return net->link_prefix;
}

const struct zl_slice *zl_net_slice(const struct zl_net *net)
{
  return &net->slice;
}

int zl__net_lock(struct zl_net *net, int *ret_fd, struct zl_error *err)
{
  int r = zl_lock_acquire(net->root_fd, "net.lock", LOCK_TIMEOUT_S * ZL_NS_PER_S, ret_fd, err);

  return r < 0 ? zl_wrap(err, "locking the network") : 0;
}
