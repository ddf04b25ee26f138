/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/code.h"

#include <string.h>

#include "base/json.h"
#include "vmm/clone.h"

/* The name under which QEMU knows the file's descriptor. */
#define CODE_NAME "code"

#define SAVE "x-translations-save"
#define LOAD "x-translations-load"

int zl_vm_code_can(struct zl_qmp *qmp, uint64_t deadline_ns, bool *ret, struct zl_error *err)
{
  zl_autojson *commands = NULL;
  json_t *command;
  size_t i;
  int r = zl_qmp_call(qmp, "query-commands", NULL, deadline_ns, &commands, err);

  if (r < 0)
    return r;
  *ret = false;
  json_array_foreach (commands, i, command) {
    const char *name = json_string_value(json_object_get(command, "name"));

    *ret |= name != NULL && strcmp(name, SAVE) == 0;
  }
  return 0;
}

static int transfer(struct zl_qmp *qmp, const char *command, int code_fd, uint64_t deadline_ns,
                    struct zl_error *err)
{
  json_t *arguments;
  int r = zl_vm_hand_over(qmp, CODE_NAME, code_fd, deadline_ns, err);

  if (r < 0)
    return r;
  arguments = json_pack("{s:s}", "fdname", CODE_NAME);
  return arguments == NULL ? zl_fail_nomem(err, "a command for QEMU")
                           : zl_qmp_call(qmp, command, arguments, deadline_ns, NULL, err);
}

int zl_vm_code_save(struct zl_qmp *qmp, int code_fd, uint64_t deadline_ns, struct zl_error *err)
{
  int r = transfer(qmp, SAVE, code_fd, deadline_ns, err);

  return r < 0 ? zl_wrap(err, "keeping the machine's code") : 0;
}

int zl_vm_code_load(struct zl_qmp *qmp, int code_fd, uint64_t deadline_ns, struct zl_error *err)
{
  int r = transfer(qmp, LOAD, code_fd, deadline_ns, err);

  return r < 0 ? zl_wrap(err, "giving the machine its code") : 0;
}
