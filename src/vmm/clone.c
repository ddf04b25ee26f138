/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/clone.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

/* The name under which QEMU knows the state's descriptor. */
#define STATE_NAME "state"

/* Stands before the owner of the events while a migration is under way. */
struct watch {
  zl_qmp_event_fn event;
  void *ctx;
  bool completed, failed;
};

static void watch_event(void *ctx, const char *name, const json_t *data)
{
  struct watch *watch = ctx;
  const char *status;

  if (strcmp(name, "MIGRATION") == 0) {
    status = json_string_value(json_object_get(data, "status"));
    watch->completed |= status != NULL && strcmp(status, "completed") == 0;
    watch->failed |= status != NULL && strcmp(status, "failed") == 0;
  }
  if (watch->event != NULL)
    watch->event(watch->ctx, name, data);
}

/* The memory is shared with a file and is not sent, and the end is an event. */
static int set_capabilities(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  json_t *arguments = json_pack("{s:[{s:s,s:b},{s:s,s:b}]}", "capabilities", "capability",
                                "x-ignore-shared", "state", 1, "capability", "events", "state", 1);

  if (arguments == NULL)
    return zl_fail_nomem(err, "a command for QEMU");
  return zl_qmp_call(qmp, "migrate-set-capabilities", arguments, deadline_ns, NULL, err);
}

int zl_vm_hand_over(struct zl_qmp *qmp, const char *name, int fd, uint64_t deadline_ns,
                    struct zl_error *err)
{
  json_t *arguments;

  if (lseek(fd, 0, SEEK_SET) < 0)
    return zl_fail_errno(err, "going to the beginning of the %s", name);
  arguments = json_pack("{s:s}", "fdname", name);
  return arguments == NULL ? zl_fail_nomem(err, "a command for QEMU")
                           : zl_qmp_call_fd(qmp, "getfd", arguments, fd, deadline_ns, NULL, err);
}

/* The event says that it failed, this why. */
static int explain(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  zl_autojson *status = NULL;
  const char *why = NULL;

  if (zl_qmp_call(qmp, "query-migrate", NULL, deadline_ns, &status, NULL) == 0)
    why = json_string_value(json_object_get(status, "error-desc"));
  return zl_fail(err, ZL_E_REMOTE, 0, "%s", why != NULL ? why : "QEMU gives no reason");
}

static int migrate(struct zl_qmp *qmp, const char *command, struct watch *watch,
                   uint64_t deadline_ns, struct zl_error *err)
{
  json_t *arguments = json_pack("{s:s}", "uri", "fd:" STATE_NAME);
  int r = arguments == NULL ? zl_fail_nomem(err, "a command for QEMU")
                            : zl_qmp_call(qmp, command, arguments, deadline_ns, NULL, err);

  while (r == 0 && !watch->completed && !watch->failed)
    r = zl_qmp_wait(qmp, deadline_ns, err);
  return r == 0 && watch->failed ? explain(qmp, deadline_ns, err) : r;
}

/* Save and load are the same conversation. */
static int transfer(struct zl_qmp *qmp, const char *command, int state_fd, uint64_t deadline_ns,
                    struct zl_error *err)
{
  struct watch watch = { .event = qmp->event, .ctx = qmp->ctx };
  int r = set_capabilities(qmp, deadline_ns, err);

  if (r == 0)
    r = zl_vm_hand_over(qmp, STATE_NAME, state_fd, deadline_ns, err);
  if (r < 0)
    return r;
  qmp->event = watch_event;
  qmp->ctx = &watch;
  r = migrate(qmp, command, &watch, deadline_ns, err);
  qmp->event = watch.event;
  qmp->ctx = watch.ctx;
  return r;
}

int zl_vm_save(struct zl_qmp *qmp, int state_fd, uint64_t deadline_ns, struct zl_error *err)
{
  int r = zl_vm_stop(qmp, deadline_ns, err);

  if (r == 0)
    r = transfer(qmp, "migrate", state_fd, deadline_ns, err);
  return r < 0 ? zl_wrap(err, "saving the machine") : 0;
}

int zl_vm_load(struct zl_qmp *qmp, int state_fd, uint64_t deadline_ns, struct zl_error *err)
{
  int r = transfer(qmp, "migrate-incoming", state_fd, deadline_ns, err);

  return r < 0 ? zl_wrap(err, "loading the machine") : 0;
}

int zl_vm_continue(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  return zl_qmp_call(qmp, "cont", NULL, deadline_ns, NULL, err);
}

int zl_vm_stop(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  return zl_qmp_call(qmp, "stop", NULL, deadline_ns, NULL, err);
}
