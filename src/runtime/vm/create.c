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
#include "base/log.h"
#include "base/strv.h"
#include "bridge/guest.h"
#include "runtime/bundle/bundle.h"
#include "runtime/vm/image.h"
#include "runtime/vm/vm_private.h"

static int fault(const char *site, int os_error, struct zl_error *err)
{
  return os_error == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, os_error, "fault at %s", site);
}

#define STEP_FAULT(name, err) fault(name, ZL_FAULT("runtime.vm." name), err)

/* A machine that waits is the fastest; one of the pool knows no directory of the host. */
int zl_vm_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                  int *ret_fd, struct zl_error *err)
{
  struct zl_shimclient *client = (struct zl_shimclient *)backend;
  zl_automachine machine = { 0 };
  zl_autofree char *template = NULL;
  int r = zl_vm_machine_plan(client, service, &machine, err);

  if (r < 0)
    return r;
  if (machine.may_clone)
    template = zl_vm_template_path(backend->rt, machine.key);
  if (template != NULL && zl_vm_pool_claim(backend->rt, template, ret_fd) == 0)
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

static int make_image(struct zl_runtime *rt, const struct zl_container_plan *plan, char **ret,
                      struct zl_error *err)
{
  zl_autofree char *dir = zl_asprintf("%s/vm/images", rt->root);
  char key[ZL_VM_IMAGE_KEY];
  zl_autofd fd = -1;
  int r = dir != NULL ? zl_vm_dir(rt, "images", &fd, err) : zl_fail_nomem(err, "image");

  if (r == 0)
    r = zl_vm_image_ensure(fd, dir, (const char *const *)plan->layers, key, err);
  if (r < 0)
    return r;
  *ret = zl_asprintf("%s/%s.erofs", dir, key);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "image");
}

static int write_machine(struct zl_runtime *rt, const struct zl_vm_machine_plan *machine,
                         const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofree char *image = NULL, *template = NULL, *text = NULL;
  struct zl_vm_machine_files files = { .service = plan->service, .volumes = plan->volumes };
  int r = make_image(rt, plan, &image, err);

  if (r < 0)
    return r;
  if (machine->may_clone)
    template = zl_vm_template_path(rt, machine->key);
  files.image = image;
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

/* ---- After it ---- */

/* The next container of this shape starts faster; the pool is of the node's default shape. Not this
 * container's business: failures are told and nothing more. */
static void look_ahead(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine)
{
  struct zl_error err = { 0 };
  int r;

  if (!machine->may_clone)
    return;
  r = zl_vm_template_start(client, machine, &err);
  if (r == 0 && machine->memory_mib == machine->settings.memory_mib &&
      machine->vcpus == machine->settings.cpus)
    r = zl_vm_pool_fill(client, machine, &err);
  if (r < 0)
    zl_warning("preparing machines: %s", err.msg);
}

/* The shim has set the one aside that did not work, when there was one. */
static void renew_template(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine)
{
  struct zl_error err = { 0 };

  if (machine->may_clone && zl_vm_template_start(client, machine, &err) < 0)
    zl_warning("preparing machines: %s", err.msg);
}

int zl_vm_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                 struct zl_error *err)
{
  struct zl_shimclient *client = (struct zl_shimclient *)backend;
  zl_automachine machine = { 0 };
  int r = make_log(plan, err);

  if (r == 0)
    r = STEP_FAULT("files", err);
  if (r == 0)
    r = zl_bundle_write_files(plan, err);
  if (r == 0)
    r = zl_vm_machine_plan(client, plan->service, &machine, err);
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
    look_ahead(client, &machine); /* while the shim is at work */
    r = zl_shimclient_await(plan, err);
  }
  if (r == 0)
    renew_template(client, &machine);
  return r < 0 ? r : STEP_FAULT("created", err);
}
