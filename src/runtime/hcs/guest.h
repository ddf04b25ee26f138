/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest of a machine: the bridge to it, and the container and processes in it. Thread-safe but
 * for free.
 */
#ifndef ZL_RUNTIME_HCS_GUEST_H
#define ZL_RUNTIME_HCS_GUEST_H

#include "bridge/cold_start.h"
#include "bridge/hvsocket.h"
#include "runtime/hcs/modify.h"
#include "runtime/hcs/system.h"

enum {
  ZL_HCS_ACCEPT_MS = 2 * 60 * 1000, /* from the machine's start until its guest dials */
  ZL_HCS_GUEST_MS = 5 * 60 * 1000   /* of a call, and of the whole cold start */
};

struct zl_hcs_guest; /* opaque */

/* Before the machine is started: its guest dials once, early. `machine` outlives the guest. */
int zl_hcs_guest_listen(struct zl_hcs_system *machine, const struct zl_guid *runtime_id,
                        struct zl_hcs_guest **ret, struct zl_error *err);
/* After: waits until it dials, at most so long, or until the machine ends, whose exit the error
 * tells; then the cold start (bridge/cold_start.h) with the host's time zone. */
int zl_hcs_guest_connect(struct zl_hcs_guest *guest, uint32_t accept_ms, struct zl_error *err);
/* Ends the bridge: whoever waits for an answer gets ZL_E_REMOTE or ZL_E_CANCELLED. NULL is fine. */
void zl_hcs_guest_free(struct zl_hcs_guest *guest);

/* What it can do; valid once connected. */
const struct zl_rpc_capabilities *zl_hcs_guest_can(const struct zl_hcs_guest *guest);

/* One change of machine and guest, in the order that modify.h tells; on failure of the guest's half
 * the host's is taken back. */
int zl_hcs_guest_change(struct zl_hcs_guest *guest, const struct zl_hcs_modify *change,
                        struct zl_error *err);

int zl_hcs_guest_create(struct zl_hcs_guest *guest, const char *container, json_t *document,
                        struct zl_error *err);
int zl_hcs_guest_start(struct zl_hcs_guest *guest, const char *container, struct zl_error *err);
/* The container's end. Success when it has ended. */
int zl_hcs_guest_shutdown(struct zl_hcs_guest *guest, const char *container, bool forced,
                          uint32_t timeout_ms, struct zl_error *err);
/* The caller releases the object (rpc.h parses it). */
int zl_hcs_guest_properties(struct zl_hcs_guest *guest, const char *container, unsigned what,
                            json_t **ret, struct zl_error *err);

struct zl_hcs_guest_process {
  uint32_t pid;
  struct zl_byte_stream in, out, err; /* ctx NULL: no such stream */
};
struct zl_hcs_guest_execute {
  const char *container;
  const json_t *parameters; /* zl_hcs_doc_parameters' */
  bool in, out, err;        /* as in there */
};
/* Each stream is listened on before the guest is asked, which dials them before it answers. */
int zl_hcs_guest_execute(struct zl_hcs_guest *guest, const struct zl_hcs_guest_execute *how,
                         struct zl_hcs_guest_process *ret, struct zl_error *err);
/* Waits for its end. ZL_E_TIMEOUT; ZL_E_REMOTE: the machine ended before. */
int zl_hcs_guest_wait(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                      uint64_t deadline_ns, uint32_t *ret_code, struct zl_error *err);
/* Success when it has ended. */
int zl_hcs_guest_signal(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                        enum zl_hcs_signal signal, struct zl_error *err);
int zl_hcs_guest_resize(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                        unsigned rows, unsigned cols, struct zl_error *err);

#endif
