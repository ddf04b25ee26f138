/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/swap.h"

#include <stdarg.h>

#include "base/json.h"
#include "base/strv.h"
#include "vmm/command.h"

/* The file node that takes the place of ZL_VM_NODE_IMAGE_FILE. */
#define NODE_NEW_FILE "image-file-2"

/* A call whose arguments may have failed to be made. */
static int call(struct zl_qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
                struct zl_error *err)
{
  return arguments == NULL ? zl_fail_nomem(err, "a command for QEMU")
                           : zl_qmp_call(qmp, command, arguments, deadline_ns, NULL, err);
}

static int delete_node(struct zl_qmp *qmp, const char *node, uint64_t deadline_ns,
                       struct zl_error *err)
{
  return call(qmp, "blockdev-del", json_pack("{s:s}", "node-name", node), deadline_ns, err);
}

/* QEMU's own copy of the descriptor, in a set with a number. */
static int add_set(struct zl_qmp *qmp, int fd, uint64_t deadline_ns, json_int_t *ret_set,
                   struct zl_error *err)
{
  zl_autojson *added = NULL;
  const json_t *set;
  int r = zl_qmp_call_fd(qmp, "add-fd", NULL, fd, deadline_ns, &added, err);

  if (r < 0)
    return r;
  set = json_object_get(added, "fdset-id");
  if (!json_is_integer(set))
    return zl_fail(err, ZL_E_REMOTE, 0, "add-fd: the answer has no fdset-id");
  *ret_set = json_integer_value(set);
  return 0;
}

/* What is open already stays open. */
static int drop_set(struct zl_qmp *qmp, json_int_t set, uint64_t deadline_ns, struct zl_error *err)
{
  return call(qmp, "remove-fd", json_pack("{s:I}", "fdset-id", set), deadline_ns, err);
}

static int add_file(struct zl_qmp *qmp, json_int_t set, uint64_t deadline_ns, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/dev/fdset/%lld", (long long)set);

  if (path == NULL)
    return zl_fail_nomem(err, "a command for QEMU");
  return call(qmp, "blockdev-add",
              json_pack("{s:s, s:s, s:s, s:b, s:s}", "driver", "file", "node-name", NODE_NEW_FILE,
                        "filename", path, "read-only", 1, "locking", "off"),
              deadline_ns, err);
}

static int reopen(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err)
{
  return call(qmp, "blockdev-reopen",
              json_pack("{s:[{s:s, s:s, s:s, s:b}]}", "options", "driver", "raw", "node-name",
                        ZL_VM_NODE_IMAGE, "file", NODE_NEW_FILE, "read-only", 1),
              deadline_ns, err);
}

int zl_vm_swap_image(struct zl_qmp *qmp, int image_fd, uint64_t deadline_ns, struct zl_error *err)
{
  json_int_t set = 0;
  int r = add_set(qmp, image_fd, deadline_ns, &set, err);

  if (r < 0)
    return zl_wrap(err, "giving the machine its image");
  r = add_file(qmp, set, deadline_ns, err);
  if (r == 0) {
    r = reopen(qmp, deadline_ns, err);
    if (r < 0)
      (void)delete_node(qmp, NODE_NEW_FILE, deadline_ns, NULL);
  }
  if (r < 0)
    (void)drop_set(qmp, set, deadline_ns, NULL);
  else
    r = delete_node(qmp, ZL_VM_NODE_IMAGE_FILE, deadline_ns, err);
  return r < 0 ? zl_wrap(err, "giving the machine its image") : 0;
}

static int add_tap(struct zl_qmp *qmp, int tap_fd, uint64_t deadline_ns, struct zl_error *err)
{
  json_t *name = json_pack("{s:s}", "fdname", "tap");
  int r = name == NULL ? zl_fail_nomem(err, "a command for QEMU")
                       : zl_qmp_call_fd(qmp, "getfd", name, tap_fd, deadline_ns, NULL, err);

  if (r < 0)
    return r;
  r = call(qmp, "netdev_add", json_pack("{s:s, s:s, s:s}", "type", "tap", "id", "tap", "fd", "tap"),
           deadline_ns, err);
  if (r < 0)
    (void)call(qmp, "closefd", json_pack("{s:s}", "fdname", "tap"), deadline_ns, NULL);
  return r;
}

int zl_vm_plug_tap(struct zl_qmp *qmp, int tap_fd, uint64_t deadline_ns, struct zl_error *err)
{
  int r = add_tap(qmp, tap_fd, deadline_ns, err);

  if (r == 0) {
    r = call(qmp, "netdev_add",
             json_pack("{s:s, s:s, s:i, s:s}", "type", "hubport", "id", "plug", "hubid", ZL_VM_HUB,
                       "netdev", "tap"),
             deadline_ns, err);
    if (r < 0)
      (void)call(qmp, "netdev_del", json_pack("{s:s}", "id", "tap"), deadline_ns, NULL);
  }
  return r < 0 ? zl_wrap(err, "plugging the machine's link in") : 0;
}
