/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper of isolation `hyperv`: the container runs in a virtual machine of its own
 * (docs/microvm.md), which this process starts, is the parent of, and talks to.
 *
 * Every end goes through the end of QEMU: whoever decides that the machine is over says why
 * (vm_end) and kills it, and the loop's next event is its death.
 */
#ifndef ZL_SHIM_VM_H
#define ZL_SHIM_VM_H

#include "shim/keeper.h"
#include "shim/run.h"
#include "shim/vm/config.h"
#include "shim/vm/console.h"
#include "shim/vm/guest.h"
#include "shim/vm/port.h"
#include "shim/vm/qemu.h"

#define VM_TIER_BOOT  "boot"
#define VM_TIER_CLONE "clone"
#define VM_TIER_POOL  "pool"

struct vm_session;

struct vm_shim {
  struct shim shim;
  struct machine_config machine;
  struct bundle_config bundle;
  struct qemu qemu;
  struct console console;
  struct guest guest;
  struct ports ports;
  struct vm_session *sessions;

  json_t *prepared; /* the bundle of the container that waits in the machine; NULL: none does */
  char *mounted;    /* the image that its template has in its memory; NULL: none */
  bool has_code;    /* it was given translated code */
  bool is_awake;    /* a pooled machine goes on already */
  bool pooled;      /* the machine was there before its container */
  int scratch_fd;   /* its disk, which has no name; -1 */
  int tap_fd;       /* its link; -1: none. Both are kept to the very end of this process: removing
                       a disk or a link takes longer than all the rest, and nobody should wait */
  int stdin_end;    /* ours of the container's standard input; -1: none, or its port's */
  unsigned rows, cols; /* of its terminal, as a client set it before the start; 0: nobody has */
  uint32_t init_pid;   /* in the guest; 0: not started */
  struct port *init_in, *init_out, *init_err;
  bool has_exit;     /* `exit` says how it ends; else it has died by itself */
  bool start_failed; /* `failure` is the answer to the start */
  bool failed;       /* the machine did, not the workload: `failure` says why */
  struct exit_record exit;
  struct zl_error failure;
};

static inline struct vm_shim *vm_of(struct shim *shim)
{
  return container_of(shim, struct vm_shim, shim);
}

void vm_init(struct vm_shim *vm);
/* The machine's part anew, after machine_stop. */
void vm_init_machine(struct vm_shim *vm);
extern const struct keeper vm_keeper;

/* The machine is over: this is the container's end. The first reason counts, also when there is one
 * already. */
void vm_end(struct vm_shim *vm, const struct exit_record *exit);
/* As above for a machine that has failed: the message and the guest's last console lines. */
void vm_fail(struct vm_shim *vm, const struct zl_error *why);

#endif
