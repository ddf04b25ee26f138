/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine for tests, from the host's side: its document, and the bridge to its agent.
 */
#ifndef TESTS_UNIT_HCS_SIM_MACHINE_H
#define TESTS_UNIT_HCS_SIM_MACHINE_H

#include "harness.h"

enum { /* messages */
  CREATE = 0x10100101,
  START = 0x10100201,
  SHUTDOWN = 0x10100301,
  SHUTDOWN_FORCED = 0x10100401,
  EXECUTE = 0x10100501,
  WAIT = 0x10100601,
  SIGNAL = 0x10100701,
  PROPERTIES = 0x10100901,
  MODIFY = 0x10100a01,
  NEGOTIATE = 0x10100b01,
  NOTIFICATION = 0x30100101
};

struct machine {
  void *system;
  SOCKET listening, bridge; /* 0: none */
  uint64_t last;            /* id of a call */
  char runtime_id[40], id[40];
  json_t *notified; /* the last notification, or NULL */
};

/* Its disk ("vm.vhdx" of "vm"), and grants for all that its document names. */
void machine_files(const char *id);
void machine_files_remove(const char *id);
json_t *machine_document(const char *id);
void set_at(json_t *document, const char *path, const char *value);
void *create_machine(const char *id);
void *create_machine_with(const char *id, const char *path, const char *value);

void machine_listen(struct machine *m, const char *id);
void machine_power_on(struct machine *m);
bool machine_accept(struct machine *m, unsigned ms);
/* All of these: the guest has dialled. */
void machine_start(struct machine *m, const char *id);
void machine_cold_start(struct machine *m);
void machine_drop(struct machine *m); /* ends it, its files stay */
void machine_end(struct machine *m);

/* A message; `container` NULL is the machine itself. */
void say(struct machine *m, uint32_t type, const char *container, const char *body);
/* And its answer: the result, as unsigned number; 1 when the connection ends or says nonsense. */
uint32_t ask(struct machine *m, uint32_t type, const char *container, const char *body,
             json_t **answer);
/* ask() of the machine itself, when the guest may have hung up before: 1 as well. */
uint32_t ask_maybe(struct machine *m, uint32_t type, const char *body);
void await_notification(struct machine *m, const char *container, const char *type);

uint32_t host_modify(struct machine *m, const char *request);
const char *scsi_request(const char *type, unsigned lun, const char *path); /* valid as w() */
/* "scratch" with its layers as container `id`, which was created. */
void machine_prepare_container(struct machine *m, const char *id);
void machine_run(struct machine *m, const char *container, const char *command, char *printed,
                 size_t size, uint32_t *exit_code);

#endif
