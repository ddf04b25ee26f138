/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/vm.h"

#include <stdlib.h>

#include "base/fd.h"
#include "net/linux/link.h"
#include "runtime/bundle/bundle.h"
#include "runtime/vm/ahead.h"
#include "runtime/vm/refuse.h"
#include "runtime/vm/vm_private.h"

static int vm_open(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err)
{
  struct zl_vm_backend *vm = calloc(1, sizeof(*vm));

  if (vm == NULL)
    return zl_fail_nomem(err, "vm backend");
  zl_shimclient_init(&vm->client, &zl_vm_ops, rt, "zlayer-shim-vm");
  zl_vm_ahead_init(&vm->ahead);
  *ret = &vm->client.base;
  return 0;
}

/* A container that was made and not started leaves its machine's place in the pool empty, too. */
static void vm_close(struct zl_backend *backend)
{
  struct zl_vm_backend *vm = (struct zl_vm_backend *)backend;

  zl_vm_ahead_go(vm);
  zl_vm_ahead_done(&vm->ahead);
  zl_shimclient_done(&vm->client);
  free(vm);
}

static int vm_check(struct zl_backend *backend, const struct zl_service *service,
                    struct zl_error *err)
{
  zl_automachine machine = { 0 };
  uint64_t caps;
  int r = zl_vm_machine_look(backend->rt, &machine, err);

  if (r < 0)
    return zl_context(r, err, "services.%s.isolation", service->name);
  r = zl_vm_refuse(&machine, service, err);
  return r < 0 ? r : zl_bundle_capabilities(service, &caps, err);
}

static int vm_start(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  int r = zl_shimclient_start(backend, id, err);

  zl_vm_ahead_go((struct zl_vm_backend *)backend);
  return r;
}

/* ---- The end ---- */

/* The tap goes with QEMU, which dies with its helper, a moment later perhaps than the lock is free.
 */
static int remove_link(int dir_fd, struct zl_error *err)
{
  zl_autojson *config = NULL;
  const char *link;

  if (zl_shimclient_load_bundle(dir_fd, &config, NULL) < 0)
    return 0;
  link = json_string_value(
      json_object_get(json_object_get(json_object_get(config, "zlayer"), "network"), "link"));
  return link != NULL ? zl_link_remove(link, err) : 0;
}

static bool is_ours(struct zl_runtime *rt, const char *id)
{
  return zl_shimclient_has_file(rt, id, "machine.json");
}

static int vm_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r == 0)
    r = zl_shimclient_end(dir, err);
  if (r == 0 && is_ours(backend->rt, id) && !zl_shimclient_has_exit_record(dir))
    r = remove_link(dir, err);
  return r;
}

struct found {
  zl_id_fn fn;
  void *payload;
};

static int pass_on(void *payload, const char *id)
{
  const struct found *found = payload;

  return found->fn(found->payload, id) != 0 ? 1 : 0;
}

static int vm_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                        struct zl_error *err)
{
  struct found found = { .fn = fn, .payload = payload };
  int r = zl_shimclient_list(backend->rt, is_ours, pass_on, &found, err);

  return r < 0 ? r : 0;
}

const struct zl_runtime_ops zl_vm_ops = {
  .name = "vm",
  .isolation = ZL_ISOLATION_HYPERV,
  .caps = ZL_RT_ATTACH | ZL_RT_EXEC | ZL_RT_PAUSE | ZL_RT_STATS | ZL_RT_NETWORK,
  .open = vm_open,
  .close = vm_close,
  .check = vm_check,
  .prepare = zl_vm_prepare,
  .create = zl_vm_create,
  .start = vm_start,
  .stop = zl_shimclient_stop,
  .kill = zl_shimclient_kill,
  .remove = vm_remove,
  .state = zl_shimclient_state,
  .wait = zl_shimclient_wait,
  .enumerate = vm_enumerate,
  .adopt = zl_shimclient_adopt,
  .describe = zl_vm_describe,
  .attach = zl_shimclient_attach,
  .exec = zl_shimclient_exec,
  .pause = zl_shimclient_pause,
  .stats = zl_shimclient_stats,
  .sweep = zl_vm_sweep,
  .collect = zl_vm_collect,
  .usage = zl_vm_usage,
  .inspect = zl_vm_inspect,
};
