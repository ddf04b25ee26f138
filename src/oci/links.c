/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/links.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"

void oci_links_done(struct oci_links *links)
{
  free(links->items);
  *links = (struct oci_links){ 0 };
}

int oci_links_find(const struct zl_engine_config *config, struct oci_links *ret,
                   struct zl_error *err)
{
  int r = 0;

  ret->items = calloc(config->n_net_devices + 1, sizeof(*ret->items));
  if (ret->items == NULL)
    return zl_fail_nomem(err, "linux.netDevices");
  for (; r == 0 && ret->n < config->n_net_devices; ret->n++) {
    const struct zl_key_value *device = &config->net_devices[ret->n];

    r = zl_link_move_begin(device->key, device->value, &ret->items[ret->n], err);
  }
  return r < 0 ? zl_wrap(err, "linux.netDevices") : 0;
}

int oci_links_give(const struct oci_links *links, const struct zl_engine_config *config, pid_t pid,
                   struct zl_error *err)
{
  const char *path = config->namespaces[ZL_NS_NETWORK].path;
  char own[32];
  zl_autofd netns = -1;
  int r = 0;

  if (links->n == 0)
    return 0;
  (void)snprintf(own, sizeof(own), "/proc/%d/ns/net", (int)pid);
  netns = zl_fd_open(AT_FDCWD, path != NULL ? path : own, O_RDONLY, 0);
  if (netns < 0)
    return zl_fail(err, ZL_E_SYSTEM, -netns, "the container's network namespace");
  for (size_t i = 0; r == 0 && i < links->n; i++)
    r = zl_link_move(&links->items[i], netns, err);
  return r < 0 ? zl_wrap(err, "linux.netDevices") : 0;
}

int oci_links_take(const struct oci_links *links, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < links->n; i++)
    r = zl_link_move_end(&links->items[i], err);
  return r < 0 ? zl_wrap(err, "linux.netDevices") : 0;
}
