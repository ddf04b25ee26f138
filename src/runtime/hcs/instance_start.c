/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a container.
 */
#include "base/json.h"
#include "base/time.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/instance_private.h"
#include "runtime/runtime.h"

/* ---- Steps in a machine ---- */

static int undo_guest(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;

  (void)err;
  zl_hcs_guest_free(c->guest);
  c->guest = NULL;
  return 0;
}

static int connect_guest(struct zl_hcs_instance *c, struct zl_error *err)
{
  uint32_t accept_ms = c->node->accept_ms != 0 ? c->node->accept_ms : ZL_HCS_ACCEPT_MS;
  int r = zl_hcs_guest_listen(c->system, &c->uvm.runtime_id, &c->guest, err);

  if (r < 0)
    return zl_context(r, err, "socket of the guest");
  zl_undo_push(&c->undo, "connection to the guest", undo_guest, c);
  r = zl_hcs_system_start(c->system, err);
  if (r < 0)
    return zl_context(r, err, "start of the machine");
  r = zl_hcs_guest_connect(c->guest, accept_ms, err);
  return r < 0 ? zl_context(r, err, "connection to the guest") : 0;
}

static int change(struct zl_hcs_instance *c, const struct zl_hcs_modify *modify, const char *what,
                  struct zl_error *err)
{
  int r = zl_hcs_guest_change(c->guest, modify, err);

  return r < 0 ? zl_context(r, err, "%s", what) : 0;
}

static int add_storage(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < c->documents.n_changes; i++)
    r = change(c, &c->documents.changes[i], "storage of the machine", err);
  return r;
}

static int add_namespace(struct zl_hcs_instance *c, const struct zl_hcn *hcn, struct zl_error *err)
{
  zl_autojson *properties = NULL;
  zl_autohcsmodify modify = { 0 };
  int r = zl_hcn_namespace_query(hcn, &c->hcn.space, &properties, err);

  if (r == 0)
    r = zl_hcs_modify_namespace(properties, true, &modify, err);
  return r < 0 ? zl_context(r, err, "namespace in the machine")
               : change(c, &modify, "namespace in the machine", err);
}

static int add_adapter(struct zl_hcs_instance *c, const struct zl_hcn *hcn, struct zl_error *err)
{
  const char *what = "network adapter of the machine";
  zl_autojson *properties = NULL;
  zl_autohcsmodify announce = { 0 }, add = { 0 };
  char endpoint[ZL_GUID_CHARS], mac[ZL_HCN_MAC];
  struct zl_hcs_nic nic = { .endpoint = zl_guid_format(&c->hcn.endpoint, endpoint), .mac = mac };
  int r = zl_hcn_endpoint_query(hcn, &c->hcn.endpoint, &properties, err);

  nic.id = nic.endpoint; /* the adapter is no object of its own: one GUID serves both */
  if (r == 0)
    r = zl_hcn_read_mac(properties, mac, err);
  if (r == 0)
    r = zl_hcs_modify_nic_announce(&nic, properties, &announce, err);
  if (r == 0)
    r = zl_hcs_modify_nic(&nic, true, &add, err);
  if (r < 0)
    return zl_context(r, err, "%s", what);
  r = change(c, &announce, what, err);
  return r < 0 ? r : change(c, &add, what, err);
}

static int add_network(struct zl_hcs_instance *c, struct zl_error *err)
{
  struct zl_hcn hcn = zl_hcs_instance_hcn(c);
  int r = c->has_network ? add_namespace(c, &hcn, err) : 0;

  return r == 0 && c->has_network ? add_adapter(c, &hcn, err) : r;
}

static int start_hosted(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = zl_hcs_guest_create(c->guest, c->id, c->documents.hosted, err);

  if (r < 0)
    return zl_context(r, err, "container in the machine");
  r = zl_hcs_guest_start(c->guest, c->id, err);
  return r < 0 ? zl_context(r, err, "start of the container in the machine") : 0;
}

static int boot_machine(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = connect_guest(c, err);

  if (r == 0)
    r = add_storage(c, err);
  if (r == 0)
    r = add_network(c, err);
  return r < 0 ? r : start_hosted(c, err);
}

/* ---- The command ---- */

static int undo_command(void *ctx, struct zl_error *err)
{
  struct zl_hcs_instance *c = ctx;

  (void)err;
  zl_hcs_instance_join(c);
  zl_hcs_task_close(c->task);
  c->task = NULL;
  return 0;
}

static int start_command(struct zl_hcs_instance *c, struct zl_error *err)
{
  const struct zl_hcs_task_options options = {
    .parameters = c->documents.process, .in = c->input, .out = true, .err = !c->console
  };
  int r =
      zl_hcs_task_start(c->in_machine ? NULL : c->system, c->guest, c->id, &options, &c->task, err);

  if (r < 0)
    return zl_context(r, err, "command");
  zl_undo_push(&c->undo, "command", undo_command, c);
  c->task->console = c->console;
  r = zl_hcs_instance_watch(c, err);
  if (r < 0) {
    (void)zl_hcs_task_signal(c->task, ZL_HCS_TERMINATE, NULL);
    (void)zl_hcs_system_end(c->system, true, NULL);
  }
  return r;
}

int zl_hcs_instance_boot(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = c->in_machine ? boot_machine(c, err) : zl_hcs_system_start(c->system, err);

  if (r < 0)
    return c->in_machine ? r : zl_context(r, err, "start of the compute system");
  return start_command(c, err);
}

/* ---- The whole ---- */

static int attempt(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = c->system == NULL ? zl_hcs_instance_make_system(c, err) : 0;

  return r < 0 ? r : zl_hcs_instance_boot(c, err);
}

/* What a machine leaves that did not start can be kept: all but the machine itself. */
static void take_back(struct zl_hcs_instance *c)
{
  bool keep = c->node->keep_on_failure && c->in_machine && c->system != NULL;

  (void)zl_undo_back(&c->undo, keep ? c->before_machine : c->before_system, NULL);
}

static int start(struct zl_hcs_instance *c, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r = attempt(c, &why);

  if (r < 0 && zl_hresult_retry((uint32_t)why.os_error) == ZL_HRESULT_RENEW) {
    (void)zl_undo_back(&c->undo, c->before_system, NULL);
    r = attempt(c, &why);
  }
  if (r == 0)
    return 0;
  take_back(c);
  if (err != NULL)
    *err = why;
  return r;
}

static int start_once(struct zl_hcs_instance *c, struct zl_error *err)
{
  struct zl_hcs_status status;

  zl_hcs_instance_status(c, &status);
  if (status.phase != ZL_HCS_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "it was started before");
  /* Left by a failed start that is kept for a look. */
  if (c->system == NULL && zl_undo_back(&c->undo, c->before_system, err) < 0)
    return err != NULL ? -(int)err->code : -ZL_E_SYSTEM;
  return start(c, err);
}

int zl_hcs_instance_start(struct zl_hcs_instance *instance, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&instance->turn);
  r = start_once(instance, err);
  (void)pthread_mutex_unlock(&instance->turn);
  return r;
}
