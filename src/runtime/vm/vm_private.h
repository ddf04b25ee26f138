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
                  const char *image_digest, int *ret_fd, struct zl_error *err);
int zl_vm_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                 struct zl_error *err);

/* ---- Templates (template.c): ROOT/vm/templates/<key>, made under the lock <key>.lock ---- */

enum {
  ZL_VM_MAX_IMAGE_TEMPLATES = 8 /* of one node; what is more is not used often enough */
};

/* Which one of a machine's: strings are borrowed from it. */
struct zl_vm_template_plan {
  const char *key, *image;  /* image NULL: of any */
  struct zl_vm_habit habit; /* of an image */
};
struct zl_vm_template_plan zl_vm_template_of_any(const struct zl_vm_machine_plan *machine);
/* Only when machine->image_key is not "". */
struct zl_vm_template_plan zl_vm_template_of_image(const struct zl_vm_machine_plan *machine,
                                                   const struct zl_vm_habit *habit);
/* Starts the builder and does not wait for it. Nothing happens when there is such a template or
 * somebody makes it. */
int zl_vm_template_start(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                         const struct zl_vm_template_plan *plan, struct zl_error *err);
/* A machine is cloned from the one in this directory. */
void zl_vm_template_used(const char *path);
/* Makes that of any image (with `rebuild` anew) and waits until it is there. */
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
 * called off. With `of_image` they are made from the template of machine->image_key, if that is
 * there, else from that of any image. No template: nothing. */
int zl_vm_pool_fill(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                    bool of_image, struct zl_error *err);
/* Remembers that a container of this image (image.h) was started. Whether the one before it had the
 * same: then the next one is expected to have it, too. */
bool zl_vm_recent_note(struct zl_runtime *rt, const char *image);
/* The image that is expected, or false. */
bool zl_vm_recent_expected(struct zl_runtime *rt, char image[ZL_VM_KEY_TEXT]);
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
