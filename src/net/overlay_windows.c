/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay on Windows: the network is made by the first container's endpoint, which also bears
 * its address and published ports, and removed by the backend (runtime/hcs). What is left here are
 * the rows.
 */
#include "net/net_private.h"

/* A lease's link is a name that the host does not know. */
int zl__net_has_link(const char *name, struct zl_error *err)
{
  (void)name;
  (void)err;
  return 0;
}

int zl_net_ensure(struct zl_net *net, struct zl_error *err)
{
  (void)net;
  (void)err;
  return 0;
}

int zl_ports_apply(struct zl_net *net, const char *container, struct zl_error *err)
{
  (void)net;
  (void)container;
  (void)err;
  return 0;
}

/* They go with the endpoint. */
int zl_ports_withdraw(struct zl_net *net, const char *container, struct zl_error *err)
{
  int r = zl_store_begin(net->store, err);

  if (r < 0)
    return r;
  r = zl_ports_release(net, container, err);
  if (r == 0)
    return zl_store_commit(net->store, err);
  zl_store_rollback(net->store);
  return r;
}
