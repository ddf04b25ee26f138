/* SPDX-License-Identifier: Apache-2.0
 *
 * The compute system of a container, made by create, and anew by a start after one that failed.
 */
#include <string.h>

#include "base/strv.h"
#include "runtime/hcs/instance_private.h"
#include "runtime/runtime.h"

/* ---- On the host's kernel ---- */

static int undo_system(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;
  int r = zl_hcs_system_end(c->system, false, err);

  if (r < 0)
    return r;
  zl_hcs_system_close(c->system);
  c->system = NULL;
  return 0;
}

static int make_container(struct zl_hcs_instance *c, struct zl_error *err)
{
  zl_autofree char *id = zl_asprintf("%s-%s", c->node->network, c->id);
  int r = id != NULL ? zl_hcs_system_create(c->node->api, id, c->documents.system, &c->system, err)
                     : zl_fail_nomem(err, "a container");

  if (r < 0)
    return zl_context(r, err, "compute system");
  c->system->end_ms = zl_hcs_instance_end_ms(c);
  zl_undo_push(&c->undo, "compute system", undo_system, c);
  return 0;
}

/* ---- A machine ---- */

static int undo_files(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;

  return zl_hcs_uvm_remove_files(&c->uvm, err);
}

static int undo_grants(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;

  return zl_hcs_uvm_revoke(&c->uvm, err);
}

static int undo_machine(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;
  int r = zl_hcs_uvm_end(&c->uvm, err);

  if (r == 0)
    c->system = NULL;
  return r;
}

/* All that the machine opens: its disk and boot files, the layers, the container's disk, what is
 * mounted. */
static int grant_all(struct zl_hcs_instance *c, struct zl_error *err)
{
  zl_autofree char *disk = zl_hcs_scratch_disk(&c->scratch);
  int r =
      disk != NULL ? zl_hcs_uvm_grant(&c->uvm, c->uvm.disk, err) : zl_fail_nomem(err, "a machine");

  if (r == 0)
    r = zl_hcs_uvm_grant(&c->uvm, c->uvm.boot_files, err);
  for (size_t i = 0; r == 0 && i < c->chain->count; i++)
    r = zl_hcs_uvm_grant(&c->uvm, c->chain->layers[i].path, err);
  for (size_t i = 0; r == 0 && c->dirs != NULL && c->dirs[i] != NULL; i++)
    r = zl_hcs_uvm_grant(&c->uvm, c->dirs[i], err);
  return r < 0 ? r : zl_hcs_uvm_grant(&c->uvm, disk, err);
}

static int make_machine(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = zl_hcs_uvm_make_files(&c->uvm, err);

  if (r < 0)
    return zl_context(r, err, "machine's files");
  zl_undo_push(&c->undo, "machine's files", undo_files, c);
  zl_undo_push(&c->undo, "grants", undo_grants, c); /* also of a part of them */
  c->before_machine = c->undo.count;
  r = grant_all(c, err);
  if (r < 0)
    return zl_context(r, err, "grants");
  r = zl_hcs_uvm_create(&c->uvm, c->documents.system, err);
  if (r < 0)
    return zl_context(r, err, "machine");
  c->system = c->uvm.system;
  c->system->end_ms = zl_hcs_instance_end_ms(c);
  zl_undo_push(&c->undo, "machine", undo_machine, c);
  return 0;
}

int zl_hcs_instance_make_system(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = zl_hcs_instance_make_network(c, err);

  if (r < 0)
    return r;
  return c->in_machine ? make_machine(c, err) : make_container(c, err);
}
