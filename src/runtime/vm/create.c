/* SPDX-License-Identifier: Apache-2.0
 *
 * A container's directory and its machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/strv.h"
#include "bridge/guest.h"
#include "runtime/bundle/bundle.h"
#include "runtime/vm/ahead.h"
#include "runtime/vm/image.h"
#include "runtime/vm/vm_private.h"

static int fault(const char *site, int os_error, struct zl_error *err)
{
  return os_error == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, os_error, "fault at %s", site);
}

#define STEP_FAULT(name, err) fault(name, ZL_FAULT("runtime.vm." name), err)

/* By digest: by its name it may be another one when the container is created. */
static int find_image(struct zl_runtime *rt, const char *digest, struct zl_vm_machine_plan *machine,
                      struct zl_error *err)
{
  struct zl_image_store *images = NULL;
  zl_autoimage image = { 0 };
  char key[ZL_VM_IMAGE_KEY];
  int r = zl_node_images(rt, &images, err);

  if (r == 0)
    r = zl_image_resolve(images, digest, &image, err);
  if (r == 0)
    r = zl_vm_image_key_of_trees((const char *const *)image.layers, key, err);
  return r < 0 ? r : zl_vm_machine_of_image(rt, key, machine, err);
}

/* One that knows the image first, then one that knows none. */
static int claim(struct zl_runtime *rt, const struct zl_vm_machine_plan *machine, int *ret_fd)
{
  const char *const keys[] = { machine->image_key, machine->key };

  for (size_t i = 0; i < ZL_COUNT(keys); i++) {
    zl_autofree char *template = *keys[i] != '\0' ? zl_vm_template_path(rt, keys[i]) : NULL;

    if (template != NULL && zl_vm_pool_claim(rt, template, ret_fd) == 0)
      return 0;
  }
  return -ZL_E_NOT_FOUND;
}

/* A machine that waits is the fastest; one of the pool knows no directory of the host. */
int zl_vm_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                  const char *image_digest, int *ret_fd, struct zl_error *err)
{
  struct zl_shimclient *client = (struct zl_shimclient *)backend;
  zl_automachine machine = { 0 };
  int r = zl_vm_machine_plan(client, service, &machine, err);

  if (r == 0 && machine.may_clone)
    r = find_image(backend->rt, image_digest, &machine, err);
  if (r < 0)
    return r;
  if (machine.may_clone && claim(backend->rt, &machine, ret_fd) == 0)
    return 0;
  return zl_shimclient_prepare(client, id, NULL, ret_fd, err);
}

/* ---- Files ---- */

static int make_log(const struct zl_container_plan *plan, struct zl_error *err)
{
  if (mkdirat(plan->dir_fd, "log", 0700) < 0)
    return zl_fail_errno(err, "making directory 'log'");
  return 0;
}

/* *ret_key is the image's. */
static int make_image(struct zl_runtime *rt, const struct zl_container_plan *plan,
                      struct zl_vm_machine_plan *machine, char ret_key[ZL_VM_IMAGE_KEY],
                      struct zl_error *err)
{
  zl_autofree char *dir = zl_asprintf("%s/vm/images", rt->root);
  zl_autofd fd = -1;
  int r = dir != NULL ? zl_vm_dir(rt, "images", &fd, err) : zl_fail_nomem(err, "image");

  if (r == 0)
    r = zl_vm_image_ensure(fd, dir, (const char *const *)plan->layers, ret_key, err);
  return r < 0 ? r : zl_vm_machine_of_image(rt, ret_key, machine, err);
}

static int write_machine(struct zl_runtime *rt, const struct zl_vm_machine_plan *machine,
                         const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofree char *template = NULL, *text = NULL;
  struct zl_vm_machine_files files = { .service = plan->service,
                                       .volumes = plan->volumes,
                                       .image = machine->image };
  int r;

  if (machine->may_clone)
    template = zl_vm_template_best(rt, machine);
  if (template != NULL)
    zl_vm_template_used(template);
  files.template = template;
  r = zl_vm_machine_render(machine, &files, &text, err);
  return r < 0 ? r : zl_bundle_write_text(plan->dir_fd, "machine.json", text, 0600, err);
}

/* Of each storage entry: its directory in the machine, where shares are counted in order. */
static int list_binds(const struct zl_service *service, char ***ret, struct zl_error *err)
{
  unsigned n = 0;
  int r = 0;

  for (size_t i = 0; r == 0 && i < service->n_storage; i++) {
    enum zl_storage_type type = service->storage[i].type;
    char path[48] = "";

    if (type == ZL_STORAGE_BIND || type == ZL_STORAGE_NAMED || type == ZL_STORAGE_ANONYMOUS)
      (void)snprintf(path, sizeof(path), ZL_GUEST_BINDS "/%u", n++);
    r = zl_strv_push(ret, path, err);
  }
  return r;
}

static int write_bundle(const struct zl_container_plan *plan, struct zl_error *err)
{
  static const char *const layers[] = { ZL_GUEST_IMAGE, NULL };
  zl_autostrv binds = NULL;
  zl_autofree char *text = NULL;
  struct zl_bundle_guest guest = { .layers = layers };
  struct zl_bundle bundle = {
    .plan = plan, .guest = &guest, .dir = ZL_GUEST_BUNDLE, .cgroup = ZL_GUEST_CGROUP
  };
  int r = list_binds(plan->service, &binds, err);

  guest.binds = (const char *const *)binds;
  if (r == 0)
    r = zl_bundle_render(&bundle, &text, err);
  return r < 0 ? r : zl_bundle_write_text(plan->dir_fd, "config.json", text, 0600, err);
}

static void note_habit(struct zl_backend *backend, const struct zl_container_plan *plan,
                       struct zl_vm_machine_plan *machine, const char *image)
{
  const struct zl_vm_habit habit = { plan->argv[0], plan->cwd };

  zl_vm_ahead_note((struct zl_vm_backend *)backend, machine, image, &habit);
}

int zl_vm_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                 struct zl_error *err)
{
  struct zl_shimclient *client = (struct zl_shimclient *)backend;
  zl_automachine machine = { 0 };
  char image[ZL_VM_IMAGE_KEY];
  int r = make_log(plan, err);

  if (r == 0)
    r = STEP_FAULT("files", err);
  if (r == 0)
    r = zl_bundle_write_files(plan, err);
  if (r == 0)
    r = zl_vm_machine_plan(client, plan->service, &machine, err);
  if (r == 0)
    r = make_image(backend->rt, plan, &machine, image, err);
  if (r == 0)
    r = write_machine(backend->rt, &machine, plan, err);
  if (r == 0)
    r = STEP_FAULT("bundle", err);
  if (r == 0)
    r = write_bundle(plan, err);
  if (r == 0)
    r = STEP_FAULT("shim", err);
  if (r == 0)
    r = zl_shimclient_hand_over(plan, err);
  if (r == 0) {
    note_habit(backend, plan, &machine, image); /* while the shim is at work */
    r = zl_shimclient_await(plan, err);
  }
  return r < 0 ? r : STEP_FAULT("created", err);
}
