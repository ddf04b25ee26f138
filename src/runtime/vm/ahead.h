/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container has made for the next one: the templates of its shape and of its image, and the
 * machines that the pool is short of. That keeps a processor busy for tens of milliseconds, so it
 * begins when the container has been started, not beside its start.
 */
#ifndef ZL_RUNTIME_VM_AHEAD_H
#define ZL_RUNTIME_VM_AHEAD_H

#include "runtime/vm/machine.h"

struct zl_vm_due;

struct zl_vm_ahead {
  pthread_mutex_t lock;
  struct zl_vm_due *due; /* NULL: nothing is */
};

/* First in it is what every backend with a shim begins with. */
struct zl_vm_backend {
  struct zl_shimclient client;
  struct zl_vm_ahead ahead;
};

void zl_vm_ahead_init(struct zl_vm_ahead *ahead);
void zl_vm_ahead_done(struct zl_vm_ahead *ahead);

/* A container has been made with this machine, which is empty afterwards, of the image with this
 * key (image.h). What that asks for is due from now on; what was due before is done first. */
void zl_vm_ahead_note(struct zl_vm_backend *backend, struct zl_vm_machine_plan *machine,
                      const char *image, const struct zl_vm_habit *habit);
/* Does what is due, if anything is: starts helpers and does not wait for them. Not the caller's
 * business: failures are told and nothing more. */
void zl_vm_ahead_go(struct zl_vm_backend *backend);

#endif
