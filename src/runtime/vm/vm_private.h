/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the backend for machines.
 */
#ifndef ZL_RUNTIME_VM_PRIVATE_H
#define ZL_RUNTIME_VM_PRIVATE_H

#include "runtime/check.h"
#include "runtime/vm/machine.h"
#include "runtime/vm/vm.h"

/* create.c */
int zl_vm_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                  int *ret_fd, struct zl_error *err);
int zl_vm_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                 struct zl_error *err);

/* ---- Templates (template.c): ROOT/vm/templates/<key>, made under the lock <key>.lock ---- */

/* Starts the builder of the machine's template and does not wait for it. Nothing happens when there
 * is one or somebody makes it. */
int zl_vm_template_start(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                         struct zl_error *err);
/* Makes it (with `rebuild` anew) and waits until it is there. */
int zl_vm_template_make(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                        bool rebuild, struct zl_error *err);
/* Removes templates that no machine can be made from any more and none was made from. */
void zl_vm_template_retire(struct zl_shimclient *client);

/* ---- The pool (pool.c): ROOT/vm/pool/<name> ---- */

/* A connection to a machine of that template which is now ours, or ZL_E_NOT_FOUND. */
int zl_vm_pool_claim(struct zl_runtime *rt, const char *template, int *ret_fd);
/* How many there should be: ROOT/vm/pool.json, else the settings. */
unsigned zl_vm_pool_size(struct zl_runtime *rt, const struct zl_vm_settings *settings);
/* Starts the machines that are missing, does not wait for them; those of another template are
 * called off. No template: nothing. */
int zl_vm_pool_fill(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                    struct zl_error *err);
/* Calls off machines until at most `size` are left. */
int zl_vm_pool_shrink(struct zl_runtime *rt, unsigned size, struct zl_error *err);
/* Calls fn with the name and directory of each; `ready`: it waits to be claimed. */
typedef int (*zl_vm_pool_fn)(void *ctx, const char *name, int dir_fd, bool ready);
int zl_vm_pool_each(struct zl_runtime *rt, zl_vm_pool_fn fn, void *ctx, struct zl_error *err);
/* Somebody is or will be at work in the directory of a machine. */
bool zl_vm_is_owned(int dir_fd);

/* ---- Housekeeping (sweep.c, status.c) ---- */

int zl_vm_sweep(struct zl_backend *backend, struct zl_check *check, struct zl_error *err);
int zl_vm_collect(struct zl_backend *backend, bool dry_run, struct zl_backend_usage *ret,
                  struct zl_error *err);
int zl_vm_usage(struct zl_backend *backend, struct zl_backend_usage *ret, struct zl_error *err);
int zl_vm_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err);
int zl_vm_inspect(struct zl_backend *backend, const char *id, struct json_t *to,
                  struct zl_error *err);

/* A file of a directory as JSON. */
int zl_vm_read_json(int dir_fd, const char *name, json_t **ret, struct zl_error *err);

#endif
