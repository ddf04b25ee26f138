/* SPDX-License-Identifier: Apache-2.0
 *
 * The QEMU process of a machine: started from descriptors, watched, killed.
 */
#ifndef ZL_SHIM_VM_QEMU_H
#define ZL_SHIM_VM_QEMU_H

#include "base/proc.h"
#include "shim/loop.h"
#include "shim/vm/config.h"
#include "shim/vm/patience.h"
#include "vmm/qmp.h"

struct qemu {
  struct zl_proc proc; /* pidfd -1: does not run */
  struct source source, qmp_source;
  struct zl_qmp qmp;
  struct loop *loop;
  bool stopping;                    /* a stop was asked for: its event is no failure */
  void (*ended)(struct qemu *qemu); /* it has died and is reaped */
  void (*stuck)(struct qemu *qemu, const char *why); /* it stopped its guest by itself */
};

#define QEMU_INIT                                                                                 \
  {                                                                                               \
    .proc = { .pidfd = -1 }, .source = SOURCE_INIT, .qmp_source = SOURCE_INIT, .qmp = {.fd = -1 } \
  }

/* What is behind the devices; borrowed. -1: as zl_vm_machine says. */
struct qemu_files {
  int memory_fd, image_fd, scratch_fd, tap_fd;
  uint8_t mac[ZL_VM_MAC];
  int bind_fds[ZL_VM_MAX_BINDS];
};
#define QEMU_FILES_INIT                                             \
  {                                                                 \
    .memory_fd = -1, .image_fd = -1, .scratch_fd = -1, .tap_fd = -1 \
  }

/* The host's ends of what QEMU is connected to; the caller's. */
struct qemu_ends {
  int bridge_fd, stdio_fd, console_fd;
};

/* Starts QEMU and waits for its monitor, with this patience. After an error nothing runs. */
int qemu_start(struct qemu *qemu, const struct machine_config *config, enum zl_vm_start start,
               const struct qemu_files *files, struct qemu_ends *ret, struct patience patience,
               struct zl_error *err);

/* Watches it from now on: `ended`, `stuck`. */
int qemu_watch(struct qemu *qemu, struct loop *loop, struct zl_error *err);

enum {
  QEMU_DEATH_MS = 200 /* from the closing of a process's descriptors to its end */
};

/* It has died, or does within that time; it may not have been reaped. */
bool qemu_is_dead(const struct qemu *qemu, int patience_ms);

/* SIGKILL; `ended` follows from the loop. */
void qemu_kill(struct qemu *qemu);
/* SIGKILL and wait until it is gone. Idempotent; no callback. */
void qemu_destroy(struct qemu *qemu);

#endif
